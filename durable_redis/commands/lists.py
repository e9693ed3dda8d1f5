"""List commands: putting elements at both ends, and finding and changing them by position and by value.

Each function reads the list through ``ctx``, checks everything, and hands over effects whose numbers are
settled: indexes count from the front and lie within the list.  A list is read by slices only, never as a
whole where part of it is enough.

Taking elements away at the ends is in ``list_pops.py``.
"""

from __future__ import annotations

from durable_redis.commands.context import LARGE_EFFECT_BYTES, Context
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
from durable_redis.errors import NO_SUCH_KEY, NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.keyspace.effects import SILENT
from durable_redis.resp.numbers import INT64_MIN, parse_integer
from durable_redis.resp.replies import OK, Reply

EFFECT_ELEMENTS_MAX = 1000  # a longer push becomes several effects
EFFECT_ELEMENT_OVERHEAD_BYTES = 32  # in the log, beside the element's own bytes, and generously so
_ZERO_RANK = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)
_INSERT_KEY = (key_spec("RW", "insert"),)
_DELETE_KEY = (key_spec("RW", "delete"),)


def _integer(raw: bytes) -> int:
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    return number


# -- pushing -------------------------------------------------------------------------------------------------


@command("LPUSH", arity=-3, flags=WRITE | DENYOOM | FAST, keys=_INSERT_KEY, acl=("list",))
def lpush(ctx: Context, argv: list[bytes]) -> Reply:
    """Put elements before the first one, one after the other; the new length."""
    ctx.list(argv[1], count=False)
    return _push(ctx, b"LPUSH", argv)


@command("RPUSH", arity=-3, flags=WRITE | DENYOOM | FAST, keys=_INSERT_KEY, acl=("list",))
def rpush(ctx: Context, argv: list[bytes]) -> Reply:
    """Put elements behind the last one; the new length."""
    ctx.list(argv[1], count=False)
    return _push(ctx, b"RPUSH", argv)


@command("LPUSHX", arity=-3, flags=WRITE | DENYOOM | FAST, keys=_INSERT_KEY, acl=("list",))
def lpushx(ctx: Context, argv: list[bytes]) -> Reply:
    """LPUSH to a list that exists; 0 if there is none."""
    return 0 if ctx.list(argv[1], count=False) is None else _push(ctx, b"LPUSH", argv)


@command("RPUSHX", arity=-3, flags=WRITE | DENYOOM | FAST, keys=_INSERT_KEY, acl=("list",))
def rpushx(ctx: Context, argv: list[bytes]) -> Reply:
    """RPUSH to a list that exists; 0 if there is none."""
    return 0 if ctx.list(argv[1], count=False) is None else _push(ctx, b"RPUSH", argv)


def _push(ctx: Context, effect: bytes, argv: list[bytes]) -> Reply:
    if len(argv) <= EFFECT_ELEMENTS_MAX + 2:
        return ctx.apply(effect, *argv[1:])
    elements = argv[2:]
    reserve_elements(ctx, elements)
    return push_many(ctx, effect, argv[1], elements)


def push_many(ctx: Context, effect: bytes, key: bytes, elements: list[bytes], event: bytes = b"") -> int:
    """Apply ``LPUSH`` or ``RPUSH`` of any number of elements (at least one); the new length.

    :func:`reserve_elements` comes before anything that the command applies.
    """
    length = 0
    for start in range(0, len(elements), EFFECT_ELEMENTS_MAX):
        part = elements[start : start + EFFECT_ELEMENTS_MAX]
        length = ctx.apply(effect, key, *part, event=SILENT if start else event)
    return length


def reserve_elements(ctx: Context, elements: list[bytes]) -> None:
    """Make sure that the log has room for elements that are pushed in several effects; raises if not."""
    size = sum(map(len, elements)) + len(elements) * EFFECT_ELEMENT_OVERHEAD_BYTES
    if size > LARGE_EFFECT_BYTES:
        ctx.server.reserve(size)


@command("LINSERT", arity=5, flags=WRITE | DENYOOM, keys=_INSERT_KEY, acl=("list",))
def linsert(ctx: Context, argv: list[bytes]) -> Reply:
    """Put an element beside the first one that equals the pivot; the new length, -1 if there is no pivot."""
    where = argv[2].upper()
    if where not in (b"BEFORE", b"AFTER"):
        raise syntax_error()
    found = ctx.list(argv[1], count=False)
    if found is None:
        return 0
    if argv[3] not in found.slice(0, len(found)):
        return -1
    return ctx.apply(b"LINSERT", argv[1], where, argv[3], argv[4])


# -- by position and by value --------------------------------------------------------------------------------


@command("LLEN", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=("list",))
def llen(ctx: Context, argv: list[bytes]) -> Reply:
    """The number of elements; 0 if there is no list."""
    found = ctx.list(argv[1])
    return 0 if found is None else len(found)


