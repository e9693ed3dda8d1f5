"""String commands: bytes under a key, whole, in part, or counted up and down.

A command decides, an effect acts: each function reads through ``ctx``, checks everything that can be wrong,
hands effects to ``ctx.apply`` and answers.  Relative times become absolute ones before they reach an effect,
and a time that has passed becomes a DEL.  A string that was changed in part is stored as a ``bytearray``, so
whatever goes into a reply is copied.

GET, SET and INCR here are the reference: the engine has shorter versions of them for the plain case.  LCS is
in ``lcs.py``.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.expiry_options import deadline_ms, parse_getex_options, parse_set_options
from durable_redis.commands.table import (
    DENYOOM,
    FAST,
    READ_KEY,
    READ_KEY_META,
    READONLY,
    UPDATE_KEY,
    WRITE,
    command,
    key_spec,
)
from durable_redis.errors import NOT_A_FLOAT, NOT_AN_INTEGER, ReplyError
from durable_redis.objects.entry import expires_of, kind_of
from durable_redis.objects.string import EMBSTR_BYTES_MAX, string_data
from durable_redis.resp.numbers import LONG_DOUBLE_BYTES_MAX, add_long_double, parse_integer
from durable_redis.resp.replies import OK, Reply
from storage.records import TYPE_STRING

_INT64_MIN = -(1 << 63)
_INT64_MAX = (1 << 63) - 1
_NUMBER_BYTES_MAX = 20
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
_WOULD_OVERFLOW = "ERR increment or decrement would overflow"
_COUNTER_KEY = (key_spec("RW", "access", "update"),)


def string_bytes_max(ctx: Context) -> int:
    """How long a string may become, in bytes: the option ``proto-max-bulk-len``."""
    return ctx.server.config.get_int("proto-max-bulk-len")


def integer_argument(raw: bytes) -> int:
    """A 64-bit integer that a client sent; raises what Redis says when it is none."""
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    return number


# -- whole values --------------------------------------------------------------------------------------------


@command("GET", arity=2, flags=READONLY | FAST, keys=READ_KEY, acl=("string",))
def get(ctx: Context, argv: list[bytes]) -> Reply:
    """The value of a key."""
    data = ctx.string(argv[1])
    return bytes(data) if type(data) is bytearray else data


@command(
    "SET",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(
        key_spec(
            "RW",
            "access",
            "update",
            "variable_flags",
            notes="with GET the old value is returned, so the key also counts as read",
        ),
    ),
    acl=("string",),
)
def set_(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a key to a string, whatever it held; conditions, expiry and the old value on demand."""
    key, value = argv[1], argv[2]
    if len(argv) == 3:
        ctx.apply(b"SET", key, value)
        return OK
    options = parse_set_options(argv)
    expires_ms = 0
    if options.amount is not None:
        expires_ms = deadline_ms(options.expiry, options.amount, ctx.now_ms, "set")
    reply: Reply = OK
    if options.get:
        reply = get(ctx, argv)
    if options.condition and (ctx.peek(key) is None) is (options.condition == b"XX"):
        return reply if options.get else None
    if expires_ms:
        _set_expiring(ctx, key, value, expires_ms)
    elif options.expiry == b"KEEPTTL":
        # The effect names the expiry: what was there may be gone from the log's point of view (UNLINK of a
        # large collection).  A key whose time has come leaves here, so its expiry is not kept.
        old = ctx.peek(key)
        expires_ms = 0 if old is None else expires_of(old)
        if expires_ms:
            ctx.apply(b"SET", key, value, b"PXAT", b"%d" % expires_ms, event=b"set")
        else:
            ctx.apply(b"SET", key, value)
    else:
        ctx.apply(b"SET", key, value)
    return reply


def _set_expiring(ctx: Context, key: bytes, value: bytes, expires_ms: int) -> None:
    """Set a key that expires.

    As in Redis one that has expired already is set all the same, and found expired later.
    """
    ctx.apply(b"SET", key, value, b"PXAT", b"%d" % expires_ms)


