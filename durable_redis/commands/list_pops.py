"""List commands that take elements away at the ends, and those that put them into another list.

Effects are settled: a count does not exceed the length, LMPOP is the LPOP or RPOP that it comes to, and
RPOPLPUSH an LMOVE.

The blocking commands do the same as soon as there is something to take.  For them :func:`first_list`,
:func:`pop`, :func:`multi_pop` and :func:`move` stand apart from the commands; None says that there is
nothing to take yet.
"""

from __future__ import annotations

from collections.abc import Iterable

from durable_redis.commands.context import Context
from durable_redis.commands.table import DENYOOM, FAST, MOVABLEKEYS, WRITE, KeySpec, command, key_spec
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.objects.list import List
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import NULL_ARRAY, Reply

LEFT = b"LEFT"
RIGHT = b"RIGHT"
_POP_KEY = (key_spec("RW", "access", "delete"),)
_MOVE_KEYS = (*_POP_KEY, key_spec("RW", "insert", first=2))

# -- popping -------------------------------------------------------------------------------------------------


def first_list(ctx: Context, keys: Iterable[bytes]) -> tuple[bytes, List] | None:
    """The first of some keys that is there, with its list; None if none is.  Raises WRONGTYPE."""
    for key in keys:
        found = ctx.list(key, count=False)
        if found is not None:
            return key, found
    return None


def pop(ctx: Context, key: bytes, found: List, side: bytes, count: int) -> list[bytes]:
    """Take up to ``count`` (at least 1) elements from one side of the list of a key; the popped ones."""
    effect = b"LPOP" if side == LEFT else b"RPOP"
    popped: list[bytes]
    if count == 1:
        popped = ctx.apply(effect, key)
    else:
        popped = ctx.apply(effect, key, b"%d" % min(count, len(found)))
    return popped


@command("LPOP", arity=-2, flags=WRITE | FAST, keys=_POP_KEY, acl=("list",))
def lpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the first element, or a number of them."""
    return _pop(ctx, argv, LEFT)


@command("RPOP", arity=-2, flags=WRITE | FAST, keys=_POP_KEY, acl=("list",))
def rpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the last element, or a number of them from the end on."""
    return _pop(ctx, argv, RIGHT)


def _pop(ctx: Context, argv: list[bytes], side: bytes) -> Reply:
    key = argv[1]
    if len(argv) == 2:
        found = ctx.list(key, count=False)
        return None if found is None else pop(ctx, key, found, side, 1)[0]
    if len(argv) > 3:
        raise ReplyError(f"ERR wrong number of arguments for '{argv[0].lower().decode()}' command")
    count = parse_integer(argv[2])
    if count is None or count < 0:
        raise ReplyError("ERR value is out of range, must be positive")
    found = ctx.list(key, count=False)
    if found is None:
        return NULL_ARRAY
    return pop(ctx, key, found, side, count) if count else []


def parse_multi_pop(argv: list[bytes], at: int) -> tuple[list[bytes], bytes, int]:
    """``numkeys key … LEFT|RIGHT [COUNT count]`` from index ``at`` on: the keys, the side, the count."""
    numkeys = parse_integer(argv[at])
    if numkeys is None or numkeys <= 0:
        raise ReplyError("ERR numkeys should be greater than 0")
    end = at + 1 + numkeys
    if end >= len(argv):
        raise syntax_error()
    side = parse_side(argv[end])
    if len(argv) == end + 1:
        return argv[at + 1 : end], side, 1
    if argv[end + 1].upper() != b"COUNT" or len(argv) == end + 2:
        raise syntax_error()
    count = parse_integer(argv[end + 2])
    if count is None or count <= 0:
        raise ReplyError("ERR count should be greater than 0")
    if len(argv) > end + 3:
        raise syntax_error()
    return argv[at + 1 : end], side, count


def parse_side(raw: bytes) -> bytes:
    """``LEFT`` or ``RIGHT`` in any case."""
    side = raw.upper()
    if side not in (LEFT, RIGHT):
        raise syntax_error()
    return side


@command(
    "LMPOP",
    arity=-4,
    flags=WRITE | MOVABLEKEYS,
    keys=(KeySpec(("RW", "access", "delete"), ("index", 1), ("keynum", 0, 1, 1)),),
    acl=("list",),
)
def lmpop(ctx: Context, argv: list[bytes]) -> Reply:
    """Take elements from the first list that there is; its key and the elements."""
    keys, side, count = parse_multi_pop(argv, 1)
    return multi_pop(ctx, keys, side, count) or NULL_ARRAY


def multi_pop(ctx: Context, keys: Iterable[bytes], side: bytes, count: int) -> list[Reply] | None:
    """What LMPOP answers: the key that was popped from and the elements; None if no key is there."""
    first = first_list(ctx, keys)
    if first is None:
        return None
    key, found = first
    return [key, pop(ctx, key, found, side, count)]


# -- moving --------------------------------------------------------------------------------------------------


def move(ctx: Context, source: bytes, destination: bytes, wherefrom: bytes, whereto: bytes) -> bytes | None:
    """Take an element from a side of one list and put it at a side of another; None if there is no source."""
    found = ctx.list(source, count=False)
    if found is None:
        return None
    if source != destination:
        ctx.list(destination, count=False)
    elif wherefrom == whereto or len(found) == 1:
        ctx.notify(b"lpush" if whereto == LEFT else b"rpush", source)
        ctx.notify(b"lpop" if wherefrom == LEFT else b"rpop", source)
        return found.get(0 if wherefrom == LEFT else len(found) - 1)
    element: bytes = ctx.apply(b"LMOVE", source, destination, wherefrom, whereto)
    return element


@command("LMOVE", arity=5, flags=WRITE | DENYOOM, keys=_MOVE_KEYS, acl=("list",), positions=(1, 2, 1))
def lmove(ctx: Context, argv: list[bytes]) -> Reply:
    """Take an element from a side of one list and put it at a side of another; the element."""
    return move(ctx, argv[1], argv[2], parse_side(argv[3]), parse_side(argv[4]))


@command("RPOPLPUSH", arity=3, flags=WRITE | DENYOOM, keys=_MOVE_KEYS, acl=("list",), positions=(1, 2, 1))
def rpoplpush(ctx: Context, argv: list[bytes]) -> Reply:
    """Take the last element of one list and put it before another's first; the element."""
    return move(ctx, argv[1], argv[2], RIGHT, LEFT)