@command("LINDEX", arity=3, flags=READONLY, keys=READ_KEY, acl=("list",))
def lindex(ctx: Context, argv: list[bytes]) -> Reply:
    """The element at an index, which may count from the end; null outside of the list."""
    found = ctx.list(argv[1])
    if found is None:
        return None
    index, size = _integer(argv[2]), len(found)
    if index < 0:
        index += size
    return found.get(index) if 0 <= index < size else None


@command("LSET", arity=4, flags=WRITE | DENYOOM, keys=UPDATE_KEY, acl=("list",))
def lset(ctx: Context, argv: list[bytes]) -> Reply:
    """Replace the element at an index, which may count from the end."""
    found = ctx.list(argv[1], count=False)
    if found is None:
        raise ReplyError(NO_SUCH_KEY)
    index, size = _integer(argv[2]), len(found)
    if index < 0:
        index += size
    if not 0 <= index < size:
        raise ReplyError("ERR index out of range")
    ctx.apply(b"LSET", argv[1], b"%d" % index, argv[3])
    return OK


def _range(start: int, stop: int, size: int) -> tuple[int, int]:
    """Start and end (exclusive) of what two indexes include; (0, 0) if that is nothing."""
    start = max(start + size, 0) if start < 0 else start
    end = (stop + size if stop < 0 else min(stop, size - 1)) + 1
    return (start, end) if start < end else (0, 0)


@command("LRANGE", arity=4, flags=READONLY, keys=READ_KEY, acl=("list",))
def lrange(ctx: Context, argv: list[bytes]) -> Reply:
    """The elements from one index to another, both included; negative ones count from the end."""
    start, stop = _integer(argv[2]), _integer(argv[3])
    found = ctx.list(argv[1])
    if found is None:
        return []
    first, end = _range(start, stop, len(found))
    return list(found.slice(first, end))


@command("LTRIM", arity=4, flags=WRITE, keys=_DELETE_KEY, acl=("list",))
def ltrim(ctx: Context, argv: list[bytes]) -> Reply:
    """Keep only the elements from one index to another, both included."""
    start, stop = _integer(argv[2]), _integer(argv[3])
    found = ctx.list(argv[1], count=False)
    if found is None:
        return OK
    first, end = _range(start, stop, len(found))
    if not end:
        ctx.apply(b"LTRIM", argv[1], b"1", b"0")
    elif end - first < len(found):
        ctx.apply(b"LTRIM", argv[1], b"%d" % first, b"%d" % (end - 1))
    else:
        ctx.notify(b"ltrim", argv[1])
    return OK


@command("LREM", arity=4, flags=WRITE, keys=_DELETE_KEY, acl=("list",))
def lrem(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove elements that equal a value: the first ones, the last ones if count is negative, or all (0)."""
    _integer(argv[2])
    found = ctx.list(argv[1], count=False)
    if found is None or argv[3] not in found.slice(0, len(found)):
        return 0
    return ctx.apply(b"LREM", argv[1], argv[2], argv[3])


@command("LPOS", arity=-3, flags=READONLY, keys=READ_KEY, acl=("list",))
def lpos(ctx: Context, argv: list[bytes]) -> Reply:
    """The index of an element that equals a value; of several with COUNT."""
    rank, count, compared_max = _parse_position(argv)
    found = ctx.list(argv[1])
    if found is None:
        return None if count is None else []
    size, wanted = len(found), argv[2]
    compared = min(compared_max, size) if compared_max else size
    skip = abs(rank) - 1
    most = 1 if count is None else count
    if rank < 0:
        elements = found.slice(size - compared, size, reverse=True)
    else:
        elements = found.slice(0, compared)
    indexes: list[int] = []
    for at, element in enumerate(elements):
        if element != wanted:
            continue
        if skip:
            skip -= 1
            continue
        indexes.append(size - 1 - at if rank < 0 else at)
        if len(indexes) == most:
            break
    if count is None:
        return indexes[0] if indexes else None
    return indexes


def _parse_position(argv: list[bytes]) -> tuple[int, int | None, int]:
    """RANK, COUNT (None if not given) and MAXLEN (0 is no limit) of LPOS."""
    rank, count, compared_max = 1, None, 0
    for at in range(3, len(argv), 2):
        option = argv[at].upper()
        if at + 1 == len(argv) or option not in (b"RANK", b"COUNT", b"MAXLEN"):
            raise syntax_error()
        if option == b"RANK":
            rank = _integer(argv[at + 1])
            if rank == 0:
                raise ReplyError(_ZERO_RANK)
            continue
        number = parse_integer(argv[at + 1])
        if number is None or number < 0:
            raise ReplyError(f"ERR {option.decode()} can't be negative")
        if option == b"COUNT":
            count = number
        else:
            compared_max = number
    # Redis negates the rank in 64 bits; the lowest one stays negative there and so skips nothing.
    return (-1 if rank == INT64_MIN else rank), count, compared_max