@command("SETEX", arity=4, flags=WRITE | DENYOOM, keys=(key_spec("OW", "update"),), acl=("string",))
def setex(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a key that expires after seconds."""
    _set_expiring(ctx, argv[1], argv[3], deadline_ms(b"EX", argv[2], ctx.now_ms, "setex"))
    return OK


@command("PSETEX", arity=4, flags=WRITE | DENYOOM, keys=(key_spec("OW", "update"),), acl=("string",))
def psetex(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a key that expires after milliseconds."""
    _set_expiring(ctx, argv[1], argv[3], deadline_ms(b"PX", argv[2], ctx.now_ms, "psetex"))
    return OK


@command("SETNX", arity=3, flags=WRITE | DENYOOM | FAST, keys=(key_spec("OW", "insert"),), acl=("string",))
def setnx(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a key that does not exist; whether it was set."""
    if ctx.peek(argv[1]) is not None:
        return 0
    ctx.apply(b"SET", argv[1], argv[2])
    return 1


@command("GETSET", arity=3, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def getset(ctx: Context, argv: list[bytes]) -> Reply:
    """Set a key; the old value."""
    old = get(ctx, argv)
    ctx.apply(b"SET", argv[1], argv[2])
    return old


@command("GETDEL", arity=2, flags=WRITE | FAST, keys=(key_spec("RW", "access", "delete"),), acl=("string",))
def getdel(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete a key; the value it had."""
    old = get(ctx, argv)
    if old is not None:
        ctx.apply(b"DEL", argv[1])
    return old


@command(
    "GETEX",
    arity=-2,
    flags=WRITE | FAST,
    keys=(
        key_spec(
            "RW",
            "access",
            "update",
            notes="an option may change the expiry time, so the key counts as updated",
        ),
    ),
    acl=("string",),
)
def getex(ctx: Context, argv: list[bytes]) -> Reply:
    """The value of a key; its expiry is set or removed on demand."""
    key = argv[1]
    options = parse_getex_options(argv)
    reply = get(ctx, argv)
    if reply is None or not options.expiry:
        return reply
    if options.expiry == b"PERSIST":
        value = ctx.peek(key)
        if value is not None and expires_of(value):
            ctx.apply(b"PERSIST", key)
        return reply
    assert options.amount is not None, "every other expiry option takes an amount"
    expires_ms = deadline_ms(options.expiry, options.amount, ctx.now_ms, "getex")
    if expires_ms > ctx.now_ms:
        ctx.apply(b"PEXPIREAT", key, b"%d" % expires_ms)
    else:
        ctx.apply(b"DEL", key)
    return reply


# -- many at once --------------------------------------------------------------------------------------------


@command(
    "MGET",
    arity=-2,
    flags=READONLY | FAST,
    keys=(key_spec("RO", "access", last=-1),),
    acl=("string",),
    tips=("request_policy:multi_shard",),
)
def mget(ctx: Context, argv: list[bytes]) -> Reply:
    """The values of many keys; null for those that are missing or no strings."""
    read = ctx.read
    replies: list[bytes | None] = []
    for key in argv[1:]:
        value = read(key)
        if type(value) is bytes or value is None:
            replies.append(value)
        else:
            replies.append(bytes(string_data(value)) if kind_of(value) == TYPE_STRING else None)
    return replies


@command(
    "MSET",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key_spec("OW", "update", last=-1, step=2),),
    acl=("string",),
    tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
)
def mset(ctx: Context, argv: list[bytes]) -> Reply:
    """Set many keys at once."""
    if len(argv) % 2 == 0:
        raise ReplyError("ERR wrong number of arguments for 'mset' command")
    ctx.apply(b"MSET", *argv[1:])
    return OK


@command(
    "MSETNX",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key_spec("OW", "insert", last=-1, step=2),),
    acl=("string",),
    tips=("request_policy:multi_shard", "response_policy:agg_min"),
)
def msetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """Set many keys if none of them exists; whether they were set."""
    if len(argv) % 2 == 0:
        raise ReplyError("ERR wrong number of arguments for 'msetnx' command")
    if any(ctx.peek(key) is not None for key in argv[1::2]):
        return 0
    ctx.apply(b"MSET", *argv[1:])
    return 1


# -- numbers -------------------------------------------------------------------------------------------------


def _counter(ctx: Context, key: bytes) -> int:
    """The number under a key, 0 if there is none; raises when the value is not one."""
    data = ctx.string(key, count=False)
    if data is None:
        return 0
    # A long value is no number, and its bytes need not be copied to find that out.
    number = parse_integer(bytes(data)) if len(data) <= _NUMBER_BYTES_MAX else None
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    return number


def _check_sum(total: int) -> None:
    if not _INT64_MIN <= total <= _INT64_MAX:
        raise ReplyError(_WOULD_OVERFLOW)


