"""Sorted set commands on single members: add, count up, look up, pop, draw by chance, scan.

A command decides, an effect acts: every change here ends as ZADD with final scores or as ZREM with the
members, whatever the client wrote (``sorted_set_parts.py``).  Within one ZADD a member may come twice, and
each time is judged by the score that the time before has given it.

Ranges are in ``sorted_set_ranges.py``, unions and the like in ``sorted_set_algebra.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from durable_redis.commands.collection_parts import check_draws, draw_count, scan_options
from durable_redis.commands.context import Context
from durable_redis.commands.iteration import parse_cursor
from durable_redis.commands.sorted_set_parts import Element, add_members, flat, listed, remove_members
from durable_redis.commands.table import (
    DENYOOM,
    FAST,
    MOVABLEKEYS,
    READ_KEY,
    READ_KEY_META,
    READONLY,
    UPDATE_KEY,
    WRITE,
    KeySpec,
    command,
    key_spec,
)
from durable_redis.errors import NOT_A_FLOAT, ReplyError, syntax_error
from durable_redis.resp.numbers import format_double, parse_float, parse_integer
from durable_redis.resp.replies import NULL_ARRAY, Reply

_ACL: Final = ("sortedset",)
_POP_KEY: Final = (key_spec("RW", "access", "delete"),)
_NX, _XX, _GT, _LT, _CH, _INCR = (1 << bit for bit in range(6))
_ZADD_OPTIONS: Final = {b"NX": _NX, b"XX": _XX, b"GT": _GT, b"LT": _LT, b"CH": _CH, b"INCR": _INCR}


# -- scores --------------------------------------------------------------------------------------------------


@command("ZADD", arity=-4, flags=WRITE | DENYOOM | FAST, keys=UPDATE_KEY, acl=_ACL)
def zadd(ctx: Context, argv: list[bytes]) -> Reply:
    """Add members or change their scores; how many are new (CH: or changed), or the score (INCR)."""
    options = 0
    at = 2
    size = len(argv)
    while at < size and (option := _ZADD_OPTIONS.get(argv[at].upper())):
        options |= option
        at += 1
    if at == size or (size - at) % 2:
        raise syntax_error()
    if options:
        _check_zadd_options(options, size - at)
    scores = []
    for raw in argv[at::2]:
        score = parse_float(raw)
        if score is None:
            raise ReplyError(NOT_A_FLOAT)
        scores.append(score)
    if options & _INCR:
        return _increment(ctx, argv[1], argv[at + 1], scores[0], options)
    return _add(ctx, argv[1], scores, argv[at + 1 :: 2], options)


def _check_zadd_options(options: int, words: int) -> None:
    if options & _NX and options & _XX:
        raise ReplyError("ERR XX and NX options at the same time are not compatible")
    if (options & (_GT | _LT) and options & _NX) or (options & _GT and options & _LT):
        raise ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if options & _INCR and words > 2:
        raise ReplyError("ERR INCR option supports a single increment-element pair")


def _add(ctx: Context, key: bytes, scores: list[float], members: list[bytes], options: int) -> int:
    found = ctx.sorted_set(key, count=False)
    changes: dict[bytes, float] = {}
    added = updated = 0
    for score, member in zip(scores, members, strict=True):
        old = changes.get(member)
        if old is None and found is not None:
            old = found.score(member)
        if old is None:
            if options & _XX:
                continue
            added += 1
        else:
            if score == old or options & _NX:
                continue
            if (options & _GT and score < old) or (options & _LT and score > old):
                continue
            updated += 1
        changes[member] = score
    if changes:
        add_members(ctx, key, found, changes)
    return added + updated if options & _CH else added


@command(
    "ZINCRBY", arity=4, flags=WRITE | DENYOOM | FAST, keys=(key_spec("RW", "access", "update"),), acl=_ACL
)
def zincrby(ctx: Context, argv: list[bytes]) -> Reply:
    """Add to the score of a member, which begins with 0; the new score."""
    delta = parse_float(argv[2])
    if delta is None:
        raise ReplyError(NOT_A_FLOAT)
    return _increment(ctx, argv[1], argv[3], delta, 0)


def _increment(ctx: Context, key: bytes, member: bytes, delta: float, options: int) -> float | None:
    """Add to one score; the new one, or None if the options forbid it."""
    found = ctx.sorted_set(key, count=False)
    old = None if found is None else found.score(member)
    score = delta
    if old is None:
        if options & _XX:
            return None
    else:
        if options & _NX:
            return None
        score += old
        if score != score:
            raise ReplyError("ERR resulting score is not a number (NaN)")
        if (options & _GT and score <= old) or (options & _LT and score >= old):
            return None
        if score == old:
            return score
    add_members(ctx, key, found, {member: score}, b"zincr")
    return score


@command("ZSCORE", arity=3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zscore(ctx: Context, argv: list[bytes]) -> Reply:
    """The score of a member; null if it is not there."""
    found = ctx.sorted_set(argv[1])
    return None if found is None else found.score(argv[2])


@command("ZMSCORE", arity=-3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zmscore(ctx: Context, argv: list[bytes]) -> Reply:
    """The scores of many members; null for those that are not there."""
    found = ctx.sorted_set(argv[1])
    return [None] * (len(argv) - 2) if found is None else list(map(found.score, argv[2:]))


@command("ZCARD", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def zcard(ctx: Context, argv: list[bytes]) -> Reply:
    """How many members there are."""
    found = ctx.sorted_set(argv[1])
    return 0 if found is None else len(found)


@command("ZRANK", arity=3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zrank(ctx: Context, argv: list[bytes]) -> Reply:
    """How many elements stand before a member; null if it is not there."""
    found = ctx.sorted_set(argv[1])
    return None if found is None else found.rank(argv[2])


@command("ZREVRANK", arity=3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zrevrank(ctx: Context, argv: list[bytes]) -> Reply:
    """How many elements stand behind a member; null if it is not there."""
    found = ctx.sorted_set(argv[1])
    rank = None if found is None else found.rank(argv[2])
    return None if found is None or rank is None else len(found) - 1 - rank


@command("ZREM", arity=-3, flags=WRITE | FAST, keys=(key_spec("RW", "delete"),), acl=_ACL)
def zrem(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove members; how many there were."""
    found = ctx.sorted_set(argv[1], count=False)
    if found is None:
        return 0
    gone = [member for member in dict.fromkeys(argv[2:]) if found.score(member) is not None]
    remove_members(ctx, argv[1], found, gone)
    return len(gone)


