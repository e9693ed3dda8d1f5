"""What a command sees: its client, its database, the server.

A command is ``def f(ctx: Context, argv: list[bytes]) -> Reply``.  It reads through ``ctx.read`` and friends,
decides, hands effects to ``ctx.apply``, and returns a reply value (``resp/replies.py``).  It raises
:class:`ReplyError` for the client's mistakes, before it has applied anything.  A command that cannot answer
yet returns a :class:`Wait`; one that starts work in the background calls a method of ``ctx.server`` that
leaves a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from durable_redis.errors import wrong_type
from durable_redis.keyspace.database import Database
from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Value, kind_of
from durable_redis.objects.hash import Hash
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.stream import Stream
from durable_redis.objects.string import string_data
from storage.records import TYPE_STRING

if TYPE_CHECKING:
    from durable_redis.commands.session import Client
    from durable_redis.commands.table import Command
    from durable_redis.engine.engine import Engine

_C = TypeVar("_C", bound=Collection)

PENDING: Final = object()
LARGE_EFFECT_BYTES = 1 << 16  # above this, room in the log is made sure of first


class Wait:
    """A reply that is still to come.

    ``poll`` is asked whenever something may have changed and returns :data:`PENDING` or the reply; at
    ``deadline_ms`` (0 = never) ``on_timeout`` gives the reply instead; where nothing may wait (in EXEC, in a
    script) ``at_once`` does, which is the same unless it is set.  CLIENT UNBLOCK works on it when
    ``unblockable``.  ``call`` is set by the engine: the command that waits, its words and its microseconds
    until it began to.
    """

    __slots__ = ("at_once", "call", "deadline_ms", "on_timeout", "poll", "unblockable")

    def __init__(
        self,
        poll: Callable[[], Any],
        deadline_ms: int,
        on_timeout: Callable[[], Any],
        unblockable: bool = True,
    ) -> None:
        self.poll = poll
        self.deadline_ms = deadline_ms
        self.on_timeout = self.at_once = on_timeout
        self.unblockable = unblockable
        self.call: tuple[Command, list[bytes], float] | None = None


class KeyWait(Wait):
    """A command that waits until one of its keys holds something.

    ``attempt`` is asked with each key that was changed, in the order in which the clients began to wait; it
    returns :data:`PENDING` or the reply, and may apply effects and raise :class:`ReplyError` like a command.
    """

    __slots__ = ("attempt", "keys")

    def __init__(
        self,
        keys: Sequence[bytes],
        attempt: Callable[[bytes], Any],
        deadline_ms: int,
        on_timeout: Callable[[], Any],
    ) -> None:
        super().__init__(_still_waiting, deadline_ms, on_timeout)
        self.keys = keys
        self.attempt = attempt


def _still_waiting() -> Any:
    return PENDING


class Context:
    """One client's view.  ``db`` follows SELECT; ``now_ms`` is the same for a whole batch of commands."""

    __slots__ = ("client", "db", "server")

    def __init__(self, server: Engine, client: Client, db: Database) -> None:
        self.server = server
        self.client = client
        self.db = db

    @property
    def now_ms(self) -> int:
        """The wall clock in milliseconds, as of this batch."""
        return self.server.keyspace.now_ms

    def read(self, key: bytes) -> Value | None:
        """The value of a living key; counts as a hit or a miss."""
        value = self.db.read(key)
        self.server.statistics.keyspace_reads += 1
        if value is None:
            self.db.misses += 1
            if self.server.keyspace.notify is not None:
                self.server.keyspace.notify(self.db.index, b"keymiss", key)
        return value

    def inspect(self, key: bytes) -> Value | None:
        """The value of a living key for OBJECT: counts as a hit or a miss, and is no event."""
        value = self.db.read(key)
        self.server.statistics.keyspace_reads += 1
        if value is None:
            self.db.misses += 1
        return value

    def peek(self, key: bytes) -> Value | None:
        """The value of a living key; counts as nothing (for writes, TYPE, TTL and the like)."""
        return self.db.read(key)

    def string(self, key: bytes, *, count: bool = True) -> bytes | bytearray | None:
        """The content of a string; None if there is no key.  Raises WRONGTYPE for other types.

        A ``bytearray`` is the stored one: do not keep or change it, copy with ``bytes()`` what goes into a
        reply.
        """
        value = self.read(key) if count else self.db.read(key)
        if type(value) is bytes or value is None:
            return value
        if kind_of(value) != TYPE_STRING:
            raise wrong_type()
        return string_data(value)

    def hash(self, key: bytes, *, count: bool = True) -> Hash | None:
        """The hash of a key; None if there is no key.  Raises WRONGTYPE for other types.

        Only read it; ``count`` as in :meth:`string`.
        """
        return self._collection(key, Hash, count)

    def list(self, key: bytes, *, count: bool = True) -> List | None:
        """The list of a key; see :meth:`hash`."""
        return self._collection(key, List, count)

    def set(self, key: bytes, *, count: bool = True) -> Set | None:
        """The set of a key; see :meth:`hash`."""
        return self._collection(key, Set, count)

    def sorted_set(self, key: bytes, *, count: bool = True) -> SortedSet | None:
        """The sorted set of a key; see :meth:`hash`."""
        return self._collection(key, SortedSet, count)

    def stream(self, key: bytes, *, count: bool = True) -> Stream | None:
        """The stream of a key, which may be empty; see :meth:`hash`."""
        return self._collection(key, Stream, count)

    def _collection(self, key: bytes, wanted: type[_C], count: bool) -> _C | None:
        value = self.read(key) if count else self.db.read(key)
        if value is None or isinstance(value, wanted):
            return value
        raise wrong_type()

    def apply(self, *effect: bytes, event: bytes = b"") -> Any:
        """Apply an effect to the selected database and log it; the effect's result.

        ``event`` names its keyspace event where that is not the effect's own (``SILENT``: none).  Raises
        ReplyError if the log has no room for it.
        """
        size = sum(map(len, effect))
        if size > LARGE_EFFECT_BYTES:
            self.server.reserve(size + len(effect) * 32)
        return self.server.keyspace.apply(self.db, effect, event)

    def notify(self, event: bytes, key: bytes) -> None:
        """Publish a keyspace event that has no effect, because nothing has changed."""
        if self.server.keyspace.notify is not None:
            self.server.keyspace.notify(self.db.index, event, key)

    def select(self, index: int) -> None:
        """Make another database the client's."""
        self.client.db = self.db = self.server.keyspace.database(index)