@command("INCR", arity=2, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def incr(ctx: Context, argv: list[bytes]) -> Reply:
    """Count a key up by one; the new number."""
    _check_sum(_counter(ctx, argv[1]) + 1)
    return ctx.apply(b"INCR", argv[1])


@command("DECR", arity=2, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def decr(ctx: Context, argv: list[bytes]) -> Reply:
    """Count a key down by one; the new number."""
    _check_sum(_counter(ctx, argv[1]) - 1)
    return ctx.apply(b"DECR", argv[1])


@command("INCRBY", arity=3, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def incrby(ctx: Context, argv: list[bytes]) -> Reply:
    """Add an integer to a key; the new number."""
    delta = integer_argument(argv[2])
    _check_sum(_counter(ctx, argv[1]) + delta)
    return ctx.apply(b"INCRBY", argv[1], argv[2])


@command("DECRBY", arity=3, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def decrby(ctx: Context, argv: list[bytes]) -> Reply:
    """Subtract an integer from a key; the new number."""
    delta = integer_argument(argv[2])
    if delta == _INT64_MIN:
        raise ReplyError("ERR decrement would overflow")
    _check_sum(_counter(ctx, argv[1]) - delta)
    return ctx.apply(b"DECRBY", argv[1], argv[2])


@command("INCRBYFLOAT", arity=3, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=("string",))
def incrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """Add a long double to a key; the new number as it is stored.  The log gets the sum, not the addition."""
    data = ctx.string(argv[1], count=False)
    old = b"0" if data is None else bytes(data[: LONG_DOUBLE_BYTES_MAX + 1])
    try:
        total = add_long_double(old, argv[2])
    except OverflowError:
        raise ReplyError("ERR increment would produce NaN or Infinity") from None
    if total is None:
        raise ReplyError(NOT_A_FLOAT)
    ctx.apply(b"SET", argv[1], total, b"KEEPTTL", event=b"incrbyfloat")
    ctx.db.note_encoding(argv[1], "embstr" if len(total) <= EMBSTR_BYTES_MAX else "raw")
    return total


# -- parts of a value ----------------------------------------------------------------------------------------


@command("STRLEN", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=("string",))
def strlen(ctx: Context, argv: list[bytes]) -> Reply:
    """The length of a value in bytes; 0 if there is none."""
    data = ctx.string(argv[1])
    return 0 if data is None else len(data)


@command("APPEND", arity=3, flags=WRITE | DENYOOM | FAST, keys=(key_spec("RW", "insert"),), acl=("string",))
def append(ctx: Context, argv: list[bytes]) -> Reply:
    """Append to a value, or create it; the new length."""
    data = ctx.string(argv[1], count=False)
    if data is not None and len(data) + len(argv[2]) > string_bytes_max(ctx):
        raise ReplyError(TOO_LONG)
    return ctx.apply(b"APPEND", argv[1], argv[2])


@command("SETRANGE", arity=4, flags=WRITE | DENYOOM, keys=UPDATE_KEY, acl=("string",))
def setrange(ctx: Context, argv: list[bytes]) -> Reply:
    """Overwrite part of a value, which grows with zero bytes to reach it; the new length."""
    offset = integer_argument(argv[2])
    if offset < 0:
        raise ReplyError("ERR offset is out of range")
    data = ctx.string(argv[1], count=False)
    if not argv[3]:
        return 0 if data is None else len(data)
    if offset + len(argv[3]) > string_bytes_max(ctx):
        raise ReplyError(TOO_LONG)
    return ctx.apply(b"SETRANGE", argv[1], argv[2], argv[3])


@command("GETRANGE", arity=4, flags=READONLY, keys=READ_KEY, acl=("string",))
@command("SUBSTR", arity=4, flags=READONLY, keys=READ_KEY, acl=("string",))
def getrange(ctx: Context, argv: list[bytes]) -> Reply:
    """Part of a value, both ends included; negative offsets count from the end."""
    start, end = integer_argument(argv[2]), integer_argument(argv[3])
    data = ctx.string(argv[1])
    if not data or (start < 0 and end < 0 and start > end):
        return b""
    size = len(data)
    start = max(start + size, 0) if start < 0 else start
    # An end before the first byte is taken as the first byte.
    end = max(end + size, 0) if end < 0 else min(end, size - 1)
    if type(data) is bytes:
        return data[start : end + 1]
    with memoryview(data) as view:
        return bytes(view[start : end + 1])
