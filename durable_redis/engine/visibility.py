"""While the disk is slow: who may be answered before the log is durable.

When syncs run in a worker (``durability.py``), the loop goes on executing commands whose data is not on disk
yet.  A reply may leave at once if it shows none of that data; every other reply waits.  This module knows
which keys have changes that are not durable, and marks a client whose reply must wait
(:attr:`Unsynced.shown`).  It is cautious: keys of all databases count as one, a write always waits, and a
command without keys (DBSIZE, SCAN, …) waits for everything.

While syncs run inside the loop nothing is tracked, and nothing of this costs anything.
"""

from __future__ import annotations

from durable_redis.commands.keys import command_keys
from durable_redis.commands.table import Command, Flag
from durable_redis.keyspace.effects import Effect, keys_of

KEYS_MAX = 1_000_000  # noted at a time; beyond it everything counts as changed
_SHOWS_DATA = Flag.READONLY | Flag.WRITE | Flag.ADMIN | Flag.MAY_REPLICATE


class Unsynced:
    """The keys with changes that the log does not hold durably.

    ``shown`` is set when a command has changed or may have shown one of them; whoever sends replies looks
    and clears it.
    """

    def __init__(self) -> None:
        self.shown = False
        self._written: set[bytes] = set()
        self._syncing: set[bytes] = set()
        self._all_written = False  # what changed is not known key by key
        self._all_syncing = False

    # -- what changes ----------------------------------------------------------------------------------------

    def note(self, effect: Effect) -> None:
        """An effect has been applied."""
        keys = keys_of(effect)
        written = self._written
        if keys is not None:
            written.update(keys)
        else:
            self._all_written = True
        if len(written) > KEYS_MAX:
            self.note_all()

    def note_key(self, key: bytes) -> None:
        """The hot path has changed a key."""
        self._written.add(key)

    def note_all(self) -> None:
        """Anything may have changed."""
        self._all_written = True
        self._written.clear()

    # -- what is durable -------------------------------------------------------------------------------------

    def sync_begins(self) -> None:
        """A sync of everything noted so far is under way; no other one is."""
        self._syncing |= self._written
        self._all_syncing |= self._all_written
        self._written = set()
        self._all_written = False

    def sync_done(self) -> None:
        """What was noted before the last :meth:`sync_begins` is durable."""
        self._syncing = set()
        self._all_syncing = False

    def clear(self) -> None:
        """Everything is durable."""
        self.sync_begins()
        self.sync_done()

    # -- who is shown what -----------------------------------------------------------------------------------

    def hides(self, key: bytes) -> bool:
        """Whether a reply that shows this key must wait."""
        return self._all_written or self._all_syncing or key in self._written or key in self._syncing

    @property
    def hides_something(self) -> bool:
        """Whether there is anything that is not durable."""
        return bool(self._all_written or self._all_syncing or self._written or self._syncing)

    def executing(self, command: Command, argv: list[bytes]) -> None:
        """An ordinary command is about to be executed: set :attr:`shown` if its reply must wait."""
        if self.shown:
            return
        if command.flags & Flag.WRITE:
            self.shown = True
        elif command.flags & _SHOWS_DATA or command.keys:
            keys = [argv[position] for position, _ in command_keys(command, argv)]
            self.shown = any(map(self.hides, keys)) if keys else self.hides_something
