"""When a key's time comes: EXPIRE and its kin set it, TTL and its kin tell it, PERSIST takes it away.

Effects carry absolute times in milliseconds, so ``EXPIRE k 10`` is logged as ``PEXPIREAT k <ms>`` and means
the same whenever it is replayed.  A time that has passed already deletes the key at once, and that is logged
as a DEL.  The options NX, XX, GT and LT compare with the time that is set; a key that does not expire counts
as one that expires after all others.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.table import FAST, READ_KEY, READONLY, UPDATE_KEY, WRITE, command
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown
from durable_redis.objects.entry import expires_of
from durable_redis.resp.numbers import INT64_MAX, INT64_MIN, parse_integer
from durable_redis.resp.replies import Reply

NO_KEY = -2
NO_EXPIRY = -1
_CONDITIONS = frozenset((b"NX", b"XX", b"GT", b"LT"))


# -- setting -------------------------------------------------------------------------------------------------


@command("EXPIRE", arity=-3, flags=WRITE | FAST, keys=UPDATE_KEY, acl=("keyspace",))
def expire(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a key expire after some seconds."""
    return _expire(ctx, argv, "expire", 1000, ctx.now_ms)


@command("PEXPIRE", arity=-3, flags=WRITE | FAST, keys=UPDATE_KEY, acl=("keyspace",))
def pexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a key expire after some milliseconds."""
    return _expire(ctx, argv, "pexpire", 1, ctx.now_ms)


@command("EXPIREAT", arity=-3, flags=WRITE | FAST, keys=UPDATE_KEY, acl=("keyspace",))
def expireat(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a key expire at a time in seconds since 1970."""
    return _expire(ctx, argv, "expireat", 1000, 0)


@command("PEXPIREAT", arity=-3, flags=WRITE | FAST, keys=UPDATE_KEY, acl=("keyspace",))
def pexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a key expire at a time in milliseconds since 1970."""
    return _expire(ctx, argv, "pexpireat", 1, 0)


def _expire(ctx: Context, argv: list[bytes], name: str, unit_ms: int, base_ms: int) -> int:
    """Set the time to ``base_ms`` plus the amount in ``argv[2]``, if the options allow; 1 if it was done."""
    conditions = _parse_conditions(argv)
    amount = parse_integer(argv[2])
    if amount is None:
        raise ReplyError(NOT_AN_INTEGER)
    expires_ms = amount * unit_ms + base_ms
    if not amount * unit_ms >= INT64_MIN or expires_ms > INT64_MAX:
        raise ReplyError(f"ERR invalid expire time in '{name}' command")
    key = argv[1]
    value = ctx.peek(key)
    if value is None or not _allowed(conditions, expires_of(value), expires_ms):
        return 0
    if expires_ms <= ctx.now_ms:
        ctx.apply(b"DEL", key)
    else:
        ctx.apply(b"PEXPIREAT", key, b"%d" % expires_ms)
    return 1


def _parse_conditions(argv: list[bytes]) -> frozenset[bytes]:
    """The options behind the amount.  Raises for unknown ones and for those that exclude each other."""
    for word in argv[3:]:
        if word.upper() not in _CONDITIONS:
            raise ReplyError(f"ERR Unsupported option {shown(word)}")
    conditions = frozenset(word.upper() for word in argv[3:])
    if b"NX" in conditions and len(conditions) > 1:
        raise ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if b"GT" in conditions and b"LT" in conditions:
        raise ReplyError("ERR GT and LT options at the same time are not compatible")
    return conditions


def _allowed(conditions: frozenset[bytes], current_ms: int, expires_ms: int) -> bool:
    """Whether ``expires_ms`` may take the place of ``current_ms`` (0: the key does not expire)."""
    if b"NX" in conditions and current_ms:
        return False
    if b"XX" in conditions and not current_ms:
        return False
    if b"GT" in conditions and (not current_ms or expires_ms <= current_ms):
        return False
    return not (b"LT" in conditions and current_ms and expires_ms >= current_ms)


@command("PERSIST", arity=2, flags=WRITE | FAST, keys=UPDATE_KEY, acl=("keyspace",))
def persist(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a key stay for good; 1 if it would have expired."""
    value = ctx.peek(argv[1])
    if value is None or not expires_of(value):
        return 0
    ctx.apply(b"PERSIST", argv[1])
    return 1


# -- telling -------------------------------------------------------------------------------------------------


@command(
    "TTL", arity=2, flags=READONLY | FAST, keys=READ_KEY, acl=("keyspace",), tips=("nondeterministic_output",)
)
def ttl(ctx: Context, argv: list[bytes]) -> Reply:
    """Seconds that a key has left, rounded to the nearest; -1 if it does not expire, -2 without a key."""
    left_ms = _left_ms(ctx, argv[1])
    return (left_ms + 500) // 1000 if left_ms >= 0 else left_ms


@command(
    "PTTL",
    arity=2,
    flags=READONLY | FAST,
    keys=READ_KEY,
    acl=("keyspace",),
    tips=("nondeterministic_output",),
)
def pttl(ctx: Context, argv: list[bytes]) -> Reply:
    """Milliseconds that a key has left; -1 if it does not expire, -2 without a key."""
    return _left_ms(ctx, argv[1])


@command("EXPIRETIME", arity=2, flags=READONLY | FAST, keys=READ_KEY, acl=("keyspace",))
def expiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """When a key expires, in seconds since 1970; -1 if it does not expire, -2 without a key."""
    expires_ms = _expires_ms(ctx, argv[1])
    return (expires_ms + 500) // 1000 if expires_ms >= 0 else expires_ms


@command("PEXPIRETIME", arity=2, flags=READONLY | FAST, keys=READ_KEY, acl=("keyspace",))
def pexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """When a key expires, in milliseconds since 1970; -1 if it does not expire, -2 without a key."""
    return _expires_ms(ctx, argv[1])


def _expires_ms(ctx: Context, key: bytes) -> int:
    value = ctx.read(key)
    if value is None:
        return NO_KEY
    return expires_of(value) or NO_EXPIRY


def _left_ms(ctx: Context, key: bytes) -> int:
    expires_ms = _expires_ms(ctx, key)
    return max(expires_ms - ctx.now_ms, 0) if expires_ms >= 0 else expires_ms
