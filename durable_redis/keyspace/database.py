"""A database: the cached, counted and expiring map from key to value.

Everything that changes data goes through :meth:`Database.put`, :meth:`Database.delete`,
:meth:`Database.set_expiry` and :meth:`Database.mutable`; they keep the exact counts, the dirty marks and the
expiry bookkeeping.  Only effects (``effects.py``) call them.  Reading may load from the backend, and may
find that the key's time has come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from durable_redis.keyspace.memory import LARGE_ENTRY_BYTES
from durable_redis.keyspace.shard import Shard, make_shards, shard_number
from durable_redis.objects.codec import decode_value, expand, outgrown
from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Entry, Value
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_expanded import ExpandedHash
from durable_redis.objects.hash_timed import HasDeadlines, TimedExpandedHash, TimedHash
from durable_redis.objects.string import String
from storage.records import decode_record, expiry_key, key_record_key, place_of

if TYPE_CHECKING:
    from durable_redis.keyspace.keyspace import Keyspace

_C = TypeVar("_C", bound=Collection)


class Database:
    """One numbered database.  ``size`` and ``expires`` count keys, and keys that expire, exactly."""

    __slots__ = (
        "by_crc",
        "cold_reads",
        "complete",
        "expires",
        "index",
        "keyspace",
        "misses",
        "shards",
        "size",
        "space",
    )

    def __init__(self, keyspace: Keyspace, index: int, space: int, size: int, expires: int) -> None:
        self.index = index
        self.keyspace = keyspace
        self.space = space
        self.size = size
        self.expires = expires
        self.complete = size == 0  # every key is in memory, so a miss needs no disk
        self.misses = 0
        self.cold_reads = 0
        self.shards: list[Shard]
        self.by_crc: list[Shard]
        self.shards, self.by_crc = make_shards()

    # -- reading ---------------------------------------------------------------------------------------------

    def find(self, key: bytes) -> Value | None:
        """The value of a key, expired or not, from wherever it is."""
        shard = self.shards[shard_number(key)]
        value = shard.young.get(key)
        if value is None:
            value = shard.old.pop(key, None)
            if value is None:
                value = self._load(shard, key)
                if value is None:
                    return None
            shard.young[key] = value
        return value

    def read(self, key: bytes) -> Value | None:
        """The value of a key that is alive; a key whose time has come is removed, and its removal logged."""
        value = self.find(key)
        if type(value) is bytes or value is None:
            return value
        expires_ms = value.expires_ms  # type: ignore[union-attr]
        if expires_ms and expires_ms <= self.keyspace.now_ms:
            self.keyspace.expire(self, key)
            return None
        if value.timed:  # type: ignore[union-attr]
            return self.keyspace.hide_fields(self, key, value)  # type: ignore[arg-type]
        return value

    def _load(self, shard: Shard, key: bytes) -> Value | None:
        """A value that is not in the cache: not yet checkpointed, or in the backend."""
        if key in shard.dirty:
            return shard.dirty[key]
        if key in shard.frozen:
            return shard.frozen[key]
        if self.complete:
            return None
        record_key = key_record_key(self.space, place_of(key), key)
        raw = self.keyspace.backend.get(record_key)
        self.cold_reads += 1
        if raw is None:
            return None
        self.keyspace.memory.loaded(len(raw))
        self.grown(key, len(raw), 0)
        kind, expires_ms, body = decode_record(record_key, raw)
        found = decode_value(kind, expires_ms, body, self.keyspace.reader)
        if isinstance(found, Expanded):
            self.keyspace.memory.large(self.space, key, 0)
        return found

    # -- changing (for effects only) -------------------------------------------------------------------------

    def put(self, key: bytes, value: Value) -> None:
        """Give the key a new value; the old one and its expiry are gone."""
        old = self.peek_memory(key) if self.keyspace.counted_replay else self.find(key)
        shard = self.shards[shard_number(key)]
        if old is None:
            self.size += 1
        elif type(old) is not bytes:
            self._leave(key, old)  # type: ignore[arg-type]
            self._abandon(key, old)
        shard.young[key] = shard.dirty[key] = value
        if type(value) is bytes:
            size = len(value)
        else:
            assert isinstance(value, Entry)
            size = value.memory_bytes()
            if value.expires_ms:
                self.expires += 1
                self.keyspace.expiry.add(value.expires_ms, self.space, key)
            if isinstance(value, HasDeadlines) and value.next_ms:
                self.keyspace.expiry.add(value.next_ms, self.space, key)
            if isinstance(value, Expanded):
                self._expanded_changed(key, value)
        self.grown(key, size, 0)

    def delete(self, key: bytes, *, moved: bool = False) -> bool:
        """Remove the key; False if there was none.  The value lives on elsewhere if it is ``moved``."""
        shard = self.shards[shard_number(key)]
        if self.keyspace.counted_replay:
            old = self.peek_memory(key)
        else:
            old = self.find(key)
            if old is None:
                return False
        if old is not None and type(old) is not bytes:
            self._leave(key, old)  # type: ignore[arg-type]
            if not moved:
                self._abandon(key, old)
        shard.young.pop(key, None)
        shard.old.pop(key, None)
        shard.dirty[key] = None
        self.size -= 1
        return True

    def set_expiry(self, key: bytes, expires_ms: int) -> None:
        """Let an existing key expire at a time, or never (0)."""
        old = self.find(key)
        assert old is not None
        if type(old) is bytes:
            if expires_ms:
                self.put(key, String(old, expires_ms))
            return
        assert isinstance(old, Entry)
        if type(old) is String:
            if expires_ms or old.encoding or type(old.data) is not bytes:
                self.put(key, String(old.data, expires_ms, 0, old.encoding))
            else:
                self.put(key, old.data)
            return
        entry = self.mutable(key)
        self.expires += bool(expires_ms) - bool(entry.expires_ms)
        if entry.disk_expires_ms:
            self.keyspace.stale_expiry[self.space, key] = entry.disk_expires_ms
            entry.disk_expires_ms = 0
        entry.expires_ms = expires_ms
        if expires_ms:
            self.keyspace.expiry.add(expires_ms, self.space, key)

    def mutable(self, key: bytes) -> Entry:
        """The entry of an existing key, to be changed in place; it is marked dirty.

        A running checkpoint that has yet to encode the old state does so first.
        """
        value = self.find(key)
        assert value is not None
        shard = self.shards[shard_number(key)]
        if type(value) is bytes:
            value = String(bytearray(value))
        elif type(value) is String and type(value.data) is bytes:
            value = String(bytearray(value.data), value.expires_ms, value.disk_expires_ms)
        else:
            self.settle(key)
        assert isinstance(value, Entry)
        shard.young[key] = shard.dirty[key] = value
        return value

    def collection(self, key: bytes, make: type[_C]) -> _C:
        """The collection of a key, or a new one, to be changed in place; it is marked dirty.

        ``make`` is its type; the caller knows that the key holds nothing else.
        """
        old = self.find(key)
        shard = self.shards[shard_number(key)]
        if old is None:
            found = make()
            self.size += 1
            shard.young[key] = shard.dirty[key] = found
            return found
        if shard.frozen and not shard.frozen_encoded and key in shard.frozen:
            self.keyspace.encode_frozen(self.space, shard, key)
        assert isinstance(old, make)
        shard.young[key] = shard.dirty[key] = old
        if isinstance(old, Expanded):
            self.keyspace.changed[old.number] = (self.space, key, old)
        return old

    def timed_hash(self, key: bytes) -> HasDeadlines:
        """The hash of a key that there is, as one whose fields may have deadlines; see :meth:`collection`."""
        found = self.collection(key, Hash)
        if not isinstance(found, HasDeadlines):
            shard = self.shards[shard_number(key)]
            if isinstance(found, ExpandedHash):
                found = TimedExpandedHash.taking(found, self.keyspace.reader)
                self._expanded_changed(key, found)
            else:
                found = TimedHash.taking(found)
            shard.young[key] = shard.dirty[key] = found
        return found

    def collection_changed(self, key: bytes, collection: Collection) -> None:
        """The last step of an effect on what :meth:`collection` gave: it may be empty or large now."""
        if not len(collection):
            if isinstance(collection, Expanded):
                self.keyspace.bury_collection(collection)
            self.delete(key, moved=True)
        else:
            self.collection_grown(key, collection)

    def collection_grown(self, key: bytes, collection: Collection) -> None:
        """The last step of an effect on a collection that stays: it may be large now."""
        if outgrown(collection, self.keyspace.limits):
            keyspace = self.keyspace
            collection = expand(collection, keyspace.reader, keyspace.new_collection)
            shard = self.shards[shard_number(key)]
            shard.young[key] = shard.dirty[key] = collection
            self._expanded_changed(key, collection)
        elif not collection.expanded:
            self.grown(key, collection.memory_bytes(), 0)

    def _expanded_changed(self, key: bytes, value: Value) -> None:
        """Let the next checkpoint and the memory budget look at the elements of a collection."""
        assert isinstance(value, Expanded)
        self.keyspace.changed[value.number] = (self.space, key, value)
        self.keyspace.memory.large(self.space, key, 0)

    def grown(self, key: bytes, size: int, added: int) -> None:
        """Let the memory budget know that a value takes ``size`` bytes now, ``added`` of them new.

        What a command writes is seen in the log's growth; only what is more than that counts as new.
        """
        if size + len(key) > LARGE_ENTRY_BYTES:
            self.keyspace.memory.large(self.space, key, added)

    def note_encoding(self, key: bytes, encoding: str) -> None:
        """Let OBJECT ENCODING of an existing string answer what Redis's way of making it leads to.

        It is not kept on disk: like Redis after a restart, we judge by the content then.
        """
        value = self.find(key)
        assert value is not None
        if type(value) is bytes:
            shard = self.shards[shard_number(key)]
            shard.young[key] = shard.dirty[key] = String(value, encoding=encoding)
        else:
            assert type(value) is String
            value.encoding = encoding

    def settle(self, key: bytes) -> None:
        """Let a running checkpoint encode the key's old state now: what it shares is about to change."""
        shard = self.shards[shard_number(key)]
        if not shard.frozen_encoded and key in shard.frozen:
            self.keyspace.encode_frozen(self.space, shard, key)

    def _leave(self, key: bytes, entry: Entry) -> None:
        """Account for an entry that goes away."""
        if entry.expires_ms:
            self.expires -= 1
        if entry.disk_expires_ms:
            self.keyspace.stale_expiry[self.space, key] = entry.disk_expires_ms
        if isinstance(entry, HasDeadlines) and entry.disk_wake_ms:
            index_key = expiry_key(entry.disk_wake_ms, self.space, place_of(key), key)
            self.keyspace.dead_index.append(index_key)
            entry.note_index(0)

    def _abandon(self, key: bytes, value: Value) -> None:
        """Leave the elements of an expanded collection, if it is one, to the sweep.

        UNLINK in the log makes replay do the same; it does not look at what a SET or DEL meets otherwise.
        """
        if isinstance(value, Expanded):
            self.keyspace.bury_collection(value)
            self.keyspace.sink(self.index, (b"UNLINK", key))

    def peek_cached(self, key: bytes) -> Value | None:
        """The value if it is in the cache; nothing is loaded or moved."""
        shard = self.shards[shard_number(key)]
        value = shard.young.get(key)
        return value if value is not None else shard.old.get(key)

    def peek_memory(self, key: bytes) -> Value | None:
        """The value if it is in memory, checkpointed or not; the backend is not asked."""
        value = self.peek_cached(key)
        return value if value is not None else self.shards[shard_number(key)].dirty.get(key)

    def is_cached(self, key: bytes) -> bool:
        """Whether reading the key needs no disk."""
        shard = self.shards[shard_number(key)]
        return self.complete or any(
            key in part for part in (shard.young, shard.old, shard.dirty, shard.frozen)
        )
