"""XGROUP, XACK and XPENDING: making consumer groups, and what they have delivered.

Groups and consumers are named by clients.  A group can be made for a key that holds nothing yet (MKSTREAM);
the stream is empty then.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.stream_deliveries import acknowledge, group_of, see
from durable_redis.commands.stream_ids import id_bytes, range_start, range_stop, strict_id
from durable_redis.commands.table import (
    DENYOOM,
    FAST,
    LOADING,
    READONLY,
    STALE,
    WRITE,
    command,
    container,
    key_spec,
)
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown, syntax_error
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import UNKNOWN, Group, Pending
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, Id
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import NULL_ARRAY, OK, Reply

XGROUP: Final = container("XGROUP")
_INSERTED_KEY = (key_spec("RW", "insert", first=2),)
_UPDATED_KEY = (key_spec("RW", "update", first=2),)
_DELETED_KEY = (key_spec("RW", "delete", first=2),)
_CREATE_WORDS_MAX: Final = 8  # Redis allows each option once
_SETID_WORDS_MAX: Final = 7
_ENDS: Final = {b"-": ID_MIN, b"+": ID_MAX}  # SETID takes them, CREATE does not
_NO_KEY: Final = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the"
    " MKSTREAM option to create an empty stream automatically."
)


# -- groups and consumers ------------------------------------------------------------------------------------


@command("XGROUP|CREATE", arity=-5, flags=WRITE | DENYOOM, keys=_INSERTED_KEY, acl=("stream",))
def xgroup_create(ctx: Context, argv: list[bytes]) -> Reply:
    """Make a group that has read up to an ID."""
    entries_read, make = _options(argv, b"MKSTREAM")
    key, name = argv[2], argv[3]
    stream = ctx.stream(key, count=False)
    if stream is None and not make:
        raise ReplyError(_NO_KEY)
    if len(argv) > _CREATE_WORDS_MAX:
        raise _wrong_subcommand(argv)
    id = _last_delivered(stream, argv[4])
    if stream is not None and name in stream.groups:
        raise ReplyError("BUSYGROUP Consumer Group name already exists")
    mkstream = () if stream is not None else (b"MKSTREAM",)
    tail = (b"ENTRIESREAD", b"%d" % entries_read)
    ctx.apply(b"XGROUP", b"CREATE", key, name, id_bytes(id), *mkstream, *tail)
    return OK


@command("XGROUP|SETID", arity=-5, flags=WRITE, keys=_UPDATED_KEY, acl=("stream",))
def xgroup_setid(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a group go on behind an ID."""
    entries_read, _ = _options(argv, None)
    stream, _ = _existing(ctx, argv)
    if len(argv) > _SETID_WORDS_MAX:
        raise _wrong_subcommand(argv)
    id = _ENDS.get(argv[4]) or _last_delivered(stream, argv[4])
    tail = (b"ENTRIESREAD", b"%d" % entries_read)
    ctx.apply(b"XGROUP", b"SETID", argv[2], argv[3], id_bytes(id), *tail)
    return OK


@command("XGROUP|DESTROY", arity=4, flags=WRITE, keys=_DELETED_KEY, acl=("stream",))
def xgroup_destroy(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove a group with all that is pending; whether there was one."""
    stream = ctx.stream(argv[2], count=False)
    if stream is None:
        raise ReplyError(_NO_KEY)
    if argv[3] not in stream.groups:
        return 0
    ctx.apply(b"XGROUP", b"DESTROY", argv[2], argv[3])
    return 1


@command("XGROUP|CREATECONSUMER", arity=5, flags=WRITE | DENYOOM, keys=_INSERTED_KEY, acl=("stream",))
def xgroup_createconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """Make a consumer; whether it is new."""
    _, group = _existing(ctx, argv)
    if argv[4] in group.consumers:
        return 0
    see(ctx, argv[2], argv[3], group, argv[4])
    return 1


@command("XGROUP|DELCONSUMER", arity=5, flags=WRITE, keys=_DELETED_KEY, acl=("stream",))
def xgroup_delconsumer(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove a consumer; how many entries were pending for it, which are not any more."""
    _, group = _existing(ctx, argv)
    if argv[4] not in group.consumers:
        return 0
    return ctx.apply(b"XGROUP", b"DELCONSUMER", argv[2], argv[3], argv[4])


@command("XGROUP|HELP", arity=2, flags=LOADING | STALE, acl=("stream",))
def xgroup_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [MKSTREAM] [ENTRIESREAD <n>]",
        "    Make a group that reads the entries behind an ID; MKSTREAM makes the stream too if need be.",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Make a consumer in a group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove a consumer from a group, with the entries that are pending for it.",
        "DESTROY <key> <groupname>",
        "    Remove a group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD <n>]",
        "    Let a group go on behind an ID.",
        "HELP",
        "    Show this text.",
    ]


