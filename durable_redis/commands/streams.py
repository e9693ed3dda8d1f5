"""Stream commands without groups: adding, reading ranges, deleting, trimming.

A command decides, an effect acts: XADD settles the ID, and trimming is an effect of its own behind it.
Reading new entries, with or without a group, is in ``stream_reads.py``.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from durable_redis.commands.collection_parts import EFFECT_ELEMENTS_MAX, apply_in_parts
from durable_redis.commands.context import Context
from durable_redis.commands.stream_ids import entries_reply, id_bytes, range_start, range_stop, strict_id
from durable_redis.commands.stream_trimming import AddOptions, add_options, trim_options
from durable_redis.commands.table import DENYOOM, FAST, READONLY, WRITE, command, key_spec
from durable_redis.errors import NO_SUCH_KEY, NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, SEQ_MAX, Id, next_id
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import NULL_ARRAY, OK, Reply

ENTRY_BYTES_MAX: Final = 1 << 30
_TOO_SMALL: Final = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
_TOO_LARGE: Final = "ERR Elements are too large to be stored"
_ADDED_KEY = (key_spec("RW", "update", notes="trimming removes entries, so it is more than an insertion"),)
_CHANGED_KEY = (key_spec("RW", "update"),)
_CUT_KEY = (key_spec("RW", "delete"),)
_READ_KEY = (key_spec("RO", "access"),)


# -- adding --------------------------------------------------------------------------------------------------


@command(
    "XADD",
    arity=-5,
    flags=WRITE | DENYOOM | FAST,
    keys=_ADDED_KEY,
    acl=("stream",),
    tips=("nondeterministic_output",),
)
def xadd(ctx: Context, argv: list[bytes]) -> Reply:
    """Append an entry to a stream; its ID."""
    options = add_options(ctx, argv)
    at = options.at
    if len(argv) - at < 2 or (len(argv) - at) % 2:
        raise ReplyError("ERR wrong number of arguments for 'xadd' command")
    if options.id == ID_MIN and not options.next_seq:
        raise ReplyError("ERR The ID specified in XADD must be greater than 0-0")
    key = argv[1]
    stream = ctx.stream(key, count=False)
    if stream is None and not options.make:
        return None
    last_id = ID_MIN if stream is None else stream.last_id
    if last_id == ID_MAX:
        raise ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items")
    id = id_bytes(_settled_id(ctx, options, last_id))
    if sum(map(len, argv)) > ENTRY_BYTES_MAX and sum(map(len, argv[at:])) > ENTRY_BYTES_MAX:
        raise ReplyError(_TOO_LARGE)
    ctx.apply(b"XADD", key, id, *argv[at:])
    if options.trimming.wanted:
        stream = ctx.stream(key, count=False)
        assert stream is not None
        options.trimming.apply(ctx, key, stream)
    return id


def _settled_id(ctx: Context, options: AddOptions, last_id: Id) -> Id:
    """The ID of the new entry; raises if it is not greater than the last one."""
    id = options.id
    if id is None:
        if ctx.now_ms > last_id[0]:
            return ctx.now_ms, 0
        following = next_id(last_id)
        assert following is not None
        return following
    if options.next_seq and id[0] == last_id[0]:
        if last_id[1] == SEQ_MAX:
            raise ReplyError(_TOO_LARGE)  # so says Redis
        return id[0], last_id[1] + 1
    if id <= last_id:
        raise ReplyError(_TOO_SMALL)
    return id


@command("XSETID", arity=-3, flags=WRITE | DENYOOM | FAST, keys=_CHANGED_KEY, acl=("stream",))
def xsetid(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a stream's last ID, and what else of it replicas have to know."""
    last_id = strict_id(argv[2])
    added: int | None = None
    deleted_id = ID_MIN
    at = 3
    while at < len(argv):
        option = argv[at].upper()
        if at + 1 == len(argv) or option not in (b"ENTRIESADDED", b"MAXDELETEDID"):
            raise syntax_error()
        if option == b"ENTRIESADDED":
            added = parse_integer(argv[at + 1])
            if added is None:
                raise ReplyError(NOT_AN_INTEGER)
            if added < 0:
                raise ReplyError("ERR entries_added must be positive")
        else:
            deleted_id = strict_id(argv[at + 1])
            if last_id < deleted_id:
                raise ReplyError(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
                )
        at += 2
    stream = ctx.stream(argv[1], count=False)
    if stream is None:
        raise ReplyError(NO_SUCH_KEY)
    _check_last_id(stream, last_id, added)
    # Redis refuses a MAXDELETEDID above the ID, even the stream's own: so it is there only if it was given.
    deleted = () if deleted_id == ID_MIN else (b"MAXDELETEDID", id_bytes(deleted_id))
    entries_added = stream.entries_added if added is None else added
    ctx.apply(b"XSETID", argv[1], id_bytes(last_id), b"ENTRIESADDED", b"%d" % entries_added, *deleted)
    return OK


