"""Hash commands.

Whatever is counted up or added, the effect is HSET with the value that comes out, and HDEL names the fields
that are there.
"""

from __future__ import annotations

from durable_redis.commands.collection_parts import (
    apply_in_parts,
    check_draws,
    draw_count,
    scan_options,
)
from durable_redis.commands.context import Context
from durable_redis.commands.iteration import parse_cursor
from durable_redis.commands.strings import integer_argument
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
from durable_redis.errors import NOT_A_FLOAT, ReplyError
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.hash_timed import HasDeadlines
from durable_redis.resp.numbers import (
    INT64_MAX,
    INT64_MIN,
    LONG_DOUBLE_BYTES_MAX,
    add_long_doubles,
    format_long_double,
    parse_integer,
    parse_long_double,
)
from durable_redis.resp.replies import OK, Reply

_ACL = ("hash",)
_COUNTER_KEY = (key_spec("RW", "access", "update"),)
_ANY_ORDER = ("nondeterministic_output_order",)
_BY_CHANCE = ("nondeterministic_output",)
_PAIR_WORDS_MAX = 2000

# -- writing -------------------------------------------------------------------------------------------------


@command("HSET", arity=-4, flags=WRITE | DENYOOM | FAST, keys=UPDATE_KEY, acl=_ACL)
def hset(ctx: Context, argv: list[bytes]) -> Reply:
    """Give fields values; how many fields are new."""
    if len(argv) & 1:
        raise ReplyError("ERR wrong number of arguments for 'hset' command")
    ctx.hash(argv[1], count=False)
    if len(argv) <= _PAIR_WORDS_MAX:
        return ctx.apply(b"HSET", *argv[1:])
    found = ctx.hash(argv[1], count=False)
    before = 0 if found is None else len(found)
    apply_in_parts(ctx, b"HSET", argv[1], argv[2:], _PAIR_WORDS_MAX)
    found = ctx.hash(argv[1], count=False)
    assert found is not None
    return len(found) - before


@command("HMSET", arity=-4, flags=WRITE | DENYOOM | FAST, keys=UPDATE_KEY, acl=_ACL)
def hmset(ctx: Context, argv: list[bytes]) -> Reply:
    """HSET that answers OK."""
    if len(argv) & 1:
        raise ReplyError("ERR wrong number of arguments for 'hmset' command")
    ctx.hash(argv[1], count=False)
    apply_in_parts(ctx, b"HSET", argv[1], argv[2:], _PAIR_WORDS_MAX)
    return OK


@command("HSETNX", arity=4, flags=WRITE | DENYOOM | FAST, keys=(key_spec("RW", "insert"),), acl=_ACL)
def hsetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """Give a field a value unless it has one; whether it was done."""
    found = ctx.hash(argv[1], count=False)
    if found is not None and found.get(argv[2]) is not None:
        return 0
    ctx.apply(b"HSET", *argv[1:])
    return 1


