"""All databases over one backend: spaces, effects, expiry, checkpoints and the sweep.

:meth:`Keyspace.apply` is the one way in for changes: it applies an effect and passes it to the log
(``sink``).  Replay uses the same method with a sink that does nothing, and with a clock at zero, at which
nothing has expired.
"""

from __future__ import annotations

import logging
import random
from binascii import crc_hqx
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from durable_redis.keyspace.checkpoint import Checkpoint
from durable_redis.keyspace.database import Database
from durable_redis.keyspace.effects import EFFECTS, Effect
from durable_redis.keyspace.expiry import ExpiryIndex
from durable_redis.keyspace.libraries import Libraries
from durable_redis.keyspace.memory import LARGE_ENTRY_BYTES, MemoryBudget, MeteredReader
from durable_redis.keyspace.shard import Shard
from durable_redis.objects.codec import expanded_number
from durable_redis.objects.entry import Value, expires_of
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.hash_timed import HasDeadlines
from durable_redis.objects.limits import EncodingLimits
from storage.backends.base import Backend, Record, WriteBatch
from storage.errors import DamagedError, StorageError
from storage.records import (
    PLACE_END,
    STATE_KEY,
    TAG_EXPIRES,
    TYPE_MASK,
    State,
    collection_range,
    dead_key,
    expiry_key,
    key_range,
    parse_dead_key,
    parse_key_record_key,
    place_of,
)

logger = logging.getLogger("durable_redis")

Sink = Callable[[int, Effect], None]
SWEEP_RECORDS = 1024
SWEEP_BYTES = 1 << 18
COLLECTION_END = (1 << 64) - 1
EXPIRE_CANDIDATES = 64
FIELDS_PER_READ = 512  # that have expired are removed by whoever reads a hash: all of a compact one
FIELDS_PER_WAKE = 64


def no_sink(db: int, effect: Effect) -> None:
    """Where effects go while the log is replayed."""


