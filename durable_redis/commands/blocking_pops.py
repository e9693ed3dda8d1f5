"""The commands that pop from lists and sorted sets, and wait while there is nothing to pop.

Each does first what its plain form does.  Then it waits for its keys; the attempt that is repeated passes
over keys of other types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from durable_redis.commands.blocking import block_timeout_ms, wait_for_keys
from durable_redis.commands.context import PENDING, Context, Wait
from durable_redis.commands.list_pops import (
    LEFT,
    RIGHT,
    move,
    multi_pop,
    parse_multi_pop,
    parse_side,
)
from durable_redis.commands.sorted_sets import mpop_reply, parse_mpop, pop_members
from durable_redis.commands.table import (
    BLOCKING,
    DENYOOM,
    FAST,
    MOVABLEKEYS,
    NOSCRIPT,
    WRITE,
    KeySpec,
    command,
    key_spec,
)
from durable_redis.objects.entry import kind_of
from durable_redis.resp.replies import NULL_ARRAY, Reply
from storage.records import TYPE_LIST, TYPE_ZSET

_POP_KEYS = (key_spec("RW", "access", "delete", last=-2),)
_MOVE_KEYS = (key_spec("RW", "access", "delete"), key_spec("RW", "insert", first=2))
_COUNTED_KEYS = (KeySpec(("RW", "access", "delete"), ("index", 2), ("keynum", 0, 1, 1)),)


def _pop_or_wait(
    ctx: Context,
    keys: Sequence[bytes],
    timeout_ms: int,
    kind: int,
    pop: Callable[[bytes], Reply],
    timeout_reply: Reply,
) -> Reply:
    """The reply of ``pop`` for the first key that has one (None is none), now or later.

    ``pop`` raises WRONGTYPE for a key of another type; that counts at the beginning only.
    """
    for key in keys:
        reply = pop(key)
        if reply is not None:
            return reply

    def attempt(key: bytes) -> Reply:
        value = ctx.peek(key)
        if value is None or kind_of(value) != kind:
            return PENDING
        reply = pop(key)
        return PENDING if reply is None else reply

    return wait_for_keys(ctx, keys, timeout_ms, attempt, timeout_reply)


# -- lists ---------------------------------------------------------------------------------------------------


@command("BLPOP", arity=-3, flags=WRITE | NOSCRIPT | BLOCKING, keys=_POP_KEYS, acl=("list",))
def blpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the first element of the first list that has one; its key and the element."""
    return _pop_element(ctx, argv, LEFT)


@command("BRPOP", arity=-3, flags=WRITE | NOSCRIPT | BLOCKING, keys=_POP_KEYS, acl=("list",))
def brpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the last element of the first list that has one; its key and the element."""
    return _pop_element(ctx, argv, RIGHT)


def _pop_element(ctx: Context, argv: list[bytes], side: bytes) -> Reply:
    timeout_ms = block_timeout_ms(argv[-1])

    def pop(key: bytes) -> Reply:
        popped = multi_pop(ctx, (key,), side, 1)
        return None if popped is None else [key, popped[1][0]]

    return _pop_or_wait(ctx, argv[1:-1], timeout_ms, TYPE_LIST, pop, NULL_ARRAY)


@command("BLMPOP", arity=-5, flags=WRITE | BLOCKING | MOVABLEKEYS, keys=_COUNTED_KEYS, acl=("list",))
def blmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take elements from the first list that has some; its key and the elements."""
    timeout_ms = block_timeout_ms(argv[1])
    keys, side, count = parse_multi_pop(argv, 2)

    def pop(key: bytes) -> Reply:
        return multi_pop(ctx, (key,), side, count)

    return _pop_or_wait(ctx, keys, timeout_ms, TYPE_LIST, pop, NULL_ARRAY)


@command(
    "BLMOVE",
    arity=6,
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    keys=_MOVE_KEYS,
    acl=("list",),
    positions=(1, 2, 1),
)
def blmove(ctx: Context, argv: list[bytes]) -> Reply:
    """Take an element from a side of one list and put it at a side of another; the element."""
    wherefrom, whereto = parse_side(argv[3]), parse_side(argv[4])
    return _move(ctx, argv[1], argv[2], wherefrom, whereto, argv[5])


@command(
    "BRPOPLPUSH",
    arity=4,
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    keys=_MOVE_KEYS,
    acl=("list",),
    positions=(1, 2, 1),
)
def brpoplpush(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the last element of one list and put it before another's first; the element."""
    return _move(ctx, argv[1], argv[2], RIGHT, LEFT, argv[3])


def _move(
    ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes, timeout: bytes
) -> Reply:
    timeout_ms = block_timeout_ms(timeout)

    def pop(key: bytes) -> Reply:
        return move(ctx, key, destination, wherefrom, whereto)

    reply = _pop_or_wait(ctx, (source,), timeout_ms, TYPE_LIST, pop, NULL_ARRAY)
    if isinstance(reply, Wait):
        reply.at_once = _nothing
    return reply


def _nothing() -> Reply:
    """Where it may not wait, a move answers like LMOVE, as in Redis."""
    return None


# -- sorted sets ---------------------------------------------------------------------------------------------


@command("BZPOPMIN", arity=-3, flags=WRITE | NOSCRIPT | BLOCKING | FAST, keys=_POP_KEYS, acl=("sortedset",))
def bzpopmin(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the member with the lowest score from the first sorted set that has one."""
    return _pop_member(ctx, argv, highest=False)


@command("BZPOPMAX", arity=-3, flags=WRITE | NOSCRIPT | BLOCKING | FAST, keys=_POP_KEYS, acl=("sortedset",))
def bzpopmax(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the member with the highest score from the first sorted set that has one."""
    return _pop_member(ctx, argv, highest=True)


def _pop_member(ctx: Context, argv: list[bytes], *, highest: bool) -> Reply:
    timeout_ms = block_timeout_ms(argv[-1])

    def pop(key: bytes) -> Reply:
        popped = pop_members(ctx, key, 1, highest=highest)
        if not popped:
            return None
        score, member = popped[0]
        return [key, member, score]

    return _pop_or_wait(ctx, argv[1:-1], timeout_ms, TYPE_ZSET, pop, NULL_ARRAY)


@command("BZMPOP", arity=-5, flags=WRITE | BLOCKING | MOVABLEKEYS, keys=_COUNTED_KEYS, acl=("sortedset",))
def bzmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take members from the first sorted set that has some; its key and the members with their scores."""
    timeout_ms = block_timeout_ms(argv[1])
    keys, count, highest = parse_mpop(argv, 2)

    def pop(key: bytes) -> Reply:
        popped = pop_members(ctx, key, count, highest=highest)
        return mpop_reply(key, popped) if popped else None

    return _pop_or_wait(ctx, keys, timeout_ms, TYPE_ZSET, pop, NULL_ARRAY)