@command("HDEL", arity=-3, flags=WRITE | FAST, keys=(key_spec("RW", "delete"),), acl=_ACL)
def hdel(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove fields; how many there were."""
    found = ctx.hash(argv[1], count=False)
    if found is None:
        return 0
    fields = [field for field in dict.fromkeys(argv[2:]) if found.get(field) is not None]
    if fields:
        apply_in_parts(ctx, b"HDEL", argv[1], fields)
    return len(fields)


@command("HINCRBY", arity=4, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=_ACL)
def hincrby(ctx: Context, argv: list[bytes]) -> Reply:
    """Add an integer to a field; the new number."""
    delta = integer_argument(argv[3])
    found = ctx.hash(argv[1], count=False)
    old = found.get(argv[2]) if found is not None else None
    number = 0 if old is None else parse_integer(old)
    if number is None:
        raise ReplyError("ERR hash value is not an integer")
    total = number + delta
    if not INT64_MIN <= total <= INT64_MAX:
        raise ReplyError("ERR increment or decrement would overflow")
    _count_up(ctx, argv[1], argv[2], b"%d" % total, b"hincrby")
    return total


@command("HINCRBYFLOAT", arity=4, flags=WRITE | DENYOOM | FAST, keys=_COUNTER_KEY, acl=_ACL)
def hincrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """Add a long double to a field; the new number as it is stored."""
    delta = parse_long_double(argv[3])
    if delta is None:
        raise ReplyError(NOT_A_FLOAT)
    if not delta.is_finite:
        raise ReplyError("ERR value is NaN or Infinity")
    found = ctx.hash(argv[1], count=False)
    old = found.get(argv[2]) if found is not None else None
    number = parse_long_double(b"0" if old is None else old[: LONG_DOUBLE_BYTES_MAX + 1])
    if number is None:
        raise ReplyError("ERR hash value is not a float")
    total = add_long_doubles(number, delta)
    if total is None:
        raise ReplyError("ERR increment would produce NaN or Infinity")
    text = format_long_double(total)
    _count_up(ctx, argv[1], argv[2], text, b"hincrbyfloat")
    return text


def _count_up(ctx: Context, key: bytes, field: bytes, value: bytes, event: bytes) -> None:
    """Change a field's value; its deadline stays."""
    found = ctx.hash(key, count=False)
    visible = isinstance(found, HasDeadlines) and found.get(field) is not None
    deadline_ms = found.deadline(field) if visible and isinstance(found, HasDeadlines) else 0
    ctx.apply(b"HSET", key, field, value, event=event)
    if deadline_ms:
        ctx.apply(b"HPEXPIREAT", key, b"%d" % deadline_ms, b"FIELDS", b"1", field, event=SILENT)


# -- reading -------------------------------------------------------------------------------------------------


@command("HGET", arity=3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def hget(ctx: Context, argv: list[bytes]) -> Reply:
    """The value of a field; null if there is none."""
    found = ctx.hash(argv[1])
    return None if found is None else found.get(argv[2])


@command("HMGET", arity=-3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def hmget(ctx: Context, argv: list[bytes]) -> Reply:
    """The values of fields, in their order; null for one that is not there."""
    found = ctx.hash(argv[1])
    return [None] * (len(argv) - 2) if found is None else [found.get(field) for field in argv[2:]]


@command("HEXISTS", arity=3, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def hexists(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether there is a field."""
    found = ctx.hash(argv[1])
    return int(found is not None and found.get(argv[2]) is not None)


@command("HSTRLEN", arity=3, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def hstrlen(ctx: Context, argv: list[bytes]) -> Reply:
    """The length of a field's value in bytes; 0 if there is none."""
    found = ctx.hash(argv[1])
    return 0 if found is None else len(found.get(argv[2]) or b"")


@command("HLEN", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def hlen(ctx: Context, argv: list[bytes]) -> Reply:
    """The number of fields."""
    found = ctx.hash(argv[1])
    return 0 if found is None else len(found)


@command("HGETALL", arity=2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_ANY_ORDER)
def hgetall(ctx: Context, argv: list[bytes]) -> Reply:
    """All fields with their values."""
    found = ctx.hash(argv[1])
    return {} if found is None else dict(found.items())


@command("HKEYS", arity=2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_ANY_ORDER)
def hkeys(ctx: Context, argv: list[bytes]) -> Reply:
    """All fields."""
    found = ctx.hash(argv[1])
    return [] if found is None else [field for field, _ in found.items()]


@command("HVALS", arity=2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_ANY_ORDER)
def hvals(ctx: Context, argv: list[bytes]) -> Reply:
    """All values."""
    found = ctx.hash(argv[1])
    return [] if found is None else [value for _, value in found.items()]


@command("HRANDFIELD", arity=-2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_BY_CHANCE)
def hrandfield(ctx: Context, argv: list[bytes]) -> Reply:
    """A field by chance; with a count that many different ones, with a negative one each drawn from all."""
    rng = ctx.server.keyspace.rng
    if len(argv) == 2:
        found = ctx.hash(argv[1])
        drawn = [] if found is None else found.choices(rng, 1)
        return drawn[0][0] if drawn else None
    count, with_values = draw_count(argv, b"WITHVALUES")
    found = ctx.hash(argv[1])
    if found is None or count == 0:
        return []
    check_draws(count)
    drawn = found.sample(rng, count) if count > 0 else found.choices(rng, -count)
    if not with_values:
        return [field for field, _ in drawn]
    return (
        [list(pair) for pair in drawn]
        if ctx.client.protocol > 2
        else [word for pair in drawn for word in pair]
    )


@command("HSCAN", arity=-3, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_BY_CHANCE)
def hscan(ctx: Context, argv: list[bytes]) -> Reply:
    """Some fields with values from the cursor on, and the cursor for the next call; 0 at the end."""
    cursor = parse_cursor(argv[2])
    found = ctx.hash(argv[1])
    if found is None:
        return [b"0", []]
    count, matches = scan_options(argv)
    following, pairs = found.scan(cursor, count)
    words: list[bytes] = []
    for pair in pairs:
        if matches is None or matches(pair[0]):
            words += pair
    return [b"%d" % following, words]