# -- popping -------------------------------------------------------------------------------------------------


def pop_members(ctx: Context, key: bytes, count: int, *, highest: bool) -> list[Element]:
    """Take the ``count`` lowest or highest elements away, or all; nothing if there is no key.

    The first one popped comes first.  Raises WRONGTYPE.
    """
    found = ctx.sorted_set(key, count=False)
    if found is None:
        return []
    size = len(found)
    count = min(count, size)
    start = size - count if highest else 0
    popped = list(found.slice(start, start + count, reverse=highest))
    remove_members(ctx, key, found, [member for _, member in popped], b"zpopmax" if highest else b"zpopmin")
    return popped


@command("ZPOPMIN", arity=-2, flags=WRITE | FAST, keys=_POP_KEY, acl=_ACL)
def zpopmin(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the elements with the lowest scores away; they are the reply."""
    return _pop(ctx, argv, highest=False)


@command("ZPOPMAX", arity=-2, flags=WRITE | FAST, keys=_POP_KEY, acl=_ACL)
def zpopmax(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the elements with the highest scores away; they are the reply."""
    return _pop(ctx, argv, highest=True)


def _pop(ctx: Context, argv: list[bytes], *, highest: bool) -> Reply:
    if len(argv) == 2:
        return flat(pop_members(ctx, argv[1], 1, highest=highest))
    if len(argv) > 3:
        raise syntax_error()
    count = parse_integer(argv[2])
    if count is None or count < 0:
        raise ReplyError("ERR value is out of range, must be positive")
    return listed(ctx, pop_members(ctx, argv[1], count, highest=highest), True)


@command(
    "ZMPOP",
    arity=-4,
    flags=WRITE | MOVABLEKEYS,
    keys=(KeySpec(("RW", "access", "delete"), ("index", 1), ("keynum", 0, 1, 1)),),
    acl=_ACL,
)
def zmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Pop from the first key that holds something; null if none does."""
    keys, count, highest = parse_mpop(argv, 1)
    for key in keys:
        popped = pop_members(ctx, key, count, highest=highest)
        if popped:
            return mpop_reply(key, popped)
    return NULL_ARRAY


def parse_mpop(argv: Sequence[bytes], at: int) -> tuple[list[bytes], int, bool]:
    """``numkeys key … MIN|MAX [COUNT n]`` from index ``at`` on: the keys, the count, and whether MAX."""
    keys_count = parse_integer(argv[at])
    if keys_count is None or keys_count < 1:
        raise ReplyError("ERR numkeys should be greater than 0")
    where = at + 1 + keys_count
    if where >= len(argv):
        raise syntax_error()
    end = argv[where].upper()
    if end not in (b"MIN", b"MAX"):
        raise syntax_error()
    count = 1
    options = argv[where + 1 :]
    if options:
        if options[0].upper() != b"COUNT" or len(options) < 2:
            raise syntax_error()
        number = parse_integer(options[1])
        if number is None or number < 1:
            raise ReplyError("ERR count should be greater than 0")
        if len(options) > 2:
            raise syntax_error()
        count = number
    return list(argv[at + 1 : where]), count, end == b"MAX"


def mpop_reply(key: bytes, popped: list[Element]) -> Reply:
    """What ZMPOP answers when it has popped."""
    return [key, [[member, score] for score, member in popped]]


# -- by chance, and all --------------------------------------------------------------------------------------


@command("ZRANDMEMBER", arity=-2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=("nondeterministic_output",))
def zrandmember(ctx: Context, argv: list[bytes]) -> Reply:
    """A member by chance; with a count that many different ones, with a negative one each drawn from all."""
    rng = ctx.server.keyspace.rng
    if len(argv) == 2:
        found = ctx.sorted_set(argv[1])
        return None if found is None else found.choices(rng, 1)[0][0]
    count, with_scores = draw_count(argv, b"WITHSCORES")
    found = ctx.sorted_set(argv[1])
    if found is None or count == 0:
        return []
    check_draws(count)
    drawn = found.sample(rng, count) if count > 0 else found.choices(rng, -count)
    return listed(ctx, ((score, member) for member, score in drawn), with_scores)


@command("ZSCAN", arity=-3, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=("nondeterministic_output",))
def zscan(ctx: Context, argv: list[bytes]) -> Reply:
    """Some members with scores from the cursor on, and the cursor for the next call; 0 at the end."""
    cursor = parse_cursor(argv[2])
    found = ctx.sorted_set(argv[1])
    if found is None:
        return [b"0", []]
    count, matches = scan_options(argv)
    following, pairs = found.scan(cursor, count)
    words: list[bytes] = []
    for member, score in pairs:
        if matches is None or matches(member):
            words += (member, format_double(score))
    return [b"%d" % following, words]
