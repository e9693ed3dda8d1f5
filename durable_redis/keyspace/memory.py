"""The budget of the cache: how much memory the data takes, and giving it back.

Nothing is counted per command.  Entries are counted by the shard, their mean size is sampled, entries above
64 KiB are known one by one.  When the estimate passes the limit, shards are rotated in turn: what was not
used since the shard's last rotation leaves memory (never the data).  With an eviction policy the limit is
for the data instead, and keys are deleted.
"""

from __future__ import annotations

import random
from itertools import chain, islice
from sys import getsizeof
from typing import TYPE_CHECKING

from durable_redis.keyspace.scan import walk
from durable_redis.keyspace.shard import SHARD_COUNT, Shard, shard_number
from durable_redis.objects.entry import Entry, Value
from durable_redis.objects.expanded import Expanded
from storage.backends.base import SCAN_BYTES_MAX, Backend, Record
from storage.records import PLACE_END

if TYPE_CHECKING:
    from durable_redis.keyspace.database import Database
    from durable_redis.keyspace.keyspace import Keyspace

LARGE_ENTRY_BYTES = 1 << 16  # key and value; what comes through the hot path is smaller
ENTRY_OVERHEAD_BYTES = 104  # a dict slot at the usual load, measured
SAMPLED_SHARDS = 8
SAMPLED_ENTRIES = 64
COLD_CANDIDATES = 16
PREPARED_SHARE = 0.8  # of the limit: from here on eviction is prepared
DROPS_MAX = 64_000  # entries per check: about 5 ms


def value_bytes(value: Value | None) -> int:
    """Memory that a cached value takes, in bytes."""
    return value.memory_bytes() if isinstance(value, Entry) else getsizeof(value)


def entry_bytes(key: bytes, value: Value | None) -> int:
    """Memory that a cached key and its value take, its place in the dict aside."""
    return getsizeof(key) + value_bytes(value)


class MeteredReader:
    """The backend, as expanded collections read it: what comes into memory is noted."""

    def __init__(self, backend: Backend, memory: MemoryBudget) -> None:
        self._backend = backend
        self._memory = memory

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        found = self._backend.get(key)
        if found is not None:
            self._memory.loaded(len(found) + ENTRY_OVERHEAD_BYTES)
        return found

    def scan(
        self,
        start: bytes,
        stop: bytes,
        *,
        limit: int,
        bytes_max: int = SCAN_BYTES_MAX,
        reverse: bool = False,
    ) -> list[Record]:
        """See :class:`storage.backends.base.Reader`."""
        return self._backend.scan(start, stop, limit=limit, bytes_max=bytes_max, reverse=reverse)


