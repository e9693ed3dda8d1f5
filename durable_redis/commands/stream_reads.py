"""XREAD and XREADGROUP: what is new in several streams, at once or when it comes.

A read without a group names the ID that it has seen last.  A group remembers that itself (``>``), and what it
delivers is pending for the consumer; with an ID in place of ``>`` a consumer reads again what is pending for
it.  A client that waits is served when entries are added, not when groups or counters change.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final
from weakref import ref

from durable_redis.commands.blocking import wait_for_keys
from durable_redis.commands.context import PENDING, Context
from durable_redis.commands.stream_deliveries import NO_GROUP, deliver, see
from durable_redis.commands.stream_ids import entries_reply, id_bytes, strict_id
from durable_redis.commands.stream_progress import read_up_to
from durable_redis.commands.table import BLOCKING, MOVABLEKEYS, READONLY, WRITE, KeySpec, command
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown, syntax_error
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Id, next_id
from durable_redis.resp.encoder import encode_bytes
from durable_redis.resp.numbers import INT64_MAX, parse_integer
from durable_redis.resp.replies import NULL_ARRAY, Encoded, Reply

WAITING_COUNT: Final = 1000  # entries for a client that waited, if it did not say how many
_UNBALANCED: Final = (
    "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified."
)
_FOR_XREADGROUP: Final = "ERR The {} option is only supported by XREADGROUP. You called XREAD instead."


def _keys(start_from: int) -> tuple[KeySpec, ...]:
    return (KeySpec(("RO", "access"), ("keyword", "STREAMS", start_from), ("range", -1, 1, 2)),)


class _Read:
    """What a client wants to read; ``ids`` has what it has seen of each key, None for ``>``."""

    __slots__ = ("consumer", "count", "group", "ids", "keys", "noack", "timeout_ms")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.ids: list[Id | None] = []
        self.group: bytes | None = None
        self.consumer = b""
        self.count = 0
        self.noack = False
        self.timeout_ms: int | None = None


@command("XREAD", arity=-4, flags=READONLY | BLOCKING | MOVABLEKEYS, keys=_keys(1), acl=("stream",))
def xread(ctx: Context, argv: list[bytes]) -> Reply:
    """The entries of streams behind those that were seen; waits for some if wanted."""
    read = _parse(ctx, argv)
    found: list[tuple[bytes, list[object]]] = []
    for key, id in zip(read.keys, read.ids, strict=True):
        stream = ctx.stream(key)
        if stream is not None:
            assert id is not None
            entries = _entries_behind(stream, id, read.count)
            if entries:
                found.append((key, entries))
    if found:
        return _by_key(ctx, found)
    return _wait(ctx, read)


@command("XREADGROUP", arity=-7, flags=WRITE | BLOCKING | MOVABLEKEYS, keys=_keys(4), acl=("stream",))
def xreadgroup(ctx: Context, argv: list[bytes]) -> Reply:
    """Entries that no consumer of the group has had yet, or what is pending for this one."""
    read = _parse(ctx, argv)
    name = read.group
    assert name is not None
    found: list[tuple[bytes, list[object]]] = []
    for key, id in zip(read.keys, read.ids, strict=True):
        stream = ctx.stream(key, count=False)
        if stream is None:
            continue
        group = stream.groups[name]
        if id is not None:
            found.append((key, _pending_again(ctx, read, key, stream, group, id)))
        elif entries := _new_entries(ctx, read, key, stream, group):
            found.append((key, entries))
    if found:
        return _by_key(ctx, found)
    return _wait(ctx, read)


# -- arguments -----------------------------------------------------------------------------------------------


def _parse(ctx: Context, argv: list[bytes]) -> _Read:
    """The arguments of both; keys are looked up, and groups have to be there."""
    read = _Read()
    grouped = len(argv[0]) == 10
    streams_at = _parse_options(ctx, read, argv, grouped)
    if not streams_at:
        raise syntax_error()
    if grouped and read.group is None:
        raise ReplyError("ERR Missing GROUP option for XREADGROUP")
    half = (len(argv) - streams_at) // 2
    read.keys = argv[streams_at : streams_at + half]
    for key, raw in zip(read.keys, argv[streams_at + half :], strict=True):
        stream = ctx.stream(key)
        if read.group is not None and (stream is None or read.group not in stream.groups):
            text = NO_GROUP.format(shown(key), shown(read.group))
            raise ReplyError(text + " in XREADGROUP with GROUP option")
        read.ids.append(_last_seen(raw, stream, grouped))
    return read


def _parse_options(ctx: Context, read: _Read, argv: list[bytes], grouped: bool) -> int:
    """Where the keys begin behind the options; 0 if they do not."""
    at = 1
    while at < len(argv):
        option = argv[at].upper()
        more = len(argv) - 1 - at
        if option == b"BLOCK" and more:
            at += 1
            read.timeout_ms = _timeout_ms(ctx, argv[at])
        elif option == b"COUNT" and more:
            at += 1
            count = parse_integer(argv[at])
            if count is None:
                raise ReplyError(NOT_AN_INTEGER)
            read.count = max(count, 0)
        elif option == b"STREAMS" and more:
            if more % 2:
                raise ReplyError(_UNBALANCED)
            return at + 1
        elif option == b"GROUP" and more > 1:
            if not grouped:
                raise ReplyError(_FOR_XREADGROUP.format("GROUP"))
            read.group, read.consumer = argv[at + 1 : at + 3]
            at += 2
        elif option == b"NOACK":
            if not grouped:
                raise ReplyError(_FOR_XREADGROUP.format("NOACK"))
            read.noack = True
        else:
            raise syntax_error()
        at += 1
    return 0


def _timeout_ms(ctx: Context, raw: bytes) -> int:
    timeout_ms = parse_integer(raw)
    if timeout_ms is None:
        raise ReplyError("ERR timeout is not an integer or out of range")
    if timeout_ms < 0:
        raise ReplyError("ERR timeout is negative")
    return min(timeout_ms, INT64_MAX - ctx.now_ms)


def _last_seen(raw: bytes, stream: Stream | None, grouped: bool) -> Id | None:
    """The ID that the client gives for one stream."""
    if raw == b"$":
        if grouped:
            raise ReplyError(
                "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of"
                " this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID"
                " would just return an empty result set."
            )
        return ID_MIN if stream is None else stream.last_id
    if raw == b">":
        if not grouped:
            raise ReplyError(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group>"
                " <consumer> option."
            )
        return None
    id = strict_id(raw)
    return None if grouped and id == ID_MAX else id


# -- reading -------------------------------------------------------------------------------------------------


def _entries_behind(stream: Stream, id: Id, count: int) -> list[object]:
    """What a stream has behind an ID; 0 is everything."""
    start = next_id(id)
    return [] if start is None else entries_reply(islice(stream.range(start), count or None))


def _new_entries(ctx: Context, read: _Read, key: bytes, stream: Stream, group: Group) -> list[object]:
    """Deliver what the group has not read yet; nothing happens if there is nothing."""
    start = next_id(group.last_id)
    entries = [] if start is None else list(islice(stream.range(start), read.count or None))
    if not entries:
        return []
    assert read.group is not None
    entries_read = read_up_to(stream, group, entries)
    reply = entries_reply(entries)
    if read.noack:
        see(ctx, key, read.group, group, read.consumer)
    else:
        words = [b"%d-%d" % id for id, _ in entries]
        deliver(ctx, key, read.group, group, read.consumer, {(ctx.now_ms, 1): words})
    last_id = id_bytes(entries[-1][0])
    progress = (last_id, b"ENTRIESREAD", b"%d" % entries_read)
    ctx.apply(b"XGROUP", b"SETID", key, read.group, *progress, event=SILENT)
    return reply


def _pending_again(
    ctx: Context, read: _Read, key: bytes, stream: Stream, group: Group, id: Id
) -> list[object]:
    """Deliver again what is pending for the consumer; of entries that are gone only the ID."""
    assert read.group is not None
    reply: list[object] = []
    delivered: dict[tuple[int, int], list[bytes]] = {}
    consumer = group.consumers.get(read.consumer)
    start = next_id(id)
    if consumer is not None and start is not None:
        for found in islice(consumer.pending(start), read.count or None):
            words = stream.get(found)
            name = id_bytes(found)
            reply.append([name, NULL_ARRAY if words is None else words])
            if words is not None:
                pending = group.find(found)
                assert pending is not None
                count = min(pending.count + 1, INT64_MAX)
                delivered.setdefault((ctx.now_ms, count), []).append(name)
    deliver(ctx, key, read.group, group, read.consumer, delivered)
    see(ctx, key, read.group, group, read.consumer)
    return reply


# -- waiting and replying ------------------------------------------------------------------------------------


def _wait(ctx: Context, read: _Read) -> Reply:
    """The reply when there is nothing yet."""
    if read.timeout_ms is None:
        return NULL_ARRAY
    read.count = read.count or WAITING_COUNT
    ids = dict(zip(reversed(read.keys), reversed(read.ids), strict=True))
    looked_at: dict[bytes, _Seen] = {}
    if read.group is not None:
        for key in read.keys:
            stream = ctx.peek(key)
            assert isinstance(stream, Stream)  # it had the group just now
            looked_at[key] = _Seen(stream)

    def attempt(key: bytes) -> Any:
        stream = ctx.peek(key)
        if not isinstance(stream, Stream):
            if read.group is not None:
                raise ReplyError("UNBLOCKED the stream key no longer exists")
            return PENDING
        if read.group is None:
            id = ids[key]
            assert id is not None
            entries = _entries_behind(stream, id, read.count)
        else:
            group = stream.groups.get(read.group)
            if group is None:
                raise ReplyError("NOGROUP the consumer group this client was blocked on no longer exists")
            before, looked_at[key] = looked_at[key], _Seen(stream)
            if before.is_still(stream):
                return PENDING
            entries = _new_entries(ctx, read, key, stream, group)
        return _by_key(ctx, [(key, entries)]) if entries else PENDING

    return wait_for_keys(ctx, read.keys, read.timeout_ms, attempt, NULL_ARRAY)


class _Seen:
    """A stream as a waiting group has seen it.

    XGROUP SETID lets a group read again what it has read; as in Redis that is nothing to wake up for, until
    something is added, or another stream takes the key.  One that had left the cache counts as another.
    """

    __slots__ = ("stream", "top_id")

    def __init__(self, stream: Stream) -> None:
        self.stream = ref(stream)
        self.top_id = stream.top_id

    def is_still(self, stream: Stream) -> bool:
        """Whether it is the same stream, and nothing was added."""
        return self.stream() is stream and stream.top_id <= self.top_id


def _by_key(ctx: Context, found: list[tuple[bytes, list[object]]]) -> Reply:
    """Entries by key: pairs, or in RESP3 a map, in which a key may stand twice."""
    if ctx.client.protocol == 2:
        return [list(pair) for pair in found]
    by_key = dict(found)
    if len(by_key) == len(found):
        return by_key
    parts = [b"%%%d\r\n" % len(found)]
    parts += [encode_bytes(part, 3) for pair in found for part in pair]
    return Encoded(b"".join(parts))
