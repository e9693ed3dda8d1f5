"""Unions, intersections and differences of sorted sets; sets take part as if each score were 1.

Scores are added in the order in which Redis adds them, the smallest operand first, because sums of doubles
depend on it.  Where a sum or a product is not a number (``inf - inf``, ``0 * inf``), it counts as 0.

Only the smallest operand of an intersection is walked through, and of the others single members are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.sorted_set_parts import Element, becomes_large, listed, replace
from durable_redis.commands.table import (
    DENYOOM,
    MOVABLEKEYS,
    READONLY,
    WRITE,
    KeySpec,
    command,
    key_spec,
)
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error, wrong_type
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.resp.numbers import parse_float, parse_integer
from durable_redis.resp.replies import Reply

_ACL: Final = ("sortedset",)
_KEYS: Final = (KeySpec(("RO", "access"), ("index", 1), ("keynum", 0, 1, 1)),)
_STORE_KEYS: Final = (
    key_spec("OW", "update"),
    KeySpec(("RO", "access"), ("index", 2), ("keynum", 0, 1, 1)),
)
_READ: Final = READONLY | MOVABLEKEYS
_STORE: Final = WRITE | DENYOOM | MOVABLEKEYS

Operand = SortedSet | Set | None
Aggregate = Callable[[float, float], float]


def _sum(total: float, score: float) -> float:
    total += score
    return total if total == total else 0.0


def _minimum(lowest: float, score: float) -> float:
    return score if score < lowest else lowest


def _maximum(highest: float, score: float) -> float:
    return score if score > highest else highest


_AGGREGATES: Final[dict[bytes, Aggregate]] = {b"SUM": _sum, b"MIN": _minimum, b"MAX": _maximum}


class _Request:
    """What the words after the number of keys say."""

    __slots__ = ("aggregate", "limit", "operands", "weights", "with_scores")

    def __init__(self, operands: list[Operand]) -> None:
        self.operands = operands
        self.weights = [1.0] * len(operands)
        self.aggregate: Aggregate = _sum
        self.with_scores = False
        self.limit = 0

    def weighted(self) -> list[tuple[Operand, float]]:
        """The operands with their weights, the smallest first, equal ones in the order of the request."""
        pairs = zip(self.operands, self.weights, strict=True)
        return sorted(pairs, key=lambda pair: 0 if pair[0] is None else len(pair[0]))


def _parse(
    ctx: Context,
    argv: list[bytes],
    at: int,
    *,
    weighted: bool = False,
    scored: bool = False,
    limited: bool = False,
) -> _Request:
    """``numkeys key …`` from index ``at`` on, then the options that the command has."""
    count = parse_integer(argv[at])
    if count is None:
        raise ReplyError(NOT_AN_INTEGER)
    if count < 1:
        name = argv[0].lower().decode("latin-1")
        raise ReplyError(f"ERR at least 1 input key is needed for '{name}' command")
    at += 1
    if count > len(argv) - at:
        raise syntax_error()
    request = _Request([_operand(ctx, key) for key in argv[at : at + count]])
    at += count
    size = len(argv)
    while at < size:
        option = argv[at].upper()
        at += 1
        if option == b"WEIGHTS" and weighted and size - at >= count:
            request.weights = [_weight(raw) for raw in argv[at : at + count]]
            at += count
        elif option == b"AGGREGATE" and weighted and at < size:
            aggregate = _AGGREGATES.get(argv[at].upper())
            if aggregate is None:
                raise syntax_error()
            request.aggregate = aggregate
            at += 1
        elif option == b"WITHSCORES" and scored:
            request.with_scores = True
        elif option == b"LIMIT" and limited and at < size:
            limit = parse_integer(argv[at])
            if limit is None or limit < 0:
                raise ReplyError("ERR LIMIT can't be negative")
            request.limit = limit
            at += 1
        else:
            raise syntax_error()
    return request


def _operand(ctx: Context, key: bytes) -> Operand:
    value = ctx.read(key)
    if value is None or isinstance(value, SortedSet | Set):
        return value
    raise wrong_type()


def _weight(raw: bytes) -> float:
    weight = parse_float(raw)
    if weight is None:
        raise ReplyError("ERR weight value is not a float")
    return weight


# -- operands ------------------------------------------------------------------------------------------------


def _elements(operand: SortedSet | Set) -> Iterable[Element]:
    if isinstance(operand, SortedSet):
        return operand.slice(0, len(operand))
    return ((1.0, member) for member in operand)


def _score(operand: SortedSet | Set, member: bytes) -> float | None:
    if isinstance(operand, SortedSet):
        return operand.score(member)
    return 1.0 if member in operand else None


def _union(request: _Request) -> dict[bytes, float]:
    scores: dict[bytes, float] = {}
    aggregate = request.aggregate
    for operand, weight in request.weighted():
        if operand is None:
            continue
        for plain, member in _elements(operand):
            score = plain * weight
            if score != score:
                score = 0.0
            old = scores.get(member)
            scores[member] = score if old is None else aggregate(old, score)
    return scores


def _intersection(request: _Request) -> dict[bytes, float]:
    scores: dict[bytes, float] = {}
    (first, weight), *others = request.weighted()
    if first is None:
        return scores
    aggregate = request.aggregate
    for plain, member in _elements(first):
        score = plain * weight
        if score != score:
            score = 0.0
        for operand, other_weight in others:
            assert operand is not None, "the smallest operand comes first"
            other = _score(operand, member)
            if other is None:
                break
            score = aggregate(score, other * other_weight)
        else:
            scores[member] = score
    return scores


def _difference(request: _Request) -> dict[bytes, float]:
    first, *rest = request.operands
    if first is None or any(operand is first for operand in rest):
        return {}
    others = [operand for operand in rest if operand is not None]
    if sum(map(len, others)) < len(first):
        # Fewer members to take away than to ask for.
        left = {member: score for score, member in _elements(first)}
        for operand in others:
            for _, member in _elements(operand):
                left.pop(member, None)
        return left
    return {
        member: score
        for score, member in _elements(first)
        if all(_score(operand, member) is None for operand in others)
    }


# -- commands ------------------------------------------------------------------------------------------------


def _reply(ctx: Context, scores: dict[bytes, float], with_scores: bool) -> Reply:
    return listed(ctx, sorted((score, member) for member, score in scores.items()), with_scores)


def _stored(ctx: Context, key: bytes, scores: dict[bytes, float], event: bytes) -> int:
    in_order = {
        member: score for score, member in sorted((score, member) for member, score in scores.items())
    }
    return replace(ctx, key, in_order, event, large=becomes_large(ctx, in_order))


@command("ZUNION", arity=-3, flags=_READ, keys=_KEYS, acl=_ACL)
def zunion(ctx: Context, argv: list[bytes]) -> Reply:
    """The members that any operand has."""
    request = _parse(ctx, argv, 1, weighted=True, scored=True)
    return _reply(ctx, _union(request), request.with_scores)


@command("ZINTER", arity=-3, flags=_READ, keys=_KEYS, acl=_ACL)
def zinter(ctx: Context, argv: list[bytes]) -> Reply:
    """The members that all operands have."""
    request = _parse(ctx, argv, 1, weighted=True, scored=True)
    return _reply(ctx, _intersection(request), request.with_scores)


@command("ZDIFF", arity=-3, flags=_READ, keys=_KEYS, acl=_ACL)
def zdiff(ctx: Context, argv: list[bytes]) -> Reply:
    """The members that only the first operand has."""
    request = _parse(ctx, argv, 1, scored=True)
    return _reply(ctx, _difference(request), request.with_scores)


@command("ZINTERCARD", arity=-3, flags=_READ, keys=_KEYS, acl=_ACL)
def zintercard(ctx: Context, argv: list[bytes]) -> Reply:
    """How many members all operands have; counting ends at LIMIT."""
    request = _parse(ctx, argv, 1, limited=True)
    (first, _), *others = request.weighted()
    if first is None:
        return 0
    operands = [operand for operand, _ in others if operand is not None]
    count = 0
    for _, member in _elements(first):
        if all(_score(operand, member) is not None for operand in operands):
            count += 1
            if count == request.limit:
                break
    return count


@command("ZUNIONSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, acl=_ACL)
def zunionstore(ctx: Context, argv: list[bytes]) -> Reply:
    """Store the members that any operand has; how many there are."""
    return _stored(ctx, argv[1], _union(_parse(ctx, argv, 2, weighted=True)), b"zunionstore")


@command("ZINTERSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, acl=_ACL)
def zinterstore(ctx: Context, argv: list[bytes]) -> Reply:
    """Store the members that all operands have; how many there are."""
    return _stored(ctx, argv[1], _intersection(_parse(ctx, argv, 2, weighted=True)), b"zinterstore")


@command("ZDIFFSTORE", arity=-4, flags=_STORE, keys=_STORE_KEYS, acl=_ACL)
def zdiffstore(ctx: Context, argv: list[bytes]) -> Reply:
    """Store the members that only the first operand has; how many there are."""
    return _stored(ctx, argv[1], _difference(_parse(ctx, argv, 2)), b"zdiffstore")