def _check_last_id(stream: Stream, last_id: Id, added: int | None) -> None:
    """Raise if a stream cannot have this last ID, or so few entries ever added."""
    if not len(stream):
        return
    if last_id < stream.top_id:
        raise ReplyError("ERR The ID specified in XSETID is smaller than the target stream top item")
    if added is not None and added < len(stream):
        raise ReplyError("ERR The entries_added specified in XSETID is smaller than the target stream length")


# -- reading -------------------------------------------------------------------------------------------------


@command("XLEN", arity=2, flags=READONLY | FAST, keys=(key_spec("RO"),), acl=("stream",))
def xlen(ctx: Context, argv: list[bytes]) -> Reply:
    """How many entries a stream has."""
    stream = ctx.stream(argv[1])
    return 0 if stream is None else len(stream)


@command("XRANGE", arity=-4, flags=READONLY, keys=_READ_KEY, acl=("stream",))
def xrange(ctx: Context, argv: list[bytes]) -> Reply:
    """The entries from one ID to another."""
    return _range(ctx, argv, argv[2], argv[3], reverse=False)


@command("XREVRANGE", arity=-4, flags=READONLY, keys=_READ_KEY, acl=("stream",))
def xrevrange(ctx: Context, argv: list[bytes]) -> Reply:
    """The entries from one ID down to another."""
    return _range(ctx, argv, argv[3], argv[2], reverse=True)


def _range(ctx: Context, argv: list[bytes], low: bytes, high: bytes, *, reverse: bool) -> Reply:
    start, end = range_start(low), range_stop(high)
    count: int | None = None
    at = 4
    while at < len(argv):
        if argv[at].upper() != b"COUNT" or at + 1 == len(argv):
            raise syntax_error()
        count = parse_integer(argv[at + 1])
        if count is None:
            raise ReplyError(NOT_AN_INTEGER)
        count = max(count, 0)
        at += 2
    stream = ctx.stream(argv[1])
    if stream is None:
        return []
    if count == 0:
        return NULL_ARRAY
    if start > end:
        return []
    return entries_reply(islice(stream.range(start, end, reverse=reverse), count))


# -- removing ------------------------------------------------------------------------------------------------


@command("XDEL", arity=-3, flags=WRITE | FAST, keys=_CUT_KEY, acl=("stream",))
def xdel(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove entries; how many there were."""
    stream = ctx.stream(argv[1], count=False)
    if stream is None:
        return 0
    wanted = dict.fromkeys(map(strict_id, argv[2:]))
    found = [id_bytes(id) for id in wanted if stream.get(id) is not None]
    if found:
        apply_in_parts(ctx, b"XDEL", argv[1], found, EFFECT_ELEMENTS_MAX)
    return len(found)


@command(
    "XTRIM",
    arity=-4,
    flags=WRITE,
    keys=_CUT_KEY,
    acl=("stream",),
    tips=("nondeterministic_output",),
)
def xtrim(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove the oldest entries; how many are gone."""
    trimming = trim_options(ctx, argv)
    stream = ctx.stream(argv[1], count=False)
    return 0 if stream is None else trimming.apply(ctx, argv[1], stream)
