"""Effects: the only way in which data changes (``storage/FORMAT.md``, section Effects).

An effect is a canonical Redis command: deterministic, absolute in time, already validated.  :data:`EFFECTS`
maps its name to the function that applies it; a command applies effects, replay applies the same ones from
the log.  The result, if any, is the command's reply.  An effect never fails: what could fail was checked by
the command that decided it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_redis.keyspace.database import Database
from durable_redis.keyspace.effects_collections import COLLECTION_EFFECTS
from durable_redis.keyspace.effects_streams import STREAM_EFFECTS
from durable_redis.keyspace.memory import value_bytes
from durable_redis.objects.codec import expand
from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Entry
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.hash_timed import HasDeadlines
from durable_redis.objects.string import String, string_data

if TYPE_CHECKING:
    from durable_redis.keyspace.keyspace import Keyspace

Effect = Sequence[bytes]
SILENT = b"-"  # in place of the name of an event: there is none
Apply = Callable[["Keyspace", Database, Effect], Any]


def set_string(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``SET key value [PXAT ms | KEEPTTL]``."""
    key, value = effect[1], effect[2]
    if len(effect) == 3:
        db.put(key, value)
    elif effect[3] == b"PXAT":
        db.put(key, String(value, int(effect[4])))
    else:
        old = db.find(key)
        expires_ms = old.expires_ms if isinstance(old, Entry) else 0
        db.put(key, String(value, expires_ms) if expires_ms else value)


