"""When keys expire: an index in the backend ordered by time, and a heap for what it does not know yet.

Every change of an expiry since the last checkpoint stands in ``heap``; the backend's index has the rest.
Both may hold times that no longer apply: a candidate is only a hint, the key itself decides.  So nothing is
searched and nothing is removed from the heap when an expiry changes, and a checkpoint empties it.

:func:`times_left` estimates for INFO how long keys have left.  A small index is read whole; else some keys
are looked at, in whole shards or from random places on: every key of a database must be as likely to be seen
as any other, and what a shard or the index has first is what expires first.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain
from typing import TYPE_CHECKING

from durable_redis.keyspace.scan import look
from durable_redis.keyspace.shard import SHARD_COUNT, shard_number
from durable_redis.objects.entry import expires_of
from storage.backends.base import SCAN_BYTES_MAX, Backend
from storage.errors import DamagedError
from storage.records import PLACE_END, expiry_range, parse_expiry_key

if TYPE_CHECKING:
    from durable_redis.keyspace.database import Database
    from durable_redis.keyspace.keyspace import Keyspace

NEVER_MS = 1 << 62
INDEX_ENTRIES_MAX = 1024  # so many are read one by one: about a millisecond
CACHED_KEYS_MAX = 16384  # looked at over all databases; the last shard is taken whole
COLD_KEYS_MAX = 1024
KEYS_PER_PLACE = 64  # keys with one hash tag lie side by side, so many places tell more than one
SAMPLES_WANTED = 1000


class ExpiryIndex:
    """Candidates for expiry in order of time, from memory and from the backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.heap: list[tuple[int, int, bytes]] = []
        self.frozen: list[tuple[int, int, bytes]] = []
        self._scan_from = b"X"  # index entries before this one have been handed out since the last checkpoint
        self._backend_due_ms = 0  # no entry of the backend is due before this

    def add(self, expires_ms: int, space: int, key: bytes) -> None:
        """Note that a key expires at a time."""
        heappush(self.heap, (expires_ms, space, key))

    def due(self, now_ms: int, limit: int) -> list[tuple[int, int, bytes]]:
        """Up to ``limit`` candidates (expires_ms, space, key) whose time has come.

        Each is handed out once.
        """
        found: list[tuple[int, int, bytes]] = []
        for heap in (self.frozen, self.heap):
            while heap and heap[0][0] <= now_ms and len(found) < limit:
                found.append(heappop(heap))
        if len(found) < limit and self._backend_due_ms <= now_ms:
            found.extend(self._due_in_backend(now_ms, limit - len(found)))
        return found

    def _due_in_backend(self, now_ms: int, limit: int) -> list[tuple[int, int, bytes]]:
        _, stop = expiry_range(NEVER_MS)
        found: list[tuple[int, int, bytes]] = []
        for raw, _ in self.backend.scan(self._scan_from, stop, limit=limit + 1):
            expires_ms, space, _, key = parse_expiry_key(raw)
            if expires_ms > now_ms:
                self._backend_due_ms = expires_ms
                return found
            if len(found) == limit:
                return found
            found.append((expires_ms, space, key))
            self._scan_from = raw + b"\0"
        self._backend_due_ms = NEVER_MS
        return found

    def is_due(self, now_ms: int) -> bool:
        """Whether a candidate's time may have come: False means that no key is past its time."""
        heaps = (self.heap, self.frozen)
        return self._backend_due_ms <= now_ms or any(heap and heap[0][0] <= now_ms for heap in heaps)

    def everything(self, limit: int) -> list[tuple[int, int, bytes]] | None:
        """All candidates (expires_ms, space, key), the backend's first; None if there are over ``limit``."""
        left = limit - len(self.heap) - len(self.frozen)
        if left < 0:
            return None
        records = self.backend.scan(self._scan_from, expiry_range(NEVER_MS)[1], limit=left + 1)
        if len(records) > left or sum(len(raw) for raw, _ in records) > SCAN_BYTES_MAX:
            return None
        found = []
        for raw, _ in records:
            expires_ms, space, _, key = parse_expiry_key(raw)
            found.append((expires_ms, space, key))
        return found + self.frozen + self.heap

    def freeze(self) -> None:
        """A checkpoint begins: what it will write into the backend's index is set aside."""
        assert not self.frozen
        self.frozen, self.heap = self.heap, []

    def committed(self) -> None:
        """The checkpoint is in the backend."""
        self.frozen.clear()
        self._scan_from = b"X"
        self._backend_due_ms = 0

    def rolled_back(self) -> None:
        """The checkpoint failed: everything in it is new again."""
        for candidate in self.frozen:
            heappush(self.heap, candidate)
        self.frozen.clear()


