"""How deliveries to a consumer become effects.

Redis tells its replicas of each entry by an XCLAIM of its own; here one XCLAIM has all entries that share
time and count.  When a consumer was last seen is part of the state: deliveries set it, and where there are
none an effect of its own does, at most once a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from durable_redis.commands.collection_parts import EFFECT_ELEMENTS_MAX, reserve_words
from durable_redis.commands.context import Context
from durable_redis.commands.stream_ids import id_bytes
from durable_redis.errors import ReplyError, shown
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.stream_node import Id

SEEN_MS: Final = 1000  # how exactly the time is kept at which a consumer was last seen
NO_GROUP: Final = "NOGROUP No such key '{}' or consumer group '{}'"


def group_of(ctx: Context, key: bytes, name: bytes, suffix: str = "") -> tuple[Stream, Group]:
    """The stream of a key and its group; raises NOGROUP if there is no such thing."""
    stream = ctx.stream(key)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise ReplyError(NO_GROUP.format(shown(key), shown(name)) + suffix)
    return stream, group


def deliver(
    ctx: Context,
    key: bytes,
    group_name: bytes,
    group: Group,
    consumer: bytes,
    ids: dict[tuple[int, int], list[bytes]],
) -> None:
    """Let entries be pending for a consumer; ``ids`` are by delivery time and count."""
    if ids and consumer not in group.consumers:
        ctx.notify(b"xgroup-createconsumer", key)  # the delivery makes it
    last_id = id_bytes(group.last_id)
    if sum(map(len, ids.values())) > EFFECT_ELEMENTS_MAX:
        reserve_words(ctx, [word for words in ids.values() for word in words])
    for (time_ms, count), words in ids.items():
        tail = (
            *(b"TIME", b"%d" % time_ms, b"RETRYCOUNT", b"%d" % count),
            *(b"FORCE", b"JUSTID", b"LASTID", last_id),
        )
        for start in range(0, len(words), EFFECT_ELEMENTS_MAX):
            part = words[start : start + EFFECT_ELEMENTS_MAX]
            ctx.apply(b"XCLAIM", key, group_name, consumer, b"0", *part, *tail)


def see(ctx: Context, key: bytes, group_name: bytes, group: Group, name: bytes) -> None:
    """Note that a consumer was served just now; it is made if there is none."""
    consumer = group.consumers.get(name)
    if consumer is None:
        ctx.apply(b"XGROUP", b"CREATECONSUMER", key, group_name, name)
    if consumer is None or consumer.seen_ms + SEEN_MS <= ctx.now_ms:
        time = b"%d" % ctx.now_ms
        ctx.apply(b"XCLAIM", key, group_name, name, b"0", b"0-0", b"TIME", time, b"JUSTID")


def acknowledge(ctx: Context, key: bytes, group_name: bytes, ids: Sequence[Id]) -> None:
    """Let entries that are pending be so no more."""
    for start in range(0, len(ids), EFFECT_ELEMENTS_MAX):
        part = map(id_bytes, ids[start : start + EFFECT_ELEMENTS_MAX])
        ctx.apply(b"XACK", key, group_name, *part)
