"""Set commands on one set, and SMOVE; unions and the like are in ``sets_algebra.py``.

SPOP chooses, and its effect is the SREM, or DEL, that it comes to.
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
from durable_redis.commands.table import (
    DENYOOM,
    FAST,
    READ_KEY,
    READ_KEY_META,
    READONLY,
    WRITE,
    command,
    key_spec,
)
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply, SetReply

_ACL = ("set",)
_POP_KEY = (key_spec("RW", "access", "delete"),)
_ANY_ORDER = ("nondeterministic_output_order",)
_BY_CHANCE = ("nondeterministic_output",)


@command("SADD", arity=-3, flags=WRITE | DENYOOM | FAST, keys=(key_spec("RW", "insert"),), acl=_ACL)
def sadd(ctx: Context, argv: list[bytes]) -> Reply:
    """Add members; how many are new."""
    found = ctx.set(argv[1], count=False)
    if len(argv) == 3:
        if found is not None and argv[2] in found:
            return 0
        return ctx.apply(b"SADD", argv[1], argv[2])
    members = [member for member in dict.fromkeys(argv[2:]) if found is None or member not in found]
    if members:
        apply_in_parts(ctx, b"SADD", argv[1], members)
    return len(members)


@command("SREM", arity=-3, flags=WRITE | FAST, keys=(key_spec("RW", "delete"),), acl=_ACL)
def srem(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove members; how many there were."""
    found = ctx.set(argv[1], count=False)
    if found is None:
        return 0
    members = [member for member in dict.fromkeys(argv[2:]) if member in found]
    if members:
        apply_in_parts(ctx, b"SREM", argv[1], members)
    return len(members)


@command(
    "SMOVE",
    arity=4,
    flags=WRITE | FAST,
    keys=(*_POP_KEY, key_spec("RW", "insert", first=2)),
    acl=_ACL,
    positions=(1, 2, 1),
)
def smove(ctx: Context, argv: list[bytes]) -> Reply:
    """Take a member out of one set and add it to another; whether it was there."""
    source, target, member = argv[1], argv[2], argv[3]
    found = ctx.set(source, count=False)
    if found is None:
        return 0
    other = ctx.set(target, count=False)
    if member not in found:
        return 0
    if source == target:
        return 1
    ctx.apply(b"SREM", source, member)
    if other is None or member not in other:
        ctx.apply(b"SADD", target, member)
    return 1


@command("SISMEMBER", arity=3, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def sismember(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether something is a member."""
    found = ctx.set(argv[1])
    return int(found is not None and argv[2] in found)


@command("SMISMEMBER", arity=-3, flags=READONLY | FAST, keys=READ_KEY, acl=_ACL)
def smismember(ctx: Context, argv: list[bytes]) -> Reply:
    """For each argument, whether it is a member."""
    found = ctx.set(argv[1])
    return [int(found is not None and member in found) for member in argv[2:]]


@command("SCARD", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=_ACL)
def scard(ctx: Context, argv: list[bytes]) -> Reply:
    """The number of members."""
    found = ctx.set(argv[1])
    return 0 if found is None else len(found)


@command("SMEMBERS", arity=2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_ANY_ORDER)
def smembers(ctx: Context, argv: list[bytes]) -> Reply:
    """All members."""
    return SetReply(ctx.set(argv[1]) or ())


# -- by chance -----------------------------------------------------------------------------------------------


@command("SPOP", arity=-2, flags=WRITE | FAST, keys=_POP_KEY, acl=_ACL, tips=_BY_CHANCE)
def spop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take a member by chance out of the set, or a number of them."""
    key = argv[1]
    if len(argv) == 2:
        found = ctx.set(key, count=False)
        if found is None:
            return None
        member = found.choices(ctx.server.keyspace.rng, 1)[0]
        ctx.apply(b"SREM", key, member, event=b"spop")
        return member
    if len(argv) > 3:
        raise syntax_error()
    count = parse_integer(argv[2])
    if count is None or count < 0:
        raise ReplyError("ERR value is out of range, must be positive")
    found = ctx.set(key, count=False)
    if found is None or count == 0:
        return SetReply()
    if count >= len(found):
        popped = SetReply(found)
        ctx.apply(b"DEL", key, event=b"spop")
        return popped
    popped = SetReply(found.sample(ctx.server.keyspace.rng, count))
    apply_in_parts(ctx, b"SREM", key, popped, event=b"spop")
    return popped


@command("SRANDMEMBER", arity=-2, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_BY_CHANCE)
def srandmember(ctx: Context, argv: list[bytes]) -> Reply:
    """A member by chance; with a count that many different ones, with a negative one each drawn from all."""
    rng = ctx.server.keyspace.rng
    if len(argv) == 2:
        found = ctx.set(argv[1])
        return None if found is None else found.choices(rng, 1)[0]
    if len(argv) > 3:
        raise syntax_error()
    count, _ = draw_count(argv)
    found = ctx.set(argv[1])
    if found is None or count == 0:
        return []
    check_draws(count)
    return found.sample(rng, count) if count > 0 else found.choices(rng, -count)


@command("SSCAN", arity=-3, flags=READONLY, keys=READ_KEY, acl=_ACL, tips=_BY_CHANCE)
def sscan(ctx: Context, argv: list[bytes]) -> Reply:
    """Some members from the cursor on, and the cursor for the next call; 0 at the end."""
    cursor = parse_cursor(argv[2])
    found = ctx.set(argv[1])
    if found is None:
        return [b"0", []]
    count, matches = scan_options(argv)
    following, members = found.scan(cursor, count)
    return [b"%d" % following, members if matches is None else list(filter(matches, members))]