def _options(argv: list[bytes], flag: bytes | None) -> tuple[int, bool]:
    """ENTRIESREAD of CREATE and SETID, and whether ``flag`` is there."""
    entries_read, flagged = UNKNOWN, False
    at = 5
    while at < len(argv):
        option = argv[at].upper()
        if option == flag:
            flagged = True
            at += 1
        elif option == b"ENTRIESREAD" and at + 1 < len(argv):
            number = parse_integer(argv[at + 1])
            if number is None:
                raise ReplyError(NOT_AN_INTEGER)
            if number < UNKNOWN:
                raise ReplyError("ERR value for ENTRIESREAD must be positive or -1")
            entries_read = number
            at += 2
        else:
            raise _wrong_subcommand(argv)
    return entries_read, flagged


def _wrong_subcommand(argv: list[bytes]) -> ReplyError:
    word = shown(argv[1], 128)
    name = shown(argv[0]).upper()
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try {name} HELP.")


def _last_delivered(stream: Stream | None, raw: bytes) -> Id:
    """The ID that a group is to begin behind."""
    if raw == b"$":
        return ID_MIN if stream is None else stream.last_id
    return strict_id(raw)


def _existing(ctx: Context, argv: list[bytes]) -> tuple[Stream, Group]:
    """The stream and the group that a subcommand names; raises if they are not there."""
    stream = ctx.stream(argv[2], count=False)
    if stream is None:
        raise ReplyError(_NO_KEY)
    group = stream.groups.get(argv[3])
    if group is None:
        raise ReplyError(f"NOGROUP No such consumer group '{shown(argv[3])}' for key name '{shown(argv[2])}'")
    return stream, group


# -- pending entries -----------------------------------------------------------------------------------------


@command("XACK", arity=-4, flags=WRITE | FAST, keys=(key_spec("RW", "update"),), acl=("stream",))
def xack(ctx: Context, argv: list[bytes]) -> Reply:
    """Acknowledge entries; how many were pending."""
    stream = ctx.stream(argv[1])
    group = None if stream is None else stream.groups.get(argv[2])
    if group is None:
        return 0
    wanted = dict.fromkeys(map(strict_id, argv[3:]))
    found = [id for id in wanted if group.find(id) is not None]
    acknowledge(ctx, argv[1], argv[2], found)
    return len(found)


@command(
    "XPENDING",
    arity=-3,
    flags=READONLY,
    keys=(key_spec("RO", "access"),),
    acl=("stream",),
    tips=("nondeterministic_output",),
)
def xpending(ctx: Context, argv: list[bytes]) -> Reply:
    """What is pending in a group: a summary, or the entries themselves."""
    if len(argv) == 3:
        _, group = group_of(ctx, argv[1], argv[2])
        return _summary(group)
    if not 6 <= len(argv) <= 9:
        raise syntax_error()
    at, idle_ms = 3, 0
    if argv[3].upper() == b"IDLE":
        idle_ms = _integer(argv[4])
        if len(argv) < 8:
            raise syntax_error()
        at = 5
    count = _integer(argv[at + 2])
    start, end = range_start(argv[at]), range_stop(argv[at + 1])
    name = argv[at + 3] if at + 3 < len(argv) else None
    _, group = group_of(ctx, argv[1], argv[2])
    ids = group.range(start, end)
    if name is not None:
        consumer = group.consumers.get(name)
        if consumer is None:
            return []
        ids = ((id, _found(group, id)) for id in consumer.pending(start, end))
    reply: list[object] = []
    if count <= 0:
        return reply
    now_ms = ctx.now_ms
    for id, pending in ids:
        elapsed_ms = now_ms - pending.delivered_ms
        if idle_ms and elapsed_ms < idle_ms:
            continue
        reply.append([id_bytes(id), pending.consumer.name, max(elapsed_ms, 0), pending.count])
        if len(reply) == count:
            break
    return reply


def _found(group: Group, id: Id) -> Pending:
    found = group.find(id)
    assert found is not None
    return found


def _integer(raw: bytes) -> int:
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    return number


def _summary(group: Group) -> Reply:
    """How many entries are pending, the first and the last, and how many for whom."""
    if not group.pending_count:
        return [0, None, None, NULL_ARRAY]
    first, last = group.pending_bounds()
    consumers = [
        [consumer.name, b"%d" % consumer.pending_count]
        for consumer in group.consumers_by_name()
        if consumer.pending_count
    ]
    return [group.pending_count, id_bytes(first), id_bytes(last), consumers]