def set_many(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``MSET key value [key value …]``."""
    for at in range(1, len(effect), 2):
        db.put(effect[at], effect[at + 1])


def append(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``APPEND key value``; the new length."""
    if db.find(effect[1]) is None:
        db.put(effect[1], effect[2])
        return len(effect[2])
    data = _buffer(db, effect[1])
    data += effect[2]
    db.grown(effect[1], len(data), 0)
    return len(data)


def set_range(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``SETRANGE key offset value``; the new length."""
    key, offset, value = effect[1], int(effect[2]), effect[3]
    if db.find(key) is None:
        db.put(key, String(bytearray()))
    data = _buffer(db, key)
    _lengthen(db, key, data, offset + len(value))
    data[offset : offset + len(value)] = value
    return len(data)


def set_bit(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``SETBIT key offset 0|1``; the bit that was there."""
    key, (at, bit) = effect[1], divmod(int(effect[2]), 8)
    if db.find(key) is None:
        db.put(key, String(bytearray()))
    data = _buffer(db, key)
    _lengthen(db, key, data, at + 1)
    mask = 0x80 >> bit
    before = 1 if data[at] & mask else 0
    data[at] = data[at] | mask if effect[3] == b"1" else data[at] & ~mask
    return before


def _buffer(db: Database, key: bytes) -> bytearray:
    """The content of an existing string, to be changed in place."""
    entry = db.mutable(key)
    assert isinstance(entry, String)
    assert isinstance(entry.data, bytearray)
    return entry.data


def _lengthen(db: Database, key: bytes, data: bytearray, size: int) -> None:
    """Fill up with zero bytes to at least ``size`` bytes."""
    missing = size - len(data)
    if missing > 0:
        data.extend(bytes(missing))
        db.grown(key, size, missing)


def _add(db: Database, key: bytes, delta: int) -> int:
    old = db.find(key)
    total = (int(string_data(old)) if old is not None else 0) + delta
    data = b"%d" % total
    expires_ms = old.expires_ms if isinstance(old, Entry) else 0
    db.put(key, String(data, expires_ms) if expires_ms else data)
    return total


def increment(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``INCR key``; the new number."""
    return _add(db, effect[1], 1)


def decrement(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``DECR key``; the new number."""
    return _add(db, effect[1], -1)


def increment_by(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``INCRBY key delta``; the new number."""
    return _add(db, effect[1], int(effect[2]))


def decrement_by(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``DECRBY key delta``; the new number."""
    return _add(db, effect[1], -int(effect[2]))


def delete(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``DEL key [key …]``; how many there were."""
    return sum(db.delete(key) for key in effect[1:])


def unlink(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``UNLINK key [key …]``: DEL, but a replay that knows the counts looks at what is there.

    It stands in the log for expanded collections, whose elements have to be left to the sweep.
    """
    for key in effect[1:]:
        db.find(key)
    return delete(keyspace, db, effect)


def expire_at(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``PEXPIREAT key ms``."""
    db.set_expiry(effect[1], int(effect[2]))


def persist(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``PERSIST key``."""
    db.set_expiry(effect[1], 0)


def rename(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``RENAME key new-key``; expiry goes along, what was at the new key is gone."""
    source, target = effect[1], effect[2]
    if source != target:
        value = db.find(source)
        assert value is not None
        db.settle(source)
        db.delete(source, moved=True)
        db.put(target, _moved(value))


def move(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``MOVE key db``."""
    value = db.find(effect[1])
    assert value is not None
    db.settle(effect[1])
    db.delete(effect[1], moved=True)
    target = keyspace.database(int(effect[2]))
    target.put(effect[1], _moved(value))
    if isinstance(value, Expanded):
        keyspace.collection_moved(value, target.space)


def copy(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``COPY source target DB n REPLACE``."""
    value = db.find(effect[1])
    assert value is not None
    target = keyspace.database(int(effect[4]))
    target.put(effect[2], _copied(keyspace, value))
    size = value_bytes(value)
    target.grown(effect[2], size, size)


def _moved(value: bytes | Entry) -> bytes | Entry:
    """The value under its new name: no index entry in the backend belongs to it there."""
    if type(value) is bytes:
        return value
    if type(value) is String:
        return String(value.data, value.expires_ms, 0, value.encoding)
    assert isinstance(value, Collection)
    value.disk_expires_ms = 0
    return value  # what the index has for a hash's fields was given up when it left its old key


def _copied(keyspace: Keyspace, value: bytes | Entry) -> bytes | Entry:
    if type(value) is bytes:
        return value
    if isinstance(value, Collection):
        made = expand(value, keyspace.reader, keyspace.new_collection) if value.expanded else value.copy()
        made.disk_expires_ms = 0
        if isinstance(made, HasDeadlines):
            made.note_index(0)
        return made
    assert type(value) is String
    data = value.data if type(value.data) is bytes else bytearray(value.data)
    return String(data, value.expires_ms, 0, value.encoding)


def swap_databases(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``SWAPDB n m``."""
    keyspace.swap(int(effect[1]), int(effect[2]))


def flush_database(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``FLUSHDB [SYNC | ASYNC]``: a new space; the sweep removes the old one."""
    keyspace.flush(db)


def flush_all(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``FLUSHALL [SYNC | ASYNC]``."""
    keyspace.flush_all()


def change_libraries(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``FUNCTION LOAD REPLACE source``, ``FUNCTION DELETE name``, ``FUNCTION FLUSH``."""
    keyspace.libraries.apply(effect)


def keys_of(effect: Effect) -> Sequence[bytes] | None:
    """The keys that an effect may have changed, whatever database they are in; None for all there are."""
    match effect[0]:
        case b"DEL" | b"UNLINK":
            return effect[1:]
        case b"MSET":
            return effect[1::2]
        case b"RENAME" | b"COPY" | b"LMOVE":
            return effect[1:3]
        case b"XGROUP":
            return effect[2:3]
        case b"SWAPDB" | b"FLUSHDB" | b"FLUSHALL":
            return None
        case b"FUNCTION":
            return ()
    return effect[1:2]


def places_of(db: int, effect: Effect) -> list[tuple[int, bytes]] | None:
    """The databases and keys that an effect of database ``db`` has changed; None for all there are."""
    keys = keys_of(effect)
    if keys is None:
        return None
    if effect[0] == b"COPY":
        return [(int(effect[4]), effect[2])]
    places = [(db, key) for key in keys]
    if effect[0] == b"MOVE":
        places.append((int(effect[2]), effect[1]))
    return places


def changes_values(effect: Effect) -> bool:
    """Whether an effect changes what keys hold, not just what a stream's groups know of it."""
    return effect[0] not in _LEAVE_THE_VALUE or b"MKSTREAM" in effect


_LEAVE_THE_VALUE = frozenset((b"XACK", b"XCLAIM", b"XGROUP", b"XSETID"))

MANY_DATABASES = frozenset(
    (b"MOVE", b"COPY", b"SWAPDB", b"FLUSHALL")
)  # may change another than the selected one

EFFECTS: dict[bytes, Apply] = {
    b"SET": set_string,
    b"MSET": set_many,
    b"APPEND": append,
    b"SETRANGE": set_range,
    b"SETBIT": set_bit,
    b"INCR": increment,
    b"DECR": decrement,
    b"INCRBY": increment_by,
    b"DECRBY": decrement_by,
    b"DEL": delete,
    b"UNLINK": unlink,
    b"PEXPIREAT": expire_at,
    b"PERSIST": persist,
    b"RENAME": rename,
    b"MOVE": move,
    b"COPY": copy,
    b"SWAPDB": swap_databases,
    b"FLUSHDB": flush_database,
    b"FLUSHALL": flush_all,
    b"FUNCTION": change_libraries,
    **COLLECTION_EFFECTS,
    **STREAM_EFFECTS,
}