@dataclass(slots=True)
class TimesLeft:
    """What looking at keys that expire has shown; all times in milliseconds."""

    living: int = 0
    expired: int = 0
    left_sum_ms: int = 0

    def add(self, expires_ms: int, now_ms: int) -> None:
        """Count one key."""
        if expires_ms > now_ms:
            self.living += 1
            self.left_sum_ms += expires_ms - now_ms
        else:
            self.expired += 1

    @property
    def seen(self) -> int:
        """How many keys it was."""
        return self.living + self.expired

    @property
    def mean_ms(self) -> int:
        """The mean time that the living ones have left; 0 if there is none."""
        return self.left_sum_ms // self.living if self.living else 0


def times_left(keyspace: Keyspace) -> dict[int, TimesLeft]:
    """Of each database with keys that expire, by its number: how long they have left.

    Nothing is changed.  Empty if the disk is damaged: whoever needs what is there will say so.
    """
    try:
        return _times_left(keyspace)
    except DamagedError:
        return {}


def _times_left(keyspace: Keyspace) -> dict[int, TimesLeft]:
    counts = [keyspace.counts(index) for index in range(keyspace.database_count)]
    found = {index: TimesLeft() for index, (_, expires) in enumerate(counts) if expires}
    if not found:
        return found
    index_entries = keyspace.expiry.everything(INDEX_ENTRIES_MAX)
    if index_entries is not None:
        for (space, _), expires_ms in _current(keyspace, index_entries).items():
            db = keyspace.database_of_space(space)
            if db is not None and db.index in found:
                found[db.index].add(expires_ms, keyspace.now_ms)
        return found
    for index, times in found.items():
        db = keyspace.database(index)
        if db.complete:
            _look_at_cached(db, times, CACHED_KEYS_MAX // len(found))
        else:
            _look_at_places(db, times, COLD_KEYS_MAX // len(found))
    return found


def _current(keyspace: Keyspace, candidates: list[tuple[int, int, bytes]]) -> dict[tuple[int, bytes], int]:
    """The candidates that still tell when their key expires, by space and key."""
    current: dict[tuple[int, bytes], int] = {}
    for expires_ms, space, key in candidates:
        db = keyspace.database_of_space(space)
        if db is None:
            continue
        shard = db.shards[shard_number(key)]
        for changes in (shard.dirty, shard.frozen):
            if key in changes:
                value = changes[key]
                if value is not None and expires_of(value) == expires_ms:
                    current[space, key] = expires_ms
                break
        else:
            current[space, key] = expires_ms
    return current


def _look_at_cached(db: Database, times: TimesLeft, keys_max: int) -> None:
    """Whole shards from a random one on; every key of the database is in memory."""
    looked_at = 0
    now_ms = db.keyspace.now_ms
    first = db.keyspace.rng.randrange(SHARD_COUNT)
    for step in range(SHARD_COUNT):
        shard = db.shards[(first + step) % SHARD_COUNT]
        for value in chain(shard.young.values(), shard.old.values()):
            if type(value) is not bytes and (expires_ms := expires_of(value)):
                times.add(expires_ms, now_ms)
        looked_at += len(shard.young) + len(shard.old)
        if looked_at >= keys_max or times.seen >= SAMPLES_WANTED:
            return


def _look_at_places(db: Database, times: TimesLeft, keys_max: int) -> None:
    """Keys behind random places, wherever they are kept."""
    for _ in range(max(1, keys_max // KEYS_PER_PLACE)):
        for seen in look(db, db.keyspace.rng.randrange(PLACE_END), KEYS_PER_PLACE):
            if seen.expires_ms:
                times.add(seen.expires_ms, db.keyspace.now_ms)
