"""Unions, intersections and differences of sets, and storing them.

An intersection walks the smallest set and looks its members up in the others, a difference walks the first;
so a set larger than memory is read once or looked into, never copied.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.commands.collection_parts import apply_in_parts
from durable_redis.commands.context import Context
from durable_redis.commands.table import DENYOOM, MOVABLEKEYS, READONLY, WRITE, KeySpec, command, key_spec
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.set import Set
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply, SetReply

_ACL = ("set",)
_ANY_ORDER = ("nondeterministic_output_order",)
_READ_KEYS = (key_spec("RO", "access", last=-1),)
_SOURCES = key_spec("RO", "access", first=2, last=-1)
_STORE_KEYS = (key_spec("OW", "update"), _SOURCES)


def _operands(ctx: Context, keys: list[bytes]) -> list[Set | None]:
    """The sets of keys.  Raises WRONGTYPE, also where another key is missing."""
    return [ctx.set(key) for key in keys]


def _intersection(sets: list[Set | None]) -> Iterator[bytes]:
    present = [found for found in sets if found is not None]
    if len(present) < len(sets):
        return
    smallest, *others = sorted(present, key=len)
    for member in smallest:
        if all(member in other for other in others):
            yield member


def _union(sets: list[Set | None]) -> list[bytes]:
    members: dict[bytes, None] = {}
    for found in sets:
        if found is not None:
            members.update(dict.fromkeys(found))
    return list(members)


def _difference(sets: list[Set | None]) -> Iterator[bytes]:
    first, *others = sets
    taken = [found for found in others if found is not None]
    if first is None or any(found is first for found in taken):
        return
    for member in first:
        if not any(member in found for found in taken):
            yield member


def _store(ctx: Context, key: bytes, members: list[bytes], event: bytes) -> int:
    """Replace whatever the key holds by a set; its size."""
    if ctx.peek(key) is not None:
        ctx.apply(b"DEL", key, event=SILENT if members else b"")
    if members:
        apply_in_parts(ctx, b"SADD", key, members, event=event)
    return len(members)


@command("SINTER", arity=-2, flags=READONLY, keys=_READ_KEYS, acl=_ACL, tips=_ANY_ORDER)
def sinter(ctx: Context, argv: list[bytes]) -> Reply:
    """The members that all sets have."""
    return SetReply(_intersection(_operands(ctx, argv[1:])))


@command("SUNION", arity=-2, flags=READONLY, keys=_READ_KEYS, acl=_ACL, tips=_ANY_ORDER)
def sunion(ctx: Context, argv: list[bytes]) -> Reply:
    """The members that any set has."""
    return SetReply(_union(_operands(ctx, argv[1:])))


@command("SDIFF", arity=-2, flags=READONLY, keys=_READ_KEYS, acl=_ACL, tips=_ANY_ORDER)
def sdiff(ctx: Context, argv: list[bytes]) -> Reply:
    """The members of the first set that no other one has."""
    return SetReply(_difference(_operands(ctx, argv[1:])))


@command(
    "SINTERSTORE",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key_spec("RW", "update"), _SOURCES),
    acl=_ACL,
    positions=(1, -1, 1),
)
def sinterstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SINTER into a key; how many members it has then."""
    return _store(ctx, argv[1], list(_intersection(_operands(ctx, argv[2:]))), b"sinterstore")


@command("SUNIONSTORE", arity=-3, flags=WRITE | DENYOOM, keys=_STORE_KEYS, acl=_ACL, positions=(1, -1, 1))
def sunionstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SUNION into a key; how many members it has then."""
    return _store(ctx, argv[1], _union(_operands(ctx, argv[2:])), b"sunionstore")


@command("SDIFFSTORE", arity=-3, flags=WRITE | DENYOOM, keys=_STORE_KEYS, acl=_ACL, positions=(1, -1, 1))
def sdiffstore(ctx: Context, argv: list[bytes]) -> Reply:
    """SDIFF into a key; how many members it has then."""
    return _store(ctx, argv[1], list(_difference(_operands(ctx, argv[2:]))), b"sdiffstore")


@command(
    "SINTERCARD",
    arity=-3,
    flags=READONLY | MOVABLEKEYS,
    keys=(KeySpec(("RO", "access"), ("index", 1), ("keynum", 0, 1, 1)),),
    acl=_ACL,
)
def sintercard(ctx: Context, argv: list[bytes]) -> Reply:
    """How many members all sets have; counting ends at LIMIT."""
    numkeys = parse_integer(argv[1])
    if numkeys is None or numkeys < 1:
        raise ReplyError("ERR numkeys should be greater than 0")
    if numkeys > len(argv) - 2:
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    limit = 0
    options = iter(argv[2 + numkeys :])
    for option in options:
        argument = next(options, None)
        if option.upper() != b"LIMIT" or argument is None:
            raise syntax_error()
        number = parse_integer(argument)
        if number is None or number < 0:
            raise ReplyError("ERR LIMIT can't be negative")
        limit = number
    found = 0
    for _ in _intersection(_operands(ctx, argv[2 : 2 + numkeys])):
        found += 1
        if found == limit:
            break
    return found
