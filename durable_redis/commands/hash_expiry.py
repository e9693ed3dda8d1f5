"""Deadlines of single hash fields: HEXPIRE and its family (Redis 7.4).

They answer with one number for each field.  The effects are HPEXPIREAT with an absolute time, HPERSIST, and
HDEL for a time that has passed already.  Source: https://redis.io/docs/latest/commands/hexpire/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.strings import integer_argument
from durable_redis.commands.table import DENYOOM, FAST, READONLY, WRITE, KeySpec, command, key_spec
from durable_redis.errors import ReplyError
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_timed import HasDeadlines
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

DEADLINE_MS_MAX: Final = ((1 << 48) - 2) >> 2  # as in Redis
NO_FIELD: Final = -2
NO_DEADLINE: Final = -1
NOT_MET: Final = 0
DONE: Final = 1
DELETED: Final = 2

_SET_KEY: Final[tuple[KeySpec, ...]] = (key_spec("RW", "update"),)
_READ_KEY: Final[tuple[KeySpec, ...]] = (key_spec("RO", "access"),)
_SETS: Final = WRITE | DENYOOM | FAST
_READS: Final = READONLY | FAST
_ACL: Final = ("hash",)
_CONDITIONS: Final[dict[bytes, Callable[[int, int], bool]]] = {
    b"NX": lambda old_ms, new_ms: not old_ms,
    b"XX": lambda old_ms, new_ms: bool(old_ms),
    b"GT": lambda old_ms, new_ms: 0 < old_ms < new_ms,
    b"LT": lambda old_ms, new_ms: not old_ms or new_ms < old_ms,
}


# -- setting -------------------------------------------------------------------------------------------------


@command("HEXPIRE", arity=-6, flags=_SETS, keys=_SET_KEY, acl=_ACL)
def hexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """Let fields go after some seconds."""
    return _expire(ctx, argv, 1000, ctx.now_ms)


@command("HPEXPIRE", arity=-6, flags=_SETS, keys=_SET_KEY, acl=_ACL)
def hpexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """Let fields go after some milliseconds."""
    return _expire(ctx, argv, 1, ctx.now_ms)


@command("HEXPIREAT", arity=-6, flags=_SETS, keys=_SET_KEY, acl=_ACL)
def hexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """Let fields go at a time in seconds since 1970."""
    return _expire(ctx, argv, 1000, 0)


@command("HPEXPIREAT", arity=-6, flags=_SETS, keys=_SET_KEY, acl=_ACL)
def hpexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """Let fields go at a time in milliseconds since 1970."""
    return _expire(ctx, argv, 1, 0)


def _expire(ctx: Context, argv: list[bytes], unit_ms: int, from_ms: int) -> Reply:
    found = ctx.hash(argv[1], count=False)
    deadline_ms = _deadline(argv, unit_ms, from_ms)
    condition = _CONDITIONS.get(argv[3].upper())
    fields = _fields(argv, 3 if condition is None else 4, "Parameter `numFields` should be greater than 0")
    if found is None:
        return [NO_FIELD] * len(fields)
    results: list[int] = []
    chosen: dict[bytes, None] = {}
    passed = deadline_ms <= ctx.now_ms
    for field in fields:
        if found.get(field) is None or (passed and field in chosen):
            results.append(NO_FIELD)
            continue
        before_ms = deadline_ms if field in chosen else _deadline_of(found, field)
        if condition is not None and not condition(before_ms, deadline_ms):
            results.append(NOT_MET)
            continue
        chosen[field] = None
        results.append(DELETED if passed else DONE)
    if chosen and passed:
        ctx.apply(b"HDEL", argv[1], *chosen)
    elif chosen:
        ctx.apply(b"HPEXPIREAT", argv[1], b"%d" % deadline_ms, b"FIELDS", b"%d" % len(chosen), *chosen)
    return results


def _deadline(argv: list[bytes], unit_ms: int, from_ms: int) -> int:
    """The time that the second argument means, in milliseconds since 1970.  Raises what is wrong with it."""
    number = integer_argument(argv[2])
    if number < 0:
        raise ReplyError("ERR invalid expire time, must be >= 0")
    deadline_ms = from_ms + number * unit_ms
    if deadline_ms > DEADLINE_MS_MAX:
        raise ReplyError(f"ERR invalid expire time in '{argv[0].decode('latin-1').lower()}' command")
    return deadline_ms


@command("HPERSIST", arity=-5, flags=WRITE | FAST, keys=_SET_KEY, acl=_ACL)
def hpersist(ctx: Context, argv: list[bytes]) -> Reply:
    """Let fields stay."""
    found = ctx.hash(argv[1], count=False)
    fields = _fields(argv, 2)
    results: list[int] = []
    chosen: dict[bytes, None] = {}
    for field in fields:
        if found is None or found.get(field) is None:
            results.append(NO_FIELD)
        elif field in chosen or not _deadline_of(found, field):
            results.append(NO_DEADLINE)
        else:
            chosen[field] = None
            results.append(DONE)
    if chosen:
        ctx.apply(b"HPERSIST", argv[1], b"FIELDS", b"%d" % len(chosen), *chosen)
    return results


# -- looking -------------------------------------------------------------------------------------------------


@command("HTTL", arity=-5, flags=_READS, keys=_READ_KEY, acl=_ACL, tips=("nondeterministic_output",))
def httl(ctx: Context, argv: list[bytes]) -> Reply:
    """How many seconds fields have left, rounded up."""
    return _times(ctx, argv, lambda ms: -((ctx.now_ms - ms) // 1000))


@command("HPTTL", arity=-5, flags=_READS, keys=_READ_KEY, acl=_ACL, tips=("nondeterministic_output",))
def hpttl(ctx: Context, argv: list[bytes]) -> Reply:
    """How many milliseconds fields have left."""
    return _times(ctx, argv, lambda ms: ms - ctx.now_ms)


@command("HEXPIRETIME", arity=-5, flags=_READS, keys=_READ_KEY, acl=_ACL)
def hexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """When fields go, in seconds since 1970, rounded up."""
    return _times(ctx, argv, lambda ms: -(-ms // 1000))


@command("HPEXPIRETIME", arity=-5, flags=_READS, keys=_READ_KEY, acl=_ACL)
def hpexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """When fields go, in milliseconds since 1970."""
    return _times(ctx, argv, lambda ms: ms)


def _times(ctx: Context, argv: list[bytes], shown: Callable[[int], int]) -> Reply:
    found = ctx.hash(argv[1])
    fields = _fields(argv, 2)
    results: list[int] = []
    for field in fields:
        if found is None or found.get(field) is None:
            results.append(NO_FIELD)
        else:
            deadline_ms = _deadline_of(found, field)
            results.append(shown(deadline_ms) if deadline_ms else NO_DEADLINE)
    return results


def _deadline_of(found: Hash, field: bytes) -> int:
    return found.deadline(field) if isinstance(found, HasDeadlines) else 0


def _fields(
    argv: list[bytes], at: int, wrong_number: str = "Number of fields must be a positive integer"
) -> list[bytes]:
    """What stands behind ``FIELDS n``.  Raises what is wrong with it, in Redis's words."""
    if at + 1 >= len(argv) or argv[at].upper() != b"FIELDS":
        raise ReplyError("ERR Mandatory argument FIELDS is missing or not at the right position")
    number = parse_integer(argv[at + 1])
    if number is None or number < 1:
        raise ReplyError(f"ERR {wrong_number}")
    if number != len(argv) - at - 2:
        raise ReplyError("ERR The `numfields` parameter must match the number of arguments")
    return argv[at + 2 :]