class Keyspace:
    """The data; ``now_ms`` is the time at which keys are judged, set by the owner before each batch."""

    def __init__(
        self,
        backend: Backend,
        log_id: str,
        databases: int,
        memory_bytes: int = 0,
        rng: random.Random | None = None,
        limits: EncodingLimits | None = None,
    ) -> None:
        self.backend = backend
        self.sink: Sink = no_sink
        self.before: Callable[[Database, Effect], None] | None = None  # asked to look before an effect
        self.notify: Callable[[int, bytes, bytes], None] | None = None  # database, event, key
        self.event = b""  # the name of the event, for the sink, if the effect does not say it
        self.now_ms = 0
        self.counted_replay = False  # a frame that says how many keys there are behind it is being replayed
        self.may_expire = True  # False: expired keys are hidden, not removed
        self.expired_keys = 0
        self.expired_fields = 0
        self._hides_fields = False
        self.evicted_keys = 0
        self.freed_objects = 0  # by :meth:`bury`
        self.rng = rng or random.Random()
        self.limits = limits or EncodingLimits()
        self.expiry = ExpiryIndex(backend)
        self.libraries = Libraries(backend)
        self.memory = MemoryBudget(self, memory_bytes, self.rng)
        self.reader = MeteredReader(backend, self.memory)
        self.stale_expiry: dict[tuple[int, bytes], int] = {}
        self.dead_index: list[bytes] = []
        self.changed: dict[int, tuple[int, bytes, Expanded]] = {}  # collections: space, key, the object
        self.dead_collections: list[int] = []  # since the last checkpoint
        self.remains: list[Expanded] = []  # whose elements take memory for nothing
        self._dead_on_disk = True  # whether the backend may know dead collections
        self.checkpoint: Checkpoint | None = None
        raw = backend.get(STATE_KEY)
        self.state = State.decode(raw) if raw is not None else State(log_id)
        while len(self.state.spaces) < databases:
            self.state.spaces.append(self.state.next_space)
            self.state.next_space += 1
        self._spaces = list(self.state.spaces)
        self._next_space = self.state.next_space
        self._next_collection = self.state.next_collection
        self._moved = dict(self.state.moved)  # collections that have left their first space: where they are
        self._counts = dict(self.state.counts)
        self._sweep = list(self.state.sweep)
        self._swept = b""  # the last record that the sweep has found
        self._databases: list[Database | None] = [None] * len(self._spaces)
        self._graveyard: list[list[Shard]] = []

    # -- databases -------------------------------------------------------------------------------------------

    @property
    def database_count(self) -> int:
        """How many databases there are."""
        return len(self._databases)

    def database(self, index: int) -> Database:
        """The database with a number below :attr:`database_count`."""
        db = self._databases[index]
        if db is None:
            space = self._spaces[index]
            size, expires = self._counts.get(space, (0, 0))
            db = self._databases[index] = Database(self, index, space, size, expires)
        return db

    def open_databases(self) -> Iterator[Database]:
        """The databases that have been used since the start; the others are as the backend has them."""
        return (db for db in self._databases if db is not None)

    def database_of_space(self, space: int) -> Database | None:
        """The database that a space belongs to now; None for a dead one."""
        return self.database(self._spaces.index(space)) if space in self._spaces else None

    def counts(self, index: int) -> tuple[int, int]:
        """Keys and keys that expire of a database, without opening it."""
        db = self._databases[index]
        return (db.size, db.expires) if db is not None else self._counts.get(self._spaces[index], (0, 0))

    # -- effects ---------------------------------------------------------------------------------------------

    def apply(self, db: Database, effect: Effect, event: bytes = b"") -> Any:
        """Apply an effect and log it; the effect's result.

        ``event`` is the name of the keyspace event if it is not the effect's own, or ``SILENT``.
        """
        if self.before is not None:
            self.before(db, effect)
        try:
            result = EFFECTS[effect[0]](self, db, effect)
        except DamagedError as error:
            # Part of it may be done, and none of it is in the log: this is where the server has to end.
            raise StorageError(f"{effect[0].decode()} met damage: {error}", error.hint) from error
        self.event = event
        self.sink(db.index, effect)
        return result

    def replay(self, db: int, counts: tuple[int, int] | None, gets: Callable[[], Any]) -> int:
        """Apply the effects of a frame; the database selected at the end.

        ``gets`` gives one after the other, then False.  With ``counts`` (keys and expires of ``db``
        afterwards) the backend is not asked which keys existed before.
        """
        current = self.database(db)
        self.counted_replay = counts is not None
        while (effect := gets()) is not False:
            name = effect[0]
            if len(effect) == 3 and counts is not None and name == b"SET" and 123 not in effect[1]:
                # Most of a log, without detours: this loop decides how long a restart after a crash takes.
                _, key, value = effect
                shard = current.by_crc[crc_hqx(key, 0) >> 4]
                young = shard.young
                if (
                    type(young.get(key, b"")) is bytes
                    and not shard.old
                    and len(key) + len(value) < LARGE_ENTRY_BYTES
                ):
                    young[key] = shard.dirty[key] = value
                    continue
            function = EFFECTS.get(name) or EFFECTS.get(name.upper())
            if function is not None:
                function(self, current, effect)
            elif name.upper() == b"SELECT":
                db = int(effect[1])
                current = self.database(db)
            else:
                assert name.upper() in (b"MULTI", b"EXEC"), f"unknown effect {name!r} in the log"
        self.counted_replay = False
        if counts is not None:
            current.size, current.expires = counts
        return db

    def expire(self, db: Database, key: bytes) -> None:
        """Remove a key whose time has come, if this server may."""
        if self.may_expire:
            self.expired_keys += 1
            self.apply(db, (b"DEL", key), b"expired")

    def hide_fields(self, db: Database, key: bytes, value: HasDeadlines) -> Value | None:
        """A hash with deadlines is being read: what is left of it when some of what is due has been removed.

        The rest of what is due is hidden.
        """
        value.hide(self.now_ms)
        if not 0 < value.next_ms <= self.now_ms or not self.may_expire or self._hides_fields:
            return value
        self._hides_fields = True  # events of what is removed look at the key as well
        self.expire_fields(db, key, value, FIELDS_PER_READ)
        self._hides_fields = False
        left = db.find(key)
        if isinstance(left, HasDeadlines):
            left.hide(self.now_ms)
        return left

    def expire_fields(self, db: Database, key: bytes, value: HasDeadlines, count: int) -> None:
        """Remove at most ``count`` of the fields whose time has come."""
        fields = value.due(self.now_ms, count)
        if fields:
            self.expired_fields += len(fields)
            self.apply(db, (b"HDEL", key, *fields), b"hexpired")

    def evict(self, db: Database, key: bytes) -> None:
        """Delete a key because of ``maxmemory-policy``."""
        self.evicted_keys += 1
        self.apply(db, (b"DEL", key), b"evicted")

    def flush(self, db: Database) -> None:
        """Empty a database in constant time."""
        if db.size == 0 and db.complete and not any(shard.dirty or shard.frozen for shard in db.shards):
            return
        fresh = Database(self, db.index, self._next_space, 0, 0)
        self._sweep.append(db.space)
        for number in [number for number, space in self._moved.items() if space == db.space]:
            # Its record may never have come into this space on disk, where the sweep would find it.
            del self._moved[number]
            self.dead_collections.append(number)
        self._graveyard.append(db.shards)
        self._next_space += 1
        self._spaces[db.index] = fresh.space
        _take_contents(db, fresh)

    def flush_all(self) -> None:
        """Empty every database."""
        for index in range(self.database_count):
            if self.counts(index)[0] or self._databases[index] is not None:
                self.flush(self.database(index))

    def new_collection(self) -> int:
        """A number for an expanded collection."""
        self._next_collection += 1
        return self._next_collection - 1

    def bury_collection(self, collection: Expanded) -> None:
        """Leave an expanded collection to the sweep: its elements on disk, and those in memory."""
        self.dead_collections.append(collection.number)
        self.changed.pop(collection.number, None)
        self._moved.pop(collection.number, None)
        self.remains.append(collection)

    def collection_moved(self, collection: Expanded, space: int) -> None:
        """MOVE has brought a collection into another space.

        A record of it may be left in the old one; the sweep of that space must let the elements be.
        """
        self._moved[collection.number] = space

    def swap(self, first: int, second: int) -> None:
        """Exchange the contents of two databases in constant time; clients keep their number."""
        if first == second:
            return
        a, b = self.database(first), self.database(second)
        held = Database.__new__(Database)
        _take_contents(held, a)
        _take_contents(a, b)
        _take_contents(b, held)
        self._spaces[first], self._spaces[second] = a.space, b.space

    # -- background work, in slices --------------------------------------------------------------------------

    def expire_due(self) -> bool:
        """Remove some of the keys whose time has come; True if there may be more."""
        if not self.may_expire:
            return False
        candidates = self.expiry.due(self.now_ms, EXPIRE_CANDIDATES)
        for expires_ms, space, key in candidates:
            db = self.database_of_space(space)
            try:
                value = db.find(key) if db is not None else None
            except DamagedError as error:
                logger.error("a key that has expired cannot be read: %s (%s)", error, error.hint)
                self.dead_index.append(expiry_key(expires_ms, space, place_of(key), key))
                continue
            if value is not None and 0 < expires_of(value) <= self.now_ms:
                assert db is not None
                self.expire(db, key)
                continue
            wake_ms = 0
            if isinstance(value, HasDeadlines):
                assert db is not None
                self._wake(db, key, value)
                wake_ms = value.disk_wake_ms
            if value is None or expires_ms not in (expires_of(value), wake_ms):
                self.dead_index.append(expiry_key(expires_ms, space, place_of(key), key))
        return len(candidates) == EXPIRE_CANDIDATES

    def _wake(self, db: Database, key: bytes, value: HasDeadlines) -> None:
        """The time has come for which a hash with deadlines asked: remove some fields, and ask again."""
        self.expire_fields(db, key, value, FIELDS_PER_WAKE)
        left = db.find(key)
        if isinstance(left, HasDeadlines) and left.next_ms:
            self.expiry.add(left.next_ms, db.space, key)

    def bury(self) -> bool:
        """Free some memory of what is gone; True if there is more.

        To free a million objects at once would stop everybody for a tenth of a second.
        """
        if self.remains:
            if not self.remains[-1].free_some():
                self.remains.pop()
                self.freed_objects += 1
        elif self._graveyard:
            shards = self._graveyard[-1]
            for shard in shards[-4:]:
                collections = {
                    id(value): value
                    for value in chain(shard.young.values(), shard.old.values(), shard.dirty.values())
                    if isinstance(value, Expanded)
                }.values()
                self.remains += collections
                self.freed_objects += max(0, len(shard.young) + len(shard.old) - len(collections))
            del shards[-4:]
            if not shards:
                self._graveyard.pop()
        return self.has_remains

    @property
    def has_remains(self) -> bool:
        """Whether something that is gone still takes memory."""
        return bool(self.remains or self._graveyard)

    @property
    def objects_to_free(self) -> int:
        """How many cached values of keys that are gone still take memory."""
        shards = chain.from_iterable(self._graveyard)
        return len(self.remains) + sum(len(shard.young) + len(shard.old) for shard in shards)

    @property
    def sweep_pending(self) -> bool:
        """Whether records are left in the backend that a committed checkpoint has declared dead."""
        return bool(self.state.sweep) or self._dead_on_disk

    def sweep_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Some backend keys of dead collections and spaces, to be removed (None) or put; none at the end.

        A space that has nothing left is forgotten; what it had of expanded collections dies with it.
        """
        if self._dead_on_disk:
            dead = self.backend.scan(dead_key(0), dead_key(COLLECTION_END), limit=1)
            if dead:
                found = self._next_remains(*collection_range(parse_dead_key(dead[0][0])))
                return [(key, None) for key, _ in found] or [(dead[0][0], None)]
            self._dead_on_disk = False
        while self.state.sweep:
            space = self.state.sweep[0]
            found = self._next_remains(*key_range(space, 0, PLACE_END))
            if found:
                return [change for record in found for change in self._bury_record(*record)]
            self.state.sweep.pop(0)
            self._sweep.remove(space)
            self._counts.pop(space, None)
        return []

    def _next_remains(self, first: bytes, end: bytes) -> list[Record]:
        """Some records of a dead range, behind those found last: a scan from its start would step over what
        LevelDB has of every removed record, again for each part.  Nothing found: the whole range is empty.
        """
        start = self._swept if first < self._swept < end else first
        found = self.backend.scan(start, end, limit=SWEEP_RECORDS, bytes_max=SWEEP_BYTES)
        if not found and start != first:  # a part that could not be removed
            found = self.backend.scan(first, end, limit=SWEEP_RECORDS, bytes_max=SWEEP_BYTES)
        self._swept = found[-1][0] if found else b""
        return found

    def _bury_record(self, record_key: bytes, record: bytes) -> list[tuple[bytes, bytes | None]]:
        """What happens to a record of a dead space: it goes, and what belongs to it."""
        changes: list[tuple[bytes, bytes | None]] = [(record_key, None)]
        body_at = 5
        if record[4] & TAG_EXPIRES:
            expires_ms = int.from_bytes(record[5:13], "little")
            changes.append((expiry_key(expires_ms, *parse_key_record_key(record_key)), None))
            body_at = 13
        number = expanded_number(record[4] & TYPE_MASK, record[body_at:])
        space = parse_key_record_key(record_key)[0]
        if number and self._moved.get(number, space) == space:
            self._moved.pop(number, None)
            changes.append((dead_key(number), b""))
            self._dead_on_disk = True
        return changes

    # -- checkpoint ------------------------------------------------------------------------------------------

    @property
    def changed_elements(self) -> int:
        """About how many elements of expanded collections changed since the last checkpoint began."""
        return sum(
            store.changed() for _, _, collection in self.changed.values() for store in collection.stores
        )

    @property
    def dirty_keys(self) -> int:
        """Keys changed since the last checkpoint began."""
        return sum(len(shard.dirty) for db in self.open_databases() for shard in db.shards)

    def begin_checkpoint(self, batch: WriteBatch, position: int, log_db: int, time_ms: int) -> Checkpoint:
        """Freeze what is dirty; the caller takes the checkpoint through its steps and to
        :meth:`end_checkpoint`.

        ``batch`` is one of the backend's that has begun.
        """
        assert self.checkpoint is None
        for db in self.open_databases():
            self._counts[db.space] = (db.size, db.expires)
        live = set(self._spaces)
        state = State(
            self.state.log_id,
            position,
            log_db,
            time_ms,
            list(self._spaces),
            self._next_space,
            {space: counts for space, counts in self._counts.items() if space in live and counts != (0, 0)},
            list(self._sweep),
            self._next_collection,
            dict(self._moved),
        )
        self.checkpoint = Checkpoint(self, state, batch)
        return self.checkpoint

    def encode_frozen(self, space: int, shard: Shard, key: bytes) -> None:
        """Encode a frozen entry that is about to change."""
        assert self.checkpoint is not None
        self.checkpoint.encode_one(space, shard, key)

    def end_checkpoint(self, committed: bool) -> Iterator[None]:
        """The checkpoint's batch was committed, or it failed and nothing of it is in the backend.

        The returned steps free what was frozen; they must be done before the next checkpoint begins.
        """
        checkpoint = self.checkpoint
        assert checkpoint is not None
        self.checkpoint = None
        if committed:
            self.state = checkpoint.state
            self._dead_on_disk |= checkpoint.has_dead
            return checkpoint.committed()
        checkpoint.rolled_back()
        return iter(())

    def drop_clean(self) -> None:
        """Forget everything that the backend has (DEBUG RELOAD: what follows is read from disk)."""
        for db in self.open_databases():
            for shard in db.shards:
                shard.young, shard.old = {}, {}
            db.complete = db.size == 0


def _take_contents(db: Database, other: Database) -> None:
    """Let ``db`` hold what ``other`` holds; its number stays."""
    db.space, db.size, db.expires, db.complete = other.space, other.size, other.expires, other.complete
    db.shards, db.by_crc = other.shards, other.by_crc
