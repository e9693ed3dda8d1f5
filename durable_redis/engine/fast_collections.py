"""The hot path for collections: one element put, looked up or taken, of a collection that is in memory.

The handlers are of the kind that ``fast.py`` describes.  A writing one takes over when the collection has
changed since the last checkpoint began: the first change goes the ordinary way, which lets a running
checkpoint have the old state and marks the collection as changed.  So finding it among the dirty values is
all that has to be checked.  What expires, what becomes large or empty, and what is new goes the ordinary way
too.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Any, Final

from durable_redis.commands.session import FastHandler
from durable_redis.keyspace.database import Database
from durable_redis.objects.collection import Collection
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_expanded import ExpandedHash
from durable_redis.objects.list import List
from durable_redis.objects.list_expanded import ExpandedList
from durable_redis.objects.set import Set
from durable_redis.objects.set_expanded import ExpandedSet
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.sorted_set_expanded import ExpandedSortedSet

DECLINED: Final = 0
READ: Final = 1
WROTE: Final = 2

_ZERO = b":0\r\n"
_ONE = b":1\r\n"
_EXACT_DIGITS_MAX = 15  # such a score is exact as a double


def _writable(db: Database, key: bytes) -> Any:
    """The collection of a key if it may be changed here and now; else None."""
    if 123 in key:
        return None
    shard = db.by_crc[crc_hqx(key, 0) >> 4]
    found = shard.dirty.get(key)
    if found is None or type(found) is bytes or found.expires_ms:  # type: ignore[union-attr]
        return None
    return found if shard.young.get(key) is found else None


def make_push(side: str) -> FastHandler:
    """LPUSH or RPUSH of one element."""

    def push(db: Database, argv: list[bytes], out: list[bytes]) -> int:
        if len(argv) != 3:
            return DECLINED
        _, key, value = argv
        found = _writable(db, key)
        if type(value) is not bytes:
            return DECLINED
        if type(found) is ExpandedList:
            size = found.tree.count
        elif type(found) is List and _stays_small(db, found, len(value)):
            size = len(found.elements)
        else:
            return DECLINED
        getattr(found, side)((value,))
        out.append(b":%d\r\n" % (size + 1))
        return WROTE

    return push


def make_pop(side: str) -> FastHandler:
    """LPOP or RPOP of one element that is not the last one."""

    def pop(db: Database, argv: list[bytes], out: list[bytes]) -> int:
        if len(argv) != 2:
            return DECLINED
        found = _writable(db, argv[1])
        if type(found) is ExpandedList:
            size = found.tree.count
        elif type(found) is List:
            size = len(found.elements)
        else:
            return DECLINED
        if size < 2:
            return DECLINED
        value = getattr(found, side)()
        out.append(b"$%d\r\n%b\r\n" % (len(value), value))
        return WROTE

    return pop


def hset(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """HSET of one field."""
    if len(argv) != 4:
        return DECLINED
    _, key, field, value = argv
    if type(field) is not bytes or type(value) is not bytes:
        return DECLINED
    found = _writable(db, key)
    if type(found) is ExpandedHash or (
        type(found) is Hash and _stays_small(db, found, len(field) + len(value))
    ):
        out.append(_ONE if found.set(field, value, db.keyspace.limits) else _ZERO)
        return WROTE
    return DECLINED


def hget(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """HGET of a field that there is."""
    if len(argv) != 3:
        return DECLINED
    key = argv[1]
    if 123 in key:
        return DECLINED
    found = db.by_crc[crc_hqx(key, 0) >> 4].young.get(key)
    if not isinstance(found, Hash) or found.expires_ms or found.timed:
        return DECLINED
    value = found.get(argv[2])
    if value is None:
        return DECLINED
    out.append(b"$%d\r\n%b\r\n" % (len(value), value))
    return READ


def sadd(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """SADD of one member."""
    if len(argv) != 3:
        return DECLINED
    _, key, member = argv
    if type(member) is not bytes:
        return DECLINED
    found = _writable(db, key)
    if type(found) is ExpandedSet or (type(found) is Set and _stays_small(db, found, len(member))):
        if found.add(member, db.keyspace.limits):
            out.append(_ONE)
            return WROTE
        out.append(_ZERO)
        return READ
    return DECLINED


def zadd(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """ZADD of one member with an integer for a score."""
    if len(argv) != 4:
        return DECLINED
    _, key, raw, member = argv
    if type(member) is not bytes or type(raw) is not bytes:
        return DECLINED
    if not raw.isdigit() or len(raw) > _EXACT_DIGITS_MAX:
        return DECLINED
    found = _writable(db, key)
    if type(found) is ExpandedSortedSet or (
        type(found) is SortedSet and _stays_small(db, found, len(member))
    ):
        score = float(raw)
        old = found.score(member)
        if old == score:
            out.append(_ZERO)
            return READ
        found.set(member, score, db.keyspace.limits)
        out.append(_ONE if old is None else _ZERO)
        return WROTE
    return DECLINED


def _stays_small(db: Database, found: Collection, added: int) -> bool:
    """Whether a compact collection stays one with an element of ``added`` bytes more."""
    limits = db.keyspace.limits
    return len(found) < limits.compact_entries and found.payload_bytes + added <= limits.compact_bytes


COLLECTION_HANDLERS: Final[dict[str, FastHandler]] = {
    "LPUSH": make_push("push_left"),
    "RPUSH": make_push("push_right"),
    "LPOP": make_pop("pop_left"),
    "RPOP": make_pop("pop_right"),
    "HGET": hget,
    "HSET": hset,
    "SADD": sadd,
    "ZADD": zadd,
}
COLLECTION_WRITES: Final = frozenset(COLLECTION_HANDLERS) - {"HGET"}