class MemoryBudget:
    """Estimates and limits what a keyspace holds in memory; ``limit_bytes`` 0 means no limit."""

    def __init__(self, keyspace: Keyspace, limit_bytes: int, rng: random.Random) -> None:
        self.keyspace = keyspace
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.peak_bytes = 0
        self.dropped = 0
        self._rng = rng
        self._mean = 200.0  # of an entry; the first sample replaces it
        self._sampled = False
        self.pinned_bytes = 0  # what is kept for the next checkpoint, values not counted
        self.counts_cold = False  # an eviction policy: the limit is for all data, loaded or not
        self._loaded = 0
        self._large: dict[tuple[int, int], set[bytes]] = {}  # keys by space and shard
        self._hand = 0
        self._prepared = False

    def loaded(self, size: int) -> None:
        """Note that ``size`` bytes came into memory outside the hot path."""
        self._loaded += size

    def large(self, space: int, key: bytes, added: int) -> None:
        """Note an entry above LARGE_ENTRY_BYTES, to be counted by itself; ``added`` bytes of it are new."""
        self._large.setdefault((space, shard_number(key)), set()).add(key)
        self._loaded += added

    @property
    def loaded_bytes(self) -> int:
        """What came into memory since the last estimate."""
        return self._loaded

    def estimate(self) -> int:
        """Bytes that keys and values take in memory, from counts and samples."""
        entries = pinned = 0
        for db in self.keyspace.open_databases():
            for shard in db.shards:
                entries += len(shard.young) + len(shard.old)
                pinned += len(shard.dirty) + len(shard.frozen)
            self._sample(db)
        if self.counts_cold:
            keyspace = self.keyspace
            total = sum(keyspace.counts(index)[0] for index in range(keyspace.database_count))
            entries = max(entries, total)
        self._loaded = 0
        cached_large, pinned_large = self._large_bytes()
        self.pinned_bytes = pinned * ENTRY_OVERHEAD_BYTES + pinned_large
        self.used_bytes = int(entries * self._mean) + cached_large + self.pinned_bytes
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        return self.used_bytes

    def _sample(self, db: Database) -> None:
        total = count = 0
        for _ in range(SAMPLED_SHARDS):
            shard = db.shards[self._rng.randrange(SHARD_COUNT)]
            for key, value in islice(chain(shard.young.items(), shard.old.items()), SAMPLED_ENTRIES):
                size = entry_bytes(key, value)
                if size <= LARGE_ENTRY_BYTES:
                    total += size + ENTRY_OVERHEAD_BYTES
                    count += 1
        if count:
            weight = min(0.3, count / 256) if self._sampled else 1.0
            self._sampled = True
            self._mean += (total / count - self._mean) * weight

    def _large_bytes(self) -> tuple[int, int]:
        """Bytes of the large entries in the cache, and of those only kept for the next checkpoint."""
        cached = pinned = 0
        for part, keys in list(self._large.items()):
            space, number = part
            db = self.keyspace.database_of_space(space)
            if db is None:
                del self._large[part]
                continue
            shard = db.shards[number]
            for key in list(keys):
                value = db.peek_cached(key)
                if value is not None:
                    cached += entry_bytes(key, value)
                    continue
                value = shard.dirty.get(key) or shard.frozen.get(key)
                if value is not None:
                    pinned += entry_bytes(key, value)
                else:
                    keys.discard(key)
            if not keys:
                del self._large[part]
        return cached, pinned

    def _large_in(self, db: Database, number: int) -> int:
        """Bytes of the large entries that leave memory with the old generation of a shard."""
        shard = db.shards[number]
        keys = self._large.get((db.space, number), ())
        return sum(entry_bytes(key, shard.old[key]) for key in keys if key in shard.old)

    def _unused_collections(self, db: Database, number: int) -> list[Expanded]:
        """The clean expanded collections in the old generation of a shard."""
        shard = db.shards[number]
        keys = self._large.get((db.space, number), ())
        found = (shard.old.get(key) for key in keys if key not in shard.dirty and key not in shard.frozen)
        return [value for value in found if isinstance(value, Expanded)]

    # -- giving memory back ----------------------------------------------------------------------------------

    def shrink(self) -> None:
        """Rotate shards until the estimate is under the limit, or DROPS_MAX entries have left memory.

        Going round twice drops whatever can be dropped; what is dirty stays until it is checkpointed.
        """
        if not self.limit_bytes or self.estimate() <= self.limit_bytes:
            return
        surplus = self.used_bytes - self.limit_bytes * 0.97
        surplus -= self._shrink_collections(surplus / self.used_bytes)
        databases = list(self.keyspace.open_databases())
        dropped_before = self.dropped
        for _ in range(2 * SHARD_COUNT * len(databases)):
            self._hand += 1
            turn, which = divmod(self._hand, len(databases))
            db, number = databases[which], turn % SHARD_COUNT
            shard = db.shards[number]
            if shard.old:
                db.complete = False
                self.dropped += len(shard.old)
                surplus -= len(shard.old) * self._mean + self._large_in(db, number)
                self.keyspace.remains += self._unused_collections(db, number)
            shard.old = shard.young
            shard.young = {}
            if surplus <= 0 or self.dropped - dropped_before >= DROPS_MAX:
                return

    def _shrink_collections(self, share: float) -> float:
        """Let every expanded collection give up this share of what it takes; about how many bytes it was."""
        freed = 0.0
        for (space, number), keys in self._large.items():
            db = self.keyspace.database_of_space(space)
            if db is None:
                continue
            shard = db.shards[number]
            for key in keys:
                found = db.peek_cached(key) or shard.dirty.get(key) or shard.frozen.get(key)
                if isinstance(found, Expanded):
                    size = found.memory_bytes()
                    cached = sum(store.cached for store in found.stores)
                    wanted = min(int(cached * share) + 1, DROPS_MAX)
                    dropped = found.drop_unused(wanted) if cached else 0
                    self.dropped += dropped
                    freed += dropped * size / max(cached, 1)
        return freed

    def over_limit(self) -> bool:
        """Whether the last estimate was above the limit; what only a checkpoint can free does not count."""
        return 0 < self.limit_bytes < self.used_bytes - self.pinned_bytes

    def evict(self, policy: str, samples: int) -> bool:
        """Delete one key by ``policy`` (the name of a ``maxmemory-policy``); False if no key qualifies.

        LRU and LFU take what nobody has used since its shard was rotated, half a round of the hand ago.
        """
        scope, _, order = policy.partition("-")
        volatile = scope == "volatile"
        keyspace = self.keyspace
        filled = [index for index in range(keyspace.database_count) if keyspace.counts(index)[0]]
        databases = [keyspace.database(index) for index in filled]
        if volatile:
            databases = [db for db in databases if db.expires]
        for db in self._rng.sample(databases, len(databases)):
            victim = self._cold_victim(db, volatile) if not db.complete else None
            if victim is None and order in ("ttl", "random"):
                victim = self._sampled_victim(db, volatile, order, samples)
            if victim is not None:
                self._evict(db, victim)
                return True
        if order in ("lru", "lfu"):
            for _ in range(SHARD_COUNT + SHARD_COUNT // 2):
                if self._evict_unused(databases, volatile):
                    return True
                self._advance(databases)
        return False

    def _evict(self, db: Database, key: bytes) -> None:
        size = entry_bytes(key, db.peek_cached(key))
        self.used_bytes -= size if size > LARGE_ENTRY_BYTES else int(self._mean)
        self.keyspace.evict(db, key)

    def _evict_unused(self, databases: list[Database], volatile: bool) -> bool:
        """Delete the first key at the hand that was not used since the rotation of its shard."""
        for db in databases:
            shard = db.shards[self._hand % SHARD_COUNT]
            for key, value in shard.old.items():
                if key not in shard.young and (not volatile or _expires(value)):
                    self._evict(db, key)
                    return True
        return False

    def _advance(self, databases: list[Database]) -> None:
        """Move the hand; the shard half a round ahead is rotated: its keys get that time to be used."""
        self._hand += 1
        for db in databases:
            _rotate(db.shards[(self._hand + SHARD_COUNT // 2) % SHARD_COUNT])

    def prepare_eviction(self) -> None:
        """Rotate the first half round before the limit is reached, so that no key goes without a chance."""
        if not self._prepared and self.used_bytes > self.limit_bytes * PREPARED_SHARE:
            self._prepared = True
            for db in self.keyspace.open_databases():
                for ahead in range(SHARD_COUNT // 2 + 1):
                    _rotate(db.shards[(self._hand + ahead) % SHARD_COUNT])

    def _cold_victim(self, db: Database, volatile: bool) -> bytes | None:
        """A key that is not in memory, so nobody has used it lately; None if a look finds none."""
        _, found = walk(db, self._rng.randrange(PLACE_END), COLD_CANDIDATES)
        cold = [
            seen.key for seen in found if (seen.expires_ms or not volatile) and not db.is_cached(seen.key)
        ]
        return self._rng.choice(cold) if cold else None

    def _sampled_victim(self, db: Database, volatile: bool, order: str, samples: int) -> bytes | None:
        """The best of some keys of a random shard: the one that expires first, or any."""
        first = self._rng.randrange(SHARD_COUNT)
        for step in range(SHARD_COUNT):
            shard = db.shards[(first + step) % SHARD_COUNT]
            fitting = (
                (key, value)
                for key, value in chain(shard.old.items(), shard.young.items())
                if not volatile or _expires(shard.young.get(key, value))
            )
            found = list(islice(fitting, samples))
            if found:
                if order == "ttl":
                    return min(found, key=lambda pair: _expires(shard.young.get(pair[0], pair[1])))[0]
                return self._rng.choice(found)[0]
        return None


def _rotate(shard: Shard) -> None:
    """Everything of the shard counts as unused from now on; nothing leaves memory."""
    if shard.old:
        shard.old.update(shard.young)
        shard.young = {}
    else:
        shard.old, shard.young = shard.young, shard.old


def _expires(value: Value) -> int:
    return 0 if type(value) is bytes else value.expires_ms  # type: ignore[union-attr]
