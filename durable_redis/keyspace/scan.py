"""Walking all keys of a database in order of place: SCAN, KEYS, RANDOMKEY, digests.

The order is the backend's; what changed since the last checkpoint overrides it shard by shard.  A cursor is
a place, so it holds no state, and a key that is there from the first call to the last is seen whatever
happens to other keys, over checkpoints and restarts (https://redis.io/docs/latest/commands/scan/, "Scan
guarantees").
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from durable_redis.keyspace.shard import SHARD_COUNT, SHARD_PLACE_BITS, Shard
from durable_redis.objects.entry import Value, expires_of, kind_of
from storage.records import PLACE_END, TAG_EXPIRES, TYPE_MASK, key_range, parse_key_record_key

if TYPE_CHECKING:
    from durable_redis.keyspace.database import Database

_ABSENT = object()


@dataclass(slots=True)
class Seen:
    """A key as the walk meets it; ``expires_ms`` 0 means never."""

    place: int
    key: bytes
    kind: int
    expires_ms: int


def walk(db: Database, cursor: int, count: int) -> tuple[int, list[Seen]]:
    """At least ``count`` keys from ``cursor`` on (fewer at the end), and the next cursor, 0 at the end.

    Keys of one place are never torn apart.  Expired keys are removed as they are met, as SCAN does in Redis,
    so a step may give fewer.
    """
    following, met = _step(db, cursor, count)
    now_ms = db.keyspace.now_ms
    found = [seen for seen in met if not 0 < seen.expires_ms <= now_ms]
    if len(found) < len(met):
        for seen in met:
            if 0 < seen.expires_ms <= now_ms:
                db.read(seen.key)
    return following, found


def look(db: Database, cursor: int, count: int) -> list[Seen]:
    """The same keys with the expired ones among them; nothing is removed."""
    return _step(db, cursor, count)[1]


def _step(db: Database, cursor: int, count: int) -> tuple[int, list[Seen]]:
    """The same with the expired keys."""
    found: list[Seen] = []
    visited = 0
    while cursor < PLACE_END:
        records, covered = _backend_step(db, cursor, count - visited)
        last = -1
        for place, seen in _merge(db, cursor, covered, records):
            if visited >= count and place != last:
                return place, found
            last = place
            visited += 1
            if seen is not None:
                found.append(seen)
        cursor = covered
        if visited >= count and cursor < PLACE_END:
            return cursor, found
    return 0, found


def _backend_step(db: Database, cursor: int, count: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """Records from ``cursor`` on and the place up to which they are all there is."""
    if db.keyspace.state.position == 0:
        return [], PLACE_END
    first, end = key_range(db.space, cursor, PLACE_END)
    limit = max(count, 8) + 1
    records = db.keyspace.backend.scan(first, end, limit=limit)
    if not records:
        return [], PLACE_END
    if len(records) > 1:
        last_place = parse_key_record_key(records[-1][0])[1]
        if parse_key_record_key(records[-2][0])[1] != last_place:
            return records[:-1], last_place
    beyond = db.keyspace.backend.scan(records[-1][0] + b"\0", end, limit=1)
    if not beyond:
        return records, PLACE_END
    _, place, _ = parse_key_record_key(records[-1][0])
    following = parse_key_record_key(beyond[0][0])[1]
    while following == place:  # finish the place: its keys must leave together
        records += beyond
        beyond = db.keyspace.backend.scan(records[-1][0] + b"\0", end, limit=1)
        following = parse_key_record_key(beyond[0][0])[1] if beyond else PLACE_END
    return records, place + 1


def _merge(
    db: Database, cursor: int, covered: int, records: list[tuple[bytes, bytes]]
) -> Iterator[tuple[int, Seen | None]]:
    """Records and overriding entries with cursor <= place < covered, in order.

    None for a key that is gone.
    """
    overlay = _overlay(db, cursor, covered)
    waiting = next(overlay, None)
    for raw, record in records:
        _, place, key = parse_key_record_key(raw)
        while waiting is not None and (waiting[0], waiting[1]) < (place, key):
            yield waiting[0], waiting[2]
            waiting = next(overlay, None)
        if waiting is not None and waiting[0] == place and waiting[1] == key:
            yield place, waiting[2]
            waiting = next(overlay, None)
        else:
            tag = record[4]
            expires_ms = int.from_bytes(record[5:13], "little") if tag & TAG_EXPIRES else 0
            yield place, Seen(place, key, tag & TYPE_MASK, expires_ms)
    while waiting is not None:
        yield waiting[0], waiting[2]
        waiting = next(overlay, None)


def _overlay(db: Database, cursor: int, covered: int) -> Iterator[tuple[int, bytes, Seen | None]]:
    for number in range(cursor >> SHARD_PLACE_BITS, min(SHARD_COUNT, (covered >> SHARD_PLACE_BITS) + 1)):
        shard = db.shards[number]
        if not shard.dirty and not shard.frozen:
            continue
        order = shard.overlay_order()
        for place, key in islice(order, bisect_left(order, (cursor, b"")), None):
            if place >= covered:
                return
            value = _override(shard, key)
            yield (
                place,
                key,
                (Seen(place, key, kind_of(value), expires_of(value)) if value is not None else None),
            )


def _override(shard: Shard, key: bytes) -> Value | None:
    value: object = shard.dirty.get(key, _ABSENT)
    return shard.frozen[key] if value is _ABSENT else value  # type: ignore[return-value]


def walk_all(db: Database, step: int = 512) -> Iterator[Seen]:
    """Every living key of the database, in order; the database must not be changed meanwhile.

    Expired keys are passed over and stay where they are, as with KEYS in Redis.
    """
    cursor = 0
    while True:
        cursor, met = _step(db, cursor, step)
        now_ms = db.keyspace.now_ms
        yield from (seen for seen in met if not 0 < seen.expires_ms <= now_ms)
        if cursor == 0:
            return


def random_key(db: Database) -> bytes | None:
    """A key chosen by a random place; cached and cold keys are equally likely.

    None if there is none alive.
    """
    if db.size == 0:
        return None
    for _ in range(100):
        start = db.keyspace.rng.randrange(PLACE_END)
        for cursor in (start, 0):
            _, found = walk(db, cursor, 16)
            if found:
                return db.keyspace.rng.choice(found).key
    return next((seen.key for seen in walk_all(db)), None)
