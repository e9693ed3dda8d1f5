"""Sorted set commands on ranges: by rank, by score, and by member where all scores are the same.

Every bound, of whatever kind and whichever end, is a *cut*: the place before the first element that is not
below it; None is the place behind the last one.  A range is what lies between two cuts, so counting it is
two searches.  An exclusive low bound and an inclusive high one cut just behind their score or member: the
next double, or the member and a zero byte.

Where the scores differ, ranges by member mean nothing, in Redis as here.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nextafter
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.sorted_set_parts import Element, listed, remove_slice, replace
from durable_redis.commands.table import DENYOOM, FAST, READ_KEY, READONLY, WRITE, command, key_spec
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

_ACL: Final = ("sortedset",)
_DELETE_KEY: Final = (key_spec("RW", "delete"),)
_RANK, _SCORE, _LEX = range(3)
_BLANKS: Final = b" \t\n\v\f\r"
_NOT_A_SCORE: Final = "ERR min or max is not a float"
_NOT_A_MEMBER: Final = "ERR min or max not valid string range item"

Cut = float | bytes | None


# -- bounds --------------------------------------------------------------------------------------------------


def _integer(raw: bytes) -> int:
    value = parse_integer(raw)
    if value is None:
        raise ReplyError(NOT_AN_INTEGER)
    return value


def _score_cut(raw: bytes, high: bool) -> float | None:
    """The cut of a score that a client wrote, ``(`` before it if it is to be left out."""
    exclusive = raw.startswith(b"(")
    score = _score(raw[1:] if exclusive else raw)
    if score is None:
        raise ReplyError(_NOT_A_SCORE)
    if exclusive == high:
        return score
    return nextafter(score, inf) if score != inf else None


def _score(raw: bytes) -> float | None:
    """A number as C's ``strtod`` reads all of a string: blanks before it are allowed, nothing is 0.

    None for NaN and for what is no number.  What is too large is infinite.
    """
    try:
        value = float(raw)
    except ValueError:
        text, null, _ = raw.partition(b"\0")
        if null:
            return _score(text)
        return _hex_score(text) if text else 0.0
    return None if value != value or raw[-1] in _BLANKS or b"_" in raw else value


def _hex_score(raw: bytes) -> float | None:
    text = raw.lstrip(_BLANKS)
    unsigned = text[1:] if text[:1] in (b"+", b"-") else text
    if unsigned[:2].lower() != b"0x" or text[-1] in _BLANKS:
        return None
    try:
        return float.fromhex(text.decode("ascii"))
    except OverflowError:
        return -inf if text[:1] == b"-" else inf
    except ValueError:
        return None


def _lex_cut(raw: bytes, high: bool) -> bytes | None:
    """The cut of a member that a client wrote: ``[member``, ``(member``, or ``-`` and ``+`` for the ends."""
    mark = raw[:1]
    if mark in (b"[", b"("):
        member = raw[1:]
        return member if (mark == b"(") == high else member + b"\0"
    if mark in (b"-", b"+") and raw[1:2] in (b"", b"\0"):
        return b"" if mark == b"-" else None
    raise ReplyError(_NOT_A_MEMBER)


def _cuts(by: int, low: bytes, high: bytes) -> tuple[Cut, Cut]:
    if by == _SCORE:
        return _score_cut(low, False), _score_cut(high, True)
    return _lex_cut(low, False), _lex_cut(high, True)


def _place(found: SortedSet, cut: Cut) -> int:
    """How many elements lie before a cut."""
    if cut is None:
        return len(found)
    if type(cut) is bytes:
        return found.index_of((found.first_score(), cut)) if cut else 0
    assert type(cut) is float
    return found.index_of((cut,))


def _ranks(first: int, last: int, size: int) -> tuple[int, int]:
    """Start and stop of a range of ranks, both included; negative ones count from the end."""
    start = max(first + size, 0) if first < 0 else first
    stop = last + size + 1 if last < 0 else min(last + 1, size)
    return start, stop


# -- counting and removing -----------------------------------------------------------------------------------


@command("ZCOUNT", arity=4, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zcount(ctx: Context, argv: list[bytes]) -> Reply:
    """How many members have scores within a range."""
    return _count(ctx, argv, _SCORE)


@command("ZLEXCOUNT", arity=4, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def zlexcount(ctx: Context, argv: list[bytes]) -> Reply:
    """How many members lie between two."""
    return _count(ctx, argv, _LEX)


def _count(ctx: Context, argv: list[bytes], by: int) -> int:
    low, high = _cuts(by, argv[2], argv[3])
    found = ctx.sorted_set(argv[1])
    return 0 if found is None else max(0, _place(found, high) - _place(found, low))


@command("ZREMRANGEBYRANK", arity=4, flags=WRITE, keys=_DELETE_KEY, acl=_ACL)
def zremrangebyrank(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove the members of a range of ranks; how many there were."""
    first, last = _integer(argv[2]), _integer(argv[3])
    found = ctx.sorted_set(argv[1], count=False)
    if found is None:
        return 0
    start, stop = _ranks(first, last, len(found))
    return remove_slice(ctx, argv[1], found, start, stop, b"zremrangebyrank")


@command("ZREMRANGEBYSCORE", arity=4, flags=WRITE, keys=_DELETE_KEY, acl=_ACL)
def zremrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove the members with scores within a range; how many there were."""
    return _remove(ctx, argv, _SCORE)


@command("ZREMRANGEBYLEX", arity=4, flags=WRITE, keys=_DELETE_KEY, acl=_ACL)
def zremrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove the members between two; how many there were."""
    return _remove(ctx, argv, _LEX)


def _remove(ctx: Context, argv: list[bytes], by: int) -> int:
    low, high = _cuts(by, argv[2], argv[3])
    found = ctx.sorted_set(argv[1], count=False)
    if found is None:
        return 0
    event = b"zremrangebyscore" if by == _SCORE else b"zremrangebylex"
    return remove_slice(ctx, argv[1], found, _place(found, low), _place(found, high), event)


# -- reading -------------------------------------------------------------------------------------------------


@command("ZRANGE", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrange(ctx: Context, argv: list[bytes]) -> Reply:
    """The members of a range of ranks, BYSCORE or BYLEX."""
    return listed(ctx, *_select(ctx, argv, None, None))


@command("ZREVRANGE", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrevrange(ctx: Context, argv: list[bytes]) -> Reply:
    """The members of a range of ranks, counted from the highest score down."""
    return listed(ctx, *_select(ctx, argv, _RANK, True))


@command("ZRANGEBYSCORE", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """The members with scores within a range, the lowest first."""
    return listed(ctx, *_select(ctx, argv, _SCORE, False))


@command("ZREVRANGEBYSCORE", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrevrangebyscore(ctx: Context, argv: list[bytes]) -> Reply:
    """The members with scores within a range (maximum, minimum), the highest first."""
    return listed(ctx, *_select(ctx, argv, _SCORE, True))


@command("ZRANGEBYLEX", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """The members between two, in order."""
    return listed(ctx, *_select(ctx, argv, _LEX, False))


@command("ZREVRANGEBYLEX", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def zrevrangebylex(ctx: Context, argv: list[bytes]) -> Reply:
    """The members between two (maximum, minimum), the last one first."""
    return listed(ctx, *_select(ctx, argv, _LEX, True))


@command(
    "ZRANGESTORE",
    arity=-5,
    flags=WRITE | DENYOOM,
    keys=(key_spec("OW", "update"), key_spec("RO", "access", first=2)),
    acl=_ACL,
    positions=(1, 2, 1),
)
def zrangestore(ctx: Context, argv: list[bytes]) -> Reply:
    """Store what ZRANGE would answer; how many elements that are."""
    elements, _ = _select(ctx, argv[1:], None, None, store=True)
    scores = {member: score for score, member in elements}
    # Redis counts the elements of a range of ranks first, those of any other range as they come.
    counted = not any(word.upper() in (b"BYSCORE", b"BYLEX") for word in argv[5:])
    large = counted and len(scores) > ctx.server.keyspace.limits.sorted_set_entries
    return replace(ctx, argv[1], scores, b"zrangestore", large=large)


def _select(
    ctx: Context, argv: list[bytes], by: int | None, reverse: bool | None, *, store: bool = False
) -> tuple[Iterable[Element], bool]:
    """The elements that ``name key min max [option …]`` asks for, and whether the scores are asked for too.

    ``by`` and ``reverse`` are None where options may say it.
    """
    offset, limit = 0, -1
    with_scores = False
    at, size = 4, len(argv)
    while at < size:
        option = argv[at].upper()
        if option == b"WITHSCORES" and not store:
            with_scores = True
        elif option == b"LIMIT" and at + 2 < size:
            offset, limit = _integer(argv[at + 1]), _integer(argv[at + 2])
            at += 2
        elif option == b"REV" and reverse is None:
            reverse = True
        elif option == b"BYSCORE" and by is None:
            by = _SCORE
        elif option == b"BYLEX" and by is None:
            by = _LEX
        else:
            raise syntax_error()
        at += 1
    if limit != -1 and (by or _RANK) == _RANK:
        raise ReplyError(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
        )
    if with_scores and by == _LEX:
        raise ReplyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    if by is None or by == _RANK:
        return _by_rank(ctx, argv, bool(reverse)), with_scores
    return _between(ctx, argv, by, bool(reverse), offset, limit), with_scores


def _by_rank(ctx: Context, argv: list[bytes], reverse: bool) -> Iterable[Element]:
    first, last = _integer(argv[2]), _integer(argv[3])
    found = ctx.sorted_set(argv[1])
    if found is None:
        return ()
    size = len(found)
    start, stop = _ranks(first, last, size)
    if start >= stop:
        return ()
    return found.slice(size - stop, size - start, reverse=True) if reverse else found.slice(start, stop)


def _between(
    ctx: Context, argv: list[bytes], by: int, reverse: bool, offset: int, limit: int
) -> Iterable[Element]:
    low, high = _cuts(by, argv[3], argv[2]) if reverse else _cuts(by, argv[2], argv[3])
    found = ctx.sorted_set(argv[1])
    if found is None or offset < 0:
        return ()
    start, stop = _place(found, low), _place(found, high)
    if reverse:
        stop -= offset
        start = max(start, stop - limit) if limit >= 0 else start
    else:
        start += offset
        stop = min(stop, start + limit) if limit >= 0 else stop
    return found.slice(start, stop, reverse=reverse) if start < stop else ()
