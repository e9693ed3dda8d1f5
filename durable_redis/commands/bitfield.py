"""BITFIELD and BITFIELD_RO: integers of any width at any bit of a string.

All subcommands are parsed before the first one runs, so an error changes nothing.  A field that gets a new
number is logged as a SETRANGE of the bytes it touches.  As in Redis, a string grows to hold every field that
a SET or INCRBY names, even one that OVERFLOW FAIL leaves alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.commands.bitmaps import bit_offset
from durable_redis.commands.bits import read_field, replaced_field
from durable_redis.commands.context import Context
from durable_redis.commands.strings import integer_argument
from durable_redis.commands.table import DENYOOM, FAST, READ_KEY, READONLY, WRITE, command, key_spec
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.keyspace.effects import SILENT
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

_BAD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
_SIGNED_BITS_MAX = 64
_UNSIGNED_BITS_MAX = 63
_UINT64_MASK = (1 << 64) - 1
_ARGUMENTS = {b"GET": 2, b"SET": 3, b"INCRBY": 3}


@dataclass(slots=True)
class FieldOperation:
    """One GET, SET or INCRBY with the overflow rule that holds for it."""

    name: bytes
    signed: bool
    bits: int
    offset: int
    operand: int
    overflow: bytes

    def number(self, stored: int) -> int:
        """The bits of a field as a number."""
        return stored - (1 << self.bits) if self.signed and stored >> (self.bits - 1) else stored

    def target(self, old: int) -> int | None:
        """What the field shall hold, as bits; None where it overflows and must not."""
        low, high = (
            (-1 << self.bits - 1, (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        )
        if self.name == b"INCRBY":
            wanted = old + self.operand
        elif self.signed:
            wanted = self.operand
        else:
            wanted = self.operand & _UINT64_MASK  # a negative number is a large unsigned one
        if not low <= wanted <= high:
            if self.overflow == b"FAIL":
                return None
            if self.overflow == b"SAT":
                wanted = low if wanted < low else high
        return wanted & ((1 << self.bits) - 1)


@command(
    "BITFIELD",
    arity=-2,
    flags=WRITE | DENYOOM,
    keys=(
        key_spec(
            "RW", "access", "update", "variable_flags", notes="GET subcommands read, SET and INCRBY change"
        ),
    ),
    acl=("bitmap",),
)
def bitfield(ctx: Context, argv: list[bytes]) -> Reply:
    """Read and change integer fields of a string; one reply for each subcommand."""
    operations = _parse(ctx, argv)
    writes = [operation for operation in operations if operation.name != b"GET"]
    if not writes:
        return _read_fields(ctx, argv[1], operations)
    ctx.string(argv[1], count=False)  # WRONGTYPE comes before any change
    changed: list[FieldOperation] = []
    replies = [_run(ctx, argv[1], operation, changed) for operation in operations]
    size = max(operation.offset + operation.bits + 7 for operation in writes) >> 3
    if len(ctx.string(argv[1], count=False) or b"") < size:
        ctx.apply(b"SETRANGE", argv[1], b"%d" % (size - 1), b"\0", event=SILENT)
        answered = zip(operations, replies, strict=True)
        changed += (found for found, reply in answered if found.name != b"GET" and reply is not None)
    if changed:
        ctx.notify(b"setbit", argv[1])
    ctx.db.note_encoding(argv[1], "raw")
    return replies


@command("BITFIELD_RO", arity=-2, flags=READONLY | FAST, keys=READ_KEY, acl=("bitmap",))
def bitfield_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """Read integer fields of a string."""
    operations = _parse(ctx, argv)
    if any(operation.name != b"GET" for operation in operations):
        raise ReplyError("ERR BITFIELD_RO only supports the GET subcommand")
    return _read_fields(ctx, argv[1], operations)


def _read_fields(ctx: Context, key: bytes, operations: list[FieldOperation]) -> list[int]:
    data = ctx.string(key) or b""
    return [found.number(read_field(data, found.offset, found.bits)) for found in operations]


def _run(ctx: Context, key: bytes, operation: FieldOperation, changed: list[FieldOperation]) -> int | None:
    """Carry out one subcommand; its reply.  If it changes something it is appended to ``changed``."""
    data = ctx.string(key, count=False) or b""
    stored = read_field(data, operation.offset, operation.bits)
    old = operation.number(stored)
    if operation.name == b"GET":
        return old
    target = operation.target(old)
    if target is None:
        return None
    if target != stored:
        begin, window = replaced_field(data, operation.offset, operation.bits, target)
        ctx.apply(b"SETRANGE", key, b"%d" % begin, window, event=SILENT)
        changed.append(operation)
        changed.append(operation)
    return operation.number(target) if operation.name == b"INCRBY" else old


def _parse(ctx: Context, argv: list[bytes]) -> list[FieldOperation]:
    operations = []
    overflow = b"WRAP"
    at = 2
    while at < len(argv):
        name = argv[at].upper()
        if name == b"OVERFLOW" and at + 1 < len(argv):
            overflow = argv[at + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise ReplyError("ERR Invalid OVERFLOW type specified")
            at += 2
            continue
        count = _ARGUMENTS.get(name)
        if count is None or at + count >= len(argv):
            raise syntax_error()
        signed, bits = _parse_type(argv[at + 1])
        offset = bit_offset(ctx, argv[at + 2], bits)
        operand = integer_argument(argv[at + 3]) if count == 3 else 0
        operations.append(FieldOperation(name, signed, bits, offset, operand, overflow))
        at += count + 1
    return operations


def _parse_type(raw: bytes) -> tuple[bool, int]:
    """``i16`` is signed with 16 bits, ``u8`` unsigned with 8."""
    sign = raw[:1]
    bits = parse_integer(raw[1:])
    if sign not in (b"i", b"u") or bits is None:
        raise ReplyError(_BAD_TYPE)
    if not 1 <= bits <= (_SIGNED_BITS_MAX if sign == b"i" else _UNSIGNED_BITS_MAX):
        raise ReplyError(_BAD_TYPE)
    return sign == b"i", bits
