"""A checkpoint: everything that changed since the last one goes into the backend, in one atomic batch with
the log position.

:class:`Checkpoint` freezes the dirty entries at a position (between two batches of commands), encodes them
in slices, and hands out the jobs that commit or abort the backend's batch in a worker.  A command that is
about to change a frozen entry in place has it encoded first (:meth:`Checkpoint.encode_one`).  Until the
commit has succeeded, readers find the frozen entries in the shards; if it fails they become dirty again and
nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from durable_redis.keyspace.shard import Shard, shard_number
from durable_redis.objects.codec import encode_body
from durable_redis.objects.entry import Entry, Value, kind_of
from durable_redis.objects.expanded import Expanded, Store
from durable_redis.objects.hash_timed import HasDeadlines
from storage.backends.base import WriteBatch
from storage.errors import StorageError
from storage.records import (
    STATE_KEY,
    State,
    dead_key,
    encode_record,
    encode_string_record,
    expiry_key,
    key_record_key,
    place_of,
)

if TYPE_CHECKING:
    from durable_redis.keyspace.keyspace import Keyspace

_FrozenCollection = tuple[int, bytes, Expanded, list[tuple[Store, list[Any]]]]
KEYS_PER_STEP = 32  # about 60 µs: how often a slice looks at the clock


class Checkpoint:
    """One checkpoint from freeze to commit.  Only the current one of a keyspace exists at a time."""

    def __init__(self, keyspace: Keyspace, state: State, batch: WriteBatch) -> None:
        """Freeze.

        ``state`` describes the data as it is now, at ``state.position`` of the log; ``batch`` has begun.
        """
        self.state = state
        self.keys = 0
        self.batch = batch
        self._keyspace = keyspace
        self._parts: list[tuple[int, Shard]] = []
        for db in keyspace.open_databases():
            for shard in db.shards:
                if shard.dirty:
                    assert not shard.frozen
                    shard.frozen, shard.dirty = shard.dirty, {}
                    shard.frozen_encoded = False
                    self.keys += len(shard.frozen)
                    self._parts.append((db.space, shard))
        self._collections = self._freeze_collections()
        dead, keyspace.dead_collections = keyspace.dead_collections, []
        self._dead_collections = dead
        self.has_dead = bool(dead)
        for number in dead:
            batch.put(dead_key(number), b"")
        self._stale, keyspace.stale_expiry = keyspace.stale_expiry, {}
        self._dead_index, keyspace.dead_index = keyspace.dead_index, []
        for raw in self._dead_index:
            batch.delete(raw)
        self._done: set[tuple[int, bytes]] = set()
        self._index_puts: dict[tuple[int, bytes], int] = {}  # what encode_one has put into the expiry index
        keyspace.libraries.freeze(batch)
        keyspace.expiry.freeze()

    def _freeze_collections(self) -> list[_FrozenCollection]:
        """Take the changed elements of expanded collections that are still there."""
        keyspace = self._keyspace
        found: list[_FrozenCollection] = []
        for space, key, collection in keyspace.changed.values():
            db = keyspace.database_of_space(space)
            if db is not None and db.shards[shard_number(key)].frozen.get(key) is collection:
                portions = [(store, store.freeze()) for store in collection.stores]
                found.append((space, key, collection, portions))
        keyspace.changed = {}
        return found

    @property
    def keys_encoded(self) -> int:
        """Keys that are in the batch, counted shard by shard."""
        return sum(len(shard.frozen) for _, shard in self._parts if shard.frozen_encoded)

    def slices(self) -> Iterator[None]:
        """Encode everything; each step is short, and other work may happen between two steps."""
        for count, ((space, key), expires_ms) in enumerate(list(self._stale.items())):
            if self._index_puts.get((space, key)) != expires_ms:
                self.batch.delete(expiry_key(expires_ms, space, place_of(key), key))
            if count % KEYS_PER_STEP == 0:
                yield
        for space, shard in self._parts:
            frozen = shard.frozen
            order = sorted([(key_record_key(space, place_of(key), key), key) for key in frozen])
            yield
            for count, (record_key, key) in enumerate(order):
                if not self._done or (space, key) not in self._done:
                    self._encode(space, record_key, key, frozen[key])
                if count % KEYS_PER_STEP == 0:
                    yield
            shard.frozen_encoded = True
        yield from self._element_slices()
        self.batch.put(STATE_KEY, self.state.encode())

    def _element_slices(self) -> Iterator[None]:
        batch = self.batch
        count = 0
        for _, _, _, portions in self._collections:
            for store, frozen in portions:
                for portion in frozen:
                    for key, record in store.encode(portion):
                        if record is None:
                            batch.delete(key)
                        else:
                            batch.put(key, record)
                        count += 1
                        if count % KEYS_PER_STEP == 0:
                            yield

    def encode_one(self, space: int, shard: Shard, key: bytes) -> None:
        """Encode one frozen entry now, because it is about to change."""
        if (space, key) not in self._done:
            self._done.add((space, key))
            value = shard.frozen[key]
            self._encode(space, key_record_key(space, place_of(key), key), key, value)
            if isinstance(value, Entry) and value.expires_ms:
                self._index_puts[space, key] = value.expires_ms

    def _encode(self, space: int, record_key: bytes, key: bytes, value: Value | None) -> None:
        batch = self.batch
        if type(value) is bytes:
            batch.put(record_key, encode_string_record(record_key, value))
        elif value is None:
            batch.delete(record_key)
        else:
            assert isinstance(value, Entry)
            expires_ms = value.expires_ms
            batch.put(record_key, encode_record(record_key, kind_of(value), expires_ms, encode_body(value)))
            if expires_ms:
                batch.put(expiry_key(expires_ms, space, place_of(key), key), b"")
            value.disk_expires_ms = expires_ms
            if isinstance(value, HasDeadlines):
                self._encode_wake(space, key, value)

    def _encode_wake(self, space: int, key: bytes, value: HasDeadlines) -> None:
        """Let the expiry index know when the next field of a hash goes."""
        wake_ms, before_ms = value.next_ms, value.disk_wake_ms
        if before_ms and before_ms not in (wake_ms, value.expires_ms):
            self.batch.delete(expiry_key(before_ms, space, place_of(key), key))
        if wake_ms:
            self.batch.put(expiry_key(wake_ms, space, place_of(key), key), b"")
        value.note_index(wake_ms)

    def commit_job(self) -> Callable[[], StorageError | None]:
        """The worker's last job: the batch is durable when it returns None."""
        return guarded(self.batch.commit)

    def abort_job(self) -> Callable[[], StorageError | None]:
        """The worker's job when the checkpoint is given up."""
        return guarded(self.batch.abort)

    def committed(self) -> Iterator[None]:
        """The backend has it: forget the frozen entries, in steps (half a million take 30 ms)."""
        self._keyspace.expiry.committed()
        self._keyspace.libraries.committed()
        for _, _, collection, _ in self._collections:
            for store in collection.stores:
                store.committed()
            yield
        for _, shard in self._parts:
            shard.frozen = {}
            yield

    def rolled_back(self) -> None:
        """The backend does not have it: what was frozen is dirty again, unless it has changed since."""
        for _, shard in self._parts:
            newer = shard.dirty
            shard.dirty = shard.frozen
            shard.dirty.update(newer)
            shard.frozen = {}
        for space, key, collection, _ in self._collections:
            for store in collection.stores:
                store.rolled_back()
            self._keyspace.changed.setdefault(collection.number, (space, key, collection))
        self._keyspace.dead_collections.extend(self._dead_collections)
        stale = self._stale
        stale.update(self._keyspace.stale_expiry)
        self._keyspace.stale_expiry = stale
        self._keyspace.dead_index.extend(self._dead_index)
        self._keyspace.expiry.rolled_back()
        self._keyspace.libraries.rolled_back()


def guarded(job: Callable[[], None]) -> Callable[[], StorageError | None]:
    """A worker's job whose expected failure is its result."""

    def run() -> StorageError | None:
        try:
            job()
        except StorageError as error:
            return error
        return None

    return run
