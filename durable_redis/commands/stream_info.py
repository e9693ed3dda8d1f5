"""XINFO: what a stream is made of, its groups, their consumers.

``radix-tree-nodes`` is what Redis would have in place of our list of nodes; of very long streams an estimate.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.stream_ids import entries_reply, entry_reply, id_bytes
from durable_redis.commands.stream_progress import lag
from durable_redis.commands.table import LOADING, READONLY, STALE, command, container, key_spec
from durable_redis.errors import NO_SUCH_KEY, NOT_AN_INTEGER, ReplyError, shown
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import UNKNOWN, Consumer, Group
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

XINFO: Final = container("XINFO")
FULL_COUNT: Final = 10
RADIX_NODES_MAX: Final = 1000  # nodes of a stream up to which Redis's tree is worked out
_READ_KEY = (key_spec("RO", "access", first=2),)


@command("XINFO|STREAM", arity=-3, flags=READONLY, keys=_READ_KEY, acl=("stream",))
def xinfo_stream(ctx: Context, argv: list[bytes]) -> Reply:
    """A stream's counters, with FULL also its first entries and its groups."""
    stream = _existing(ctx, argv)
    if len(argv) == 3:
        reply = _counters(stream)
        reply[b"groups"] = len(stream.groups)
        for field, reverse in ((b"first-entry", False), (b"last-entry", True)):
            entry = next(stream.range(reverse=reverse), None)
            reply[field] = None if entry is None else entry_reply(entry)
        return reply
    count = _full_count(argv)
    reply = _counters(stream)
    reply[b"entries"] = entries_reply(islice(stream.range(), count))
    reply[b"groups"] = [_full_group(stream, name, count) for name in sorted(stream.groups)]
    return reply


@command("XINFO|GROUPS", arity=3, flags=READONLY, keys=_READ_KEY, acl=("stream",))
def xinfo_groups(ctx: Context, argv: list[bytes]) -> Reply:
    """The groups of a stream."""
    stream = _existing(ctx, argv)
    reply = []
    for name, group in sorted(stream.groups.items()):
        reply.append(
            {
                b"name": name,
                b"consumers": len(group.consumers),
                b"pending": group.pending_count,
                b"last-delivered-id": id_bytes(group.last_id),
                b"entries-read": _known(group.entries_read),
                b"lag": lag(stream, group),
            }
        )
    return reply


@command(
    "XINFO|CONSUMERS",
    arity=4,
    flags=READONLY,
    keys=_READ_KEY,
    acl=("stream",),
    tips=("nondeterministic_output",),
)
def xinfo_consumers(ctx: Context, argv: list[bytes]) -> Reply:
    """The consumers of a group."""
    stream = _existing(ctx, argv)
    group = stream.groups.get(argv[3])
    if group is None:
        raise ReplyError(f"NOGROUP No such consumer group '{shown(argv[3])}' for key name '{shown(argv[2])}'")
    return [
        {
            b"name": consumer.name,
            b"pending": consumer.pending_count,
            b"idle": max(ctx.now_ms - consumer.seen_ms, 0),
        }
        for consumer in group.consumers_by_name()
    ]


@command("XINFO|HELP", arity=2, flags=LOADING | STALE, acl=("stream",))
def xinfo_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Tell about the consumers of a group.",
        "GROUPS <key>",
        "    Tell about the groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    Tell about a stream; FULL adds its first entries, and its groups with what is pending.",
        "HELP",
        "    Show this text.",
    ]


def _existing(ctx: Context, argv: list[bytes]) -> Stream:
    stream = ctx.stream(argv[2])
    if stream is None:
        raise ReplyError(NO_SUCH_KEY)
    return stream


def _full_count(argv: list[bytes]) -> int | None:
    """How many entries FULL shows; None for all."""
    words = [word.upper() for word in argv[3:]]
    if words[0] != b"FULL" or len(words) not in (1, 3) or (len(words) == 3 and words[1] != b"COUNT"):
        word = shown(argv[1], 128)
        raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try XINFO HELP.")
    if len(words) == 1:
        return FULL_COUNT
    count = parse_integer(argv[5])
    if count is None:
        raise ReplyError(NOT_AN_INTEGER)
    return (count or None) if count >= 0 else FULL_COUNT


def _counters(stream: Stream) -> dict[bytes, object]:
    """What both forms of XINFO STREAM begin with."""
    return {
        b"length": len(stream),
        b"radix-tree-keys": stream.node_count,
        b"radix-tree-nodes": _radix_nodes(stream),
        b"last-generated-id": id_bytes(stream.last_id),
        b"max-deleted-entry-id": id_bytes(stream.max_deleted_id),
        b"entries-added": stream.entries_added,
        b"recorded-first-entry-id": id_bytes(stream.first_id),
    }


def _full_group(stream: Stream, name: bytes, count: int | None) -> dict[bytes, object]:
    group = stream.groups[name]
    return {
        b"name": name,
        b"last-delivered-id": id_bytes(group.last_id),
        b"entries-read": _known(group.entries_read),
        b"lag": lag(stream, group),
        b"pel-count": group.pending_count,
        b"pending": [
            [id_bytes(id), pending.consumer.name, pending.delivered_ms, pending.count]
            for id, pending in islice(group.range(), count)
        ],
        b"consumers": [_full_consumer(group, consumer, count) for consumer in group.consumers_by_name()],
    }


def _full_consumer(group: Group, consumer: Consumer, count: int | None) -> dict[bytes, object]:
    pending = []
    for id in islice(consumer.pending(), count):
        found = group.find(id)
        assert found is not None
        pending.append([id_bytes(id), found.delivered_ms, found.count])
    return {
        b"name": consumer.name,
        b"seen-time": consumer.seen_ms,
        b"pel-count": consumer.pending_count,
        b"pending": pending,
    }


def _known(entries_read: int) -> int | None:
    return None if entries_read == UNKNOWN else entries_read


def _radix_nodes(stream: Stream) -> int:
    """How many nodes a radix tree has that holds the first IDs of the stream's nodes, 16 bytes each."""
    count = stream.node_count
    if count > RADIX_NODES_MAX:
        return 2 * count
    return _tree([ms.to_bytes(8) + seq.to_bytes(8) for (ms, seq), _, _, _ in stream.outlines()], 0)


def _tree(names: list[bytes], depth: int) -> int:
    """The nodes of a subtree: a chain of common bytes, then a leaf or a branch."""
    if not names:
        return 1
    if len(names) == 1:
        return 1 if depth == len(names[0]) else 2
    ends = zip(names[0], names[-1], strict=True)
    common = next(at for at, (low, high) in enumerate(ends) if low != high)
    nodes = 1 if common == depth else 2
    begin = 0
    for at in range(1, len(names) + 1):
        if at == len(names) or names[at][common] != names[begin][common]:
            nodes += _tree(names[begin:at], common + 1)
            begin = at
    return nodes
