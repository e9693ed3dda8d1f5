"""Effects on streams and their groups (``storage/FORMAT.md``, section Effects).

Every time comes from the effect: a group's clock is what TIME says.  A consumer has last been seen at the
latest TIME of its deliveries; where nothing is delivered, ``XCLAIM key group consumer 0 0-0 TIME ms JUSTID``
says when it was (to Redis that is a claim of no entry).  A stream stays when its last entry goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from durable_redis.keyspace.database import Database
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_node import Id

if TYPE_CHECKING:
    from durable_redis.keyspace.keyspace import Keyspace

Effect = Sequence[bytes]


def _id(word: bytes) -> Id:
    ms, _, seq = word.partition(b"-")
    return int(ms), int(seq)


def _changed(db: Database, key: bytes, stream: Stream) -> None:
    """The last step of an effect: unlike other collections, an empty stream stays."""
    db.collection_grown(key, stream)


def add(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``XADD key id field value [field value …]``, with an ID above the last one."""
    stream = db.collection(effect[1], Stream)
    stream.add(_id(effect[2]), list(effect[3:]), keyspace.limits)
    _changed(db, effect[1], stream)


def delete(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``XDEL key id [id …]``; how many there were."""
    stream = db.collection(effect[1], Stream)
    gone = sum(stream.delete(_id(word)) for word in effect[2:])
    _changed(db, effect[1], stream)
    return gone


def trim(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``XTRIM key MAXLEN = length`` or ``XTRIM key MINID = id``; how many entries are gone."""
    stream = db.collection(effect[1], Stream)
    if effect[2] == b"MAXLEN":
        gone = stream.trim_to(int(effect[4]))
    else:
        gone = stream.trim_before(_id(effect[4]))
    _changed(db, effect[1], stream)
    return gone


def set_id(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``XSETID key id ENTRIESADDED n [MAXDELETEDID id]``; without it, what was deleted stays."""
    stream = db.collection(effect[1], Stream)
    stream.last_id = _id(effect[2])
    stream.entries_added = int(effect[4])
    if len(effect) > 5:
        stream.max_deleted_id = _id(effect[6])
    _changed(db, effect[1], stream)


def group(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``XGROUP``, in one of five forms::

    XGROUP CREATE key group id [MKSTREAM] ENTRIESREAD n
    XGROUP SETID key group id ENTRIESREAD n
    XGROUP DESTROY key group
    XGROUP CREATECONSUMER key group consumer
    XGROUP DELCONSUMER key group consumer              how many entries were pending for it
    """
    stream = db.collection(effect[2], Stream)
    groups, name = stream.groups, effect[3]
    result = 0
    match effect[1]:
        case b"CREATE":
            stream.create_group(name, _id(effect[4]), int(effect[-1]))
        case b"SETID":
            groups[name].last_id = _id(effect[4])
            groups[name].entries_read = int(effect[-1])
        case b"DESTROY":
            stream.delete_group(name)
        case b"CREATECONSUMER":
            groups[name].consumer(effect[4])
        case b"DELCONSUMER":
            result = groups[name].delete_consumer(effect[4])
        case unknown:
            raise AssertionError(f"unknown effect XGROUP {unknown!r}")
    _changed(db, effect[2], stream)
    return result


def acknowledge(keyspace: Keyspace, db: Database, effect: Effect) -> int:
    """``XACK key group id [id …]``; how many were pending."""
    stream = db.collection(effect[1], Stream)
    found = stream.groups[effect[2]]
    gone = sum(found.acknowledge(_id(word)) for word in effect[3:])
    _changed(db, effect[1], stream)
    return gone


def claim(keyspace: Keyspace, db: Database, effect: Effect) -> None:
    """``XCLAIM key group consumer 0 id [id …] TIME ms RETRYCOUNT n FORCE JUSTID LASTID id``: deliveries.

    ``XCLAIM key group consumer 0 0-0 TIME ms JUSTID``: the consumer was seen.
    """
    stream = db.collection(effect[1], Stream)
    found = stream.groups[effect[2]]
    consumer = found.consumer(effect[3])
    at = effect.index(b"TIME", 5)
    time_ms = int(effect[at + 1])
    consumer.seen_ms = max(consumer.seen_ms, time_ms)
    if effect[at + 2] == b"RETRYCOUNT":
        count = int(effect[at + 3])
        for word in effect[5:at]:
            found.deliver(_id(word), consumer, time_ms, count)
        found.last_id = max(found.last_id, _id(effect[at + 7]))
    _changed(db, effect[1], stream)


STREAM_EFFECTS: dict[bytes, Callable[[Keyspace, Database, Effect], Any]] = {
    b"XADD": add,
    b"XDEL": delete,
    b"XTRIM": trim,
    b"XSETID": set_id,
    b"XGROUP": group,
    b"XACK": acknowledge,
    b"XCLAIM": claim,
}
