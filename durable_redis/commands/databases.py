"""Whole databases: their number, their size, exchanging and emptying them.

A database is known by a number that clients send as a 32-bit integer; :func:`database_argument` reads it.
Emptying takes constant time whatever the size: the effect gives the database a new space and the old one is
swept later, so SYNC and ASYNC mean the same here.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.table import FAST, READONLY, WRITE, command
from durable_redis.errors import DB_OUT_OF_RANGE, NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.keyspace.database import Database
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1
NOT_INT32 = f"ERR value is out of range, value must between {INT32_MIN} and {INT32_MAX}"


def database_argument(ctx: Context, raw: bytes) -> Database:
    """The database that a client named by its number.  Raises what is wrong with the number."""
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    if not INT32_MIN <= number <= INT32_MAX:
        raise ReplyError(NOT_INT32)
    return _numbered(ctx, number)


def _numbered(ctx: Context, number: int) -> Database:
    if not 0 <= number < ctx.server.keyspace.database_count:
        raise ReplyError(DB_OUT_OF_RANGE)
    return ctx.server.keyspace.database(number)


@command(
    "DBSIZE",
    arity=1,
    flags=READONLY | FAST,
    acl=("keyspace",),
    tips=("request_policy:all_shards", "response_policy:agg_sum"),
)
def dbsize(ctx: Context, argv: list[bytes]) -> Reply:
    """How many keys the selected database has, expired ones that nobody has removed yet included."""
    return ctx.db.size


@command("SWAPDB", arity=3, flags=WRITE | FAST, acl=("dangerous", "keyspace"))
def swapdb(ctx: Context, argv: list[bytes]) -> Reply:
    """Exchange the contents of two databases; who has selected one sees the contents of the other."""
    first = _swap_argument(argv[1], "first")
    second = _swap_argument(argv[2], "second")
    _numbered(ctx, first)
    _numbered(ctx, second)
    if first != second:
        ctx.apply(b"SWAPDB", b"%d" % first, b"%d" % second)
    return OK


def _swap_argument(raw: bytes, which: str) -> int:
    number = parse_integer(raw)
    if number is None or not INT32_MIN <= number <= INT32_MAX:
        raise ReplyError(f"ERR invalid {which} DB index")
    return number


@command(
    "FLUSHDB",
    arity=-1,
    flags=WRITE,
    acl=("dangerous", "keyspace"),
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def flushdb(ctx: Context, argv: list[bytes]) -> Reply:
    """Empty the selected database."""
    _check_flush_options(argv)
    if ctx.db.size:
        ctx.apply(b"FLUSHDB")
    return OK


@command(
    "FLUSHALL",
    arity=-1,
    flags=WRITE,
    acl=("dangerous", "keyspace"),
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def flushall(ctx: Context, argv: list[bytes]) -> Reply:
    """Empty every database."""
    _check_flush_options(argv)
    keyspace = ctx.server.keyspace
    if any(keyspace.counts(number)[0] for number in range(keyspace.database_count)):
        ctx.apply(b"FLUSHALL")
    return OK


def _check_flush_options(argv: list[bytes]) -> None:
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() not in (b"SYNC", b"ASYNC")):
        raise syntax_error()
