"""Bitmap commands: strings seen as rows of bits.  Bit 0 is the highest bit of the first byte.

A string has no bits behind its end: reading there gives 0, writing there makes it grow with zeros.  Ranges
may be given in bytes or bits, negative ones count from the end.  Where Redis looks for the key before it
looks at the arguments, so does this: a missing key then answers before a malformed range does.  BITFIELD is
in ``bitfield.py``.
"""

from __future__ import annotations

from durable_redis.commands.bits import combine, count_bits, find_bit
from durable_redis.commands.context import Context
from durable_redis.commands.strings import integer_argument, string_bytes_max
from durable_redis.commands.table import DENYOOM, FAST, READ_KEY, READONLY, WRITE, command, key_spec
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

_BAD_OFFSET = "ERR bit offset is not an integer or out of range"
_BAD_BIT = "ERR bit is not an integer or out of range"


def bit_offset(ctx: Context, raw: bytes, field_bits: int = 0) -> int:
    """The place of a bit; ``#n`` means the n-th field of ``field_bits`` where that is not 0."""
    scaled = field_bits and raw[:1] == b"#"
    offset = parse_integer(raw[1:] if scaled else raw)
    if offset is not None:
        offset *= field_bits if scaled else 1
        if 0 <= offset >> 3 < string_bytes_max(ctx):
            return offset
    raise ReplyError(_BAD_OFFSET)


@command(
    "SETBIT", arity=4, flags=WRITE | DENYOOM, keys=(key_spec("RW", "access", "update"),), acl=("bitmap",)
)
def setbit(ctx: Context, argv: list[bytes]) -> Reply:
    """Set or clear a bit; the bit that was there."""
    key, bit = argv[1], argv[3]
    offset = bit_offset(ctx, argv[2])
    if bit != b"0" and bit != b"1":
        raise ReplyError(_BAD_BIT)
    data = ctx.string(key, count=False)
    if data is not None and offset >> 3 < len(data):
        old = data[offset >> 3] >> (7 - (offset & 7)) & 1
        if old == (bit == b"1"):
            ctx.db.note_encoding(key, "raw")
            return old
    return ctx.apply(b"SETBIT", key, argv[2], bit)


@command("GETBIT", arity=3, flags=READONLY | FAST, keys=READ_KEY, acl=("bitmap",))
def getbit(ctx: Context, argv: list[bytes]) -> Reply:
    """The bit at a place."""
    offset = bit_offset(ctx, argv[2])
    data = ctx.string(argv[1])
    if data is None or offset >> 3 >= len(data):
        return 0
    return data[offset >> 3] >> (7 - (offset & 7)) & 1


def _is_bit_unit(raw: bytes) -> bool:
    """Whether a range counts bits, not bytes."""
    unit = raw.upper()
    if unit not in (b"BIT", b"BYTE"):
        raise syntax_error()
    return unit == b"BIT"


def _bit_range(size: int, start: int, end: int, in_bits: bool) -> tuple[int, int]:
    """First and last bit of a range within ``size`` bytes; empty if the first is behind the last."""
    total = size * 8 if in_bits else size
    start = max(start + total, 0) if start < 0 else start
    end = min(max(end + total, 0) if end < 0 else end, total - 1)
    return (start, end) if in_bits else (start * 8, end * 8 + 7)


@command("BITCOUNT", arity=-2, flags=READONLY, keys=READ_KEY, acl=("bitmap",))
def bitcount(ctx: Context, argv: list[bytes]) -> Reply:
    """How many bits are set, in all or in a range."""
    data = ctx.string(argv[1])
    if data is None:
        return 0
    start, end, in_bits = 0, -1, False
    if len(argv) == 4 or len(argv) == 5:
        start, end = integer_argument(argv[2]), integer_argument(argv[3])
        if start < 0 and end < 0 and start > end:
            return 0
        in_bits = len(argv) == 5 and _is_bit_unit(argv[4])
    elif len(argv) != 2:
        raise syntax_error()
    first, last = _bit_range(len(data), start, end, in_bits)
    return count_bits(data, first, last) if first <= last else 0


@command("BITPOS", arity=-3, flags=READONLY, keys=READ_KEY, acl=("bitmap",))
def bitpos(ctx: Context, argv: list[bytes]) -> Reply:
    """The first bit that is 1, or 0, in all or in a range; -1 if there is none.

    Looking for 0 without an end, the string counts as followed by zeros.
    """
    bit = integer_argument(argv[2])
    if bit not in (0, 1):
        raise ReplyError("ERR The bit argument must be 1 or 0.")
    data = ctx.string(argv[1])
    if data is None:
        return -1 if bit else 0
    if len(argv) > 6:
        raise syntax_error()
    start = integer_argument(argv[3]) if len(argv) > 3 else 0
    in_bits = len(argv) == 6 and _is_bit_unit(argv[5])
    end = integer_argument(argv[4]) if len(argv) > 4 else -1
    first, last = _bit_range(len(data), start, end, in_bits)
    if first > last:
        return -1
    found = find_bit(data, bit, first, last)
    if found < 0 and bit == 0 and len(argv) <= 4:
        return len(data) * 8
    return found


@command(
    "BITOP",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=(key_spec("OW", "update", first=2), key_spec("RO", "access", first=3, last=-1)),
    acl=("bitmap",),
    positions=(2, -1, 1),
)
def bitop(ctx: Context, argv: list[bytes]) -> Reply:
    """Store a bitwise combination of strings; its length.  Nothing combined leaves no key."""
    operation, target = argv[1].upper(), argv[2]
    if operation not in (b"AND", b"OR", b"XOR", b"NOT"):
        raise syntax_error()
    if operation == b"NOT" and len(argv) != 4:
        raise ReplyError("ERR BITOP NOT must be called with a single source key.")
    result = combine(operation, [ctx.string(key) or b"" for key in argv[3:]])
    if result:
        ctx.apply(b"SET", target, result)
        ctx.db.note_encoding(target, "raw")
    elif ctx.peek(target) is not None:
        ctx.apply(b"DEL", target)
    return len(result)
