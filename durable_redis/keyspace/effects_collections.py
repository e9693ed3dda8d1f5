"""Effects on hashes, lists, sets and sorted sets (``storage/FORMAT.md``, section Effects).

Each makes the key if there is none, and deletes it when the last element is gone.  They return what the
command of the same name answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_redis.keyspace.database import Database
from durable_redis.objects.hash import Hash
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet

if TYPE_CHECKING:
    from durable_redis.keyspace.keyspace import Keyspace

Effect = Sequence[bytes]


def hash_set(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``HSET key field value [field value …]``; how many fields are new."""
    found = db.collection(effect[1], Hash)
    limits = keyspace.limits
    new = 0
    for at in range(2, len(effect), 2):
        new += found.set(effect[at], effect[at + 1], limits)
    db.collection_changed(effect[1], found)
    return new


def hash_delete(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``HDEL key field [field …]``; how many there were."""
    found = db.collection(effect[1], Hash)
    gone = sum(map(found.delete, effect[2:]))
    db.collection_changed(effect[1], found)
    return gone


def hash_expire(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``HPEXPIREAT key ms FIELDS n field [field …]``: fields that there are go at a time."""
    found = db.timed_hash(effect[1])
    deadline_ms = int(effect[2])
    for field in effect[5:]:
        found.set_deadline(field, deadline_ms)
    if found.next_ms == deadline_ms:
        keyspace.expiry.add(deadline_ms, db.space, effect[1])
    db.collection_changed(effect[1], found)


def hash_persist(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``HPERSIST key FIELDS n field [field …]``: fields with a deadline stay."""
    found = db.timed_hash(effect[1])
    for field in effect[4:]:
        found.set_deadline(field, 0)
    db.collection_changed(effect[1], found)


def set_add(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``SADD key member [member …]``; how many are new."""
    found = db.collection(effect[1], Set)
    limits = keyspace.limits
    new = 0
    for member in effect[2:]:
        new += found.add(member, limits)
    db.collection_changed(effect[1], found)
    return new


def set_remove(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``SREM key member [member …]``; how many there were."""
    found = db.collection(effect[1], Set)
    gone = sum(map(found.remove, effect[2:]))
    db.collection_changed(effect[1], found)
    return gone


def sorted_set_add(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``ZADD key score member [score member …]``; how many are new.  A score has 17 digits, or is ``inf``."""
    found = db.collection(effect[1], SortedSet)
    limits = keyspace.limits
    new = 0
    for at in range(2, len(effect), 2):
        new += found.set(effect[at + 1], float(effect[at]), limits)
    db.collection_changed(effect[1], found)
    return new


def sorted_set_remove(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``ZREM key member [member …]``; how many there were."""
    found = db.collection(effect[1], SortedSet)
    gone = sum(map(found.remove, effect[2:]))
    db.collection_changed(effect[1], found)
    return gone


def push_left(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``LPUSH key element [element …]``; the new length."""
    found = db.collection(effect[1], List)
    found.push_left(effect[2:])
    db.collection_changed(effect[1], found)
    return len(found)


def push_right(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``RPUSH key element [element …]``; the new length."""
    found = db.collection(effect[1], List)
    found.push_right(effect[2:])
    db.collection_changed(effect[1], found)
    return len(found)


def pop_left(keyspace: Keyspace, db: Database, effect: Effect) -> list[bytes]:
    """``LPOP key [count]``; the elements, at most as many as there are."""
    found = db.collection(effect[1], List)
    count = min(int(effect[2]), len(found)) if len(effect) > 2 else 1
    popped = [found.pop_left() for _ in range(count)]
    db.collection_changed(effect[1], found)
    return popped


def pop_right(keyspace: Keyspace, db: Database, effect: Effect) -> list[bytes]:
    """``RPOP key [count]``; the elements from the end on, at most as many as there are."""
    found = db.collection(effect[1], List)
    count = min(int(effect[2]), len(found)) if len(effect) > 2 else 1
    popped = [found.pop_right() for _ in range(count)]
    db.collection_changed(effect[1], found)
    return popped


def list_set(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``LSET key index element``; the index is within the list and not negative."""
    found = db.collection(effect[1], List)
    found.set(int(effect[2]), effect[3])
    db.collection_changed(effect[1], found)


def list_insert(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``LINSERT key BEFORE|AFTER pivot element``, with a pivot that is there; the new length."""
    found = db.collection(effect[1], List)
    index = next(at for at, element in enumerate(found.slice(0, len(found))) if element == effect[3])
    found.insert(index + (effect[2] == b"AFTER"), effect[4])
    db.collection_changed(effect[1], found)
    return len(found)


def list_remove(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``LREM key count element``; how many are gone.  From the end on if count is negative, 0 takes all."""
    found = db.collection(effect[1], List)
    count, size = int(effect[2]), len(found)
    most = abs(count) or size
    indexes = []
    for at, element in enumerate(found.slice(0, size, reverse=count < 0)):
        if element == effect[3]:
            indexes.append(size - 1 - at if count < 0 else at)
            if len(indexes) == most:
                break
    for index in sorted(indexes, reverse=True):
        found.delete(index)
    db.collection_changed(effect[1], found)
    return len(indexes)


def list_trim(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``LTRIM key start stop``: keep 0 <= start <= index <= stop < len; nothing if stop < start."""
    found = db.collection(effect[1], List)
    start, stop = int(effect[2]), int(effect[3])
    found.trim(*(start, stop + 1) if start <= stop else (0, 0))
    db.collection_changed(effect[1], found)


def list_move(keyspace: Keyspace, db: Database, effect: Effect) -> bytes:
    """``LMOVE source destination LEFT|RIGHT LEFT|RIGHT``; the element."""
    source = db.collection(effect[1], List)
    value = source.pop_left() if effect[3] == b"LEFT" else source.pop_right()
    if effect[1] == effect[2]:
        target = source
    else:
        db.collection_changed(effect[1], source)
        target = db.collection(effect[2], List)
    (target.push_left if effect[4] == b"LEFT" else target.push_right)((value,))
    db.collection_changed(effect[2], target)
    return value


COLLECTION_EFFECTS: dict[bytes, Callable[[Keyspace, Database, Effect], Any]] = {
    b"HSET": hash_set,
    b"HDEL": hash_delete,
    b"HPEXPIREAT": hash_expire,
    b"HPERSIST": hash_persist,
    b"SADD": set_add,
    b"SREM": set_remove,
    b"ZADD": sorted_set_add,
    b"ZREM": sorted_set_remove,
    b"LPUSH": push_left,
    b"RPUSH": push_right,
    b"LPOP": pop_left,
    b"RPOP": pop_right,
    b"LSET": list_set,
    b"LINSERT": list_insert,
    b"LREM": list_remove,
    b"LTRIM": list_trim,
    b"LMOVE": list_move,
}
