"""HyperLogLog commands: how many different elements were added, about, in at most 12 KB.

A HyperLogLog is a string (``objects/hyperloglog.py``), and its bytes are those that Redis would have.  A
change of a dense one is logged as the bytes that change, anything else as the whole value.  PFCOUNT keeps
its estimate in the value, which is an effect too; it is left out when the log has no room for it.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.table import (
    ADMIN,
    DENYOOM,
    FAST,
    MAY_REPLICATE,
    READONLY,
    WRITE,
    command,
    key_spec,
)
from durable_redis.errors import ReplyError, shown
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.hyperloglog import (
    CACHE_AT,
    DENSE,
    ENCODING_AT,
    HEADER_BYTES,
    OUTDATED,
    OUTDATED_AT,
    REGISTERS,
    SPARSE,
    Data,
    cached_estimate,
    dense_changes,
    dense_registers,
    dense_value,
    estimate,
    is_hyperloglog,
    merged,
    outdated,
    register_of,
)
from durable_redis.objects.hyperloglog_sparse import (
    EMPTY,
    CorruptError,
    PromotionNeeded,
    SparseRegisters,
    sparse_registers,
)
from durable_redis.resp.replies import OK, Reply

_ACL: Final = ("hyperloglog",)
_CORRUPT: Final = "INVALIDOBJ Corrupted HLL object detected"
_NO_REGISTERS: Final = bytes(REGISTERS)
_GAP_BYTES_MAX: Final = 32  # of unchanged bytes between changed ones that are logged with them
_EFFECT_OVERHEAD_BYTES: Final = 32  # of a SETRANGE in the log, beside its key and value
_ESTIMATE_ROOM_BYTES: Final = 1 << 16  # of log that must be free to keep an estimate
_SELFTEST_ELEMENTS: Final = 2000


# -- values --------------------------------------------------------------------------------------------------


def _read(ctx: Context, key: bytes, *, count: bool) -> Data | None:
    """The value of a key, checked as far as its header goes; ``count`` as in :meth:`Context.string`."""
    data = ctx.string(key, count=count)
    if data is not None and not is_hyperloglog(data):
        raise ReplyError("WRONGTYPE Key is not a valid HyperLogLog string value.")
    return data


def _registers(data: Data) -> bytes:
    """The registers of a value in either form.  Raises INVALIDOBJ."""
    if data[ENCODING_AT] == DENSE:
        return dense_registers(data)
    try:
        return sparse_registers(data)
    except CorruptError as error:
        raise ReplyError(_CORRUPT) from error


def _sparse_bytes_max(ctx: Context) -> int:
    return ctx.server.config.get_int("hll-sparse-max-bytes")


def _set(ctx: Context, key: bytes, old: Data | None, value: bytes) -> None:
    """Make this the value of a key, which keeps its expiry."""
    if old != value:
        if old is None:
            ctx.apply(b"SET", key, value, event=SILENT)
        else:
            ctx.apply(b"SET", key, value, b"KEEPTTL", event=SILENT)
    ctx.db.note_encoding(key, "raw")


# -- commands ------------------------------------------------------------------------------------------------


@command("PFADD", arity=-2, flags=WRITE | DENYOOM | FAST, keys=(key_spec("RW", "insert"),), acl=_ACL)
def pfadd(ctx: Context, argv: list[bytes]) -> Reply:
    """Add elements; 1 if that changed a register or made the key."""
    key = argv[1]
    data = _read(ctx, key, count=False)
    if data is not None:
        ctx.db.note_encoding(key, "raw")
    proposals = [register_of(element) for element in argv[2:]]
    if data is not None and data[ENCODING_AT] == DENSE:
        changes = dense_changes(data, proposals)
        if changes:
            _change(ctx, key, data, changes)
            ctx.notify(b"pfadd", key)
        return 1 if changes else 0
    value = _with_proposals(EMPTY if data is None else data, proposals, _sparse_bytes_max(ctx))
    if value is None:
        if data is not None:
            return 0
        value = outdated(EMPTY, SPARSE) + EMPTY[HEADER_BYTES:]
    _set(ctx, key, data, value)
    ctx.notify(b"pfadd", key)
    return 1


def _with_proposals(data: Data, proposals: list[tuple[int, int]], bytes_max: int) -> bytes | None:
    """A sparse value with these proposals made; None if that changes nothing."""
    sparse = SparseRegisters(data, bytes_max)
    changed = False
    try:
        for number, (register, value) in enumerate(proposals):
            try:
                changed |= sparse.propose(register, value)
            except PromotionNeeded:
                return _promoted(sparse.data, proposals[number:])
    except CorruptError as error:
        raise ReplyError(_CORRUPT) from error
    if not changed:
        return None
    return outdated(data, SPARSE) + bytes(sparse.data[HEADER_BYTES:])


def _promoted(data: Data, proposals: list[tuple[int, int]]) -> bytes:
    """A dense value from a sparse one and what it could not take."""
    made = bytearray(dense_value(outdated(data, DENSE), _registers(data)))
    for at, byte in dense_changes(made, proposals).items():
        made[at] = byte
    return bytes(made)


def _change(ctx: Context, key: bytes, data: Data, changes: dict[int, int]) -> None:
    """Change single bytes of a dense value, and note in its header that the estimate is outdated."""
    if not data[OUTDATED_AT] & OUTDATED:
        changes[OUTDATED_AT] = data[OUTDATED_AT] | OUTDATED
    pieces: list[tuple[int, bytearray]] = []
    size = 0
    for at in sorted(changes):
        if pieces:
            start, piece = pieces[-1]
            if at - start - len(piece) <= _GAP_BYTES_MAX:
                piece += data[start + len(piece) : at]
                piece.append(changes[at])
                continue
            size += len(piece)
        pieces.append((at, bytearray((changes[at],))))
    size += len(pieces[-1][1]) + len(pieces) * (len(key) + _EFFECT_OVERHEAD_BYTES)
    if size < len(data):
        for start, piece in pieces:
            ctx.apply(b"SETRANGE", key, b"%d" % start, bytes(piece), event=SILENT)
        return
    value = bytearray(data)
    for at, byte in changes.items():
        value[at] = byte
    _set(ctx, key, data, bytes(value))


@command(
    "PFCOUNT",
    arity=-2,
    flags=READONLY | MAY_REPLICATE,
    keys=(
        key_spec(
            "RW", "access", last=-1, notes="RW because the estimate is kept in the value, on followers too"
        ),
    ),
    acl=_ACL,
)
def pfcount(ctx: Context, argv: list[bytes]) -> Reply:
    """About how many different elements were added to one key, or to several together."""
    if len(argv) > 2:
        union = _NO_REGISTERS
        for key in argv[1:]:
            data = _read(ctx, key, count=True)
            if data is not None:
                union = merged(union, _registers(data))
        return _signed(estimate(union))
    key = argv[1]
    data = _read(ctx, key, count=True)
    if data is None:
        return 0
    ctx.db.note_encoding(key, "raw")
    number = cached_estimate(data)
    if number is None:
        number = estimate(_registers(data))
        _keep_estimate(ctx, key, number)
    return _signed(number)


def _keep_estimate(ctx: Context, key: bytes, number: int) -> None:
    try:
        ctx.server.reserve(_ESTIMATE_ROOM_BYTES)
    except ReplyError:
        return  # a full disk is no reason not to answer
    ctx.apply(b"SETRANGE", key, b"%d" % CACHE_AT, number.to_bytes(8, "little"), event=SILENT)


def _signed(number: int) -> int:
    """An unsigned 64-bit integer as replies show it."""
    return number - (1 << 64) if number >> 63 else number


@command(
    "PFMERGE",
    arity=-2,
    flags=WRITE | DENYOOM,
    keys=(key_spec("RW", "access", "insert"), key_spec("RO", "access", first=2, last=-1)),
    acl=_ACL,
    positions=(1, -1, 1),
)
def pfmerge(ctx: Context, argv: list[bytes]) -> Reply:
    """Add to the first key what was added to the others."""
    union = _NO_REGISTERS
    dense = False
    for key in argv[1:]:
        data = _read(ctx, key, count=True)
        if data is not None:
            dense = dense or data[ENCODING_AT] == DENSE
            union = merged(union, _registers(data))
    target = ctx.string(argv[1], count=False)
    value = None if dense else _sparse_union(target or EMPTY, union, _sparse_bytes_max(ctx))
    if value is None:
        value = dense_value(outdated(target or EMPTY, DENSE), union)
    _set(ctx, argv[1], target, value)
    ctx.notify(b"pfadd", argv[1])
    return OK


def _sparse_union(target: Data, union: bytes, bytes_max: int) -> bytes | None:
    """A sparse value that has been raised to these registers; None if it has to become dense."""
    sparse = SparseRegisters(target, bytes_max)
    try:
        before = sparse_registers(target)
        for register, value in enumerate(union):
            if value != before[register]:
                sparse.propose(register, value)
    except PromotionNeeded:
        return None
    except CorruptError as error:
        raise ReplyError(_CORRUPT) from error
    return outdated(target, SPARSE) + bytes(sparse.data[HEADER_BYTES:])


# -- looking inside ------------------------------------------------------------------------------------------


@command(
    "PFDEBUG",
    arity=3,
    flags=WRITE | DENYOOM | ADMIN,
    keys=(key_spec("RW", "access", first=2),),
    acl=_ACL,
)
def pfdebug(ctx: Context, argv: list[bytes]) -> Reply:
    """Registers (GETREG), the runs of a sparse value (DECODE), the form (ENCODING), and TODENSE."""
    key = argv[2]
    data = _read(ctx, key, count=False)
    if data is None:
        raise ReplyError("ERR The specified key does not exist")
    ctx.db.note_encoding(key, "raw")
    sparse = data[ENCODING_AT] == SPARSE
    match argv[1].upper():
        case b"GETREG" | b"TODENSE" as what:
            registers = _registers(data)
            if sparse:
                _set(ctx, key, data, dense_value(data, registers))
            return list(registers) if what == b"GETREG" else int(sparse)
        case b"DECODE":
            if not sparse:
                raise ReplyError("ERR HLL encoding is not sparse")
            return b" ".join(_described_runs(data))
        case b"ENCODING":
            return "sparse" if sparse else "dense"
    raise ReplyError(f"ERR Unknown PFDEBUG subcommand '{shown(argv[1])}'")


def _described_runs(data: Data) -> list[bytes]:
    runs = []
    following = iter(data[HEADER_BYTES:])
    for byte in following:
        if byte & 0x80:
            runs.append(b"v:%d,%d" % ((byte >> 2 & 31) + 1, (byte & 3) + 1))
        elif byte & 0x40:
            runs.append(b"Z:%d" % (((byte & 63) << 8 | next(following, 0)) + 1))
        else:
            runs.append(b"z:%d" % (byte + 1))
    return runs


@command("PFSELFTEST", arity=1, flags=ADMIN, acl=_ACL)
def pfselftest(ctx: Context, argv: list[bytes]) -> Reply:
    """See that both forms agree with each other and roughly with the truth."""
    proposals = [register_of(b"%d" % number) for number in range(_SELFTEST_ELEMENTS)]
    sparse = SparseRegisters(EMPTY, 2 * REGISTERS)
    expected = bytearray(REGISTERS)
    for register, value in proposals:
        sparse.propose(register, value)
        expected[register] = max(expected[register], value)
    dense = _promoted(EMPTY, proposals)
    error = abs(estimate(bytes(expected)) - _SELFTEST_ELEMENTS)
    if sparse_registers(sparse.data) != expected or dense_registers(dense) != expected:
        raise ReplyError("TESTFAILED the forms differ")
    if error > _SELFTEST_ELEMENTS // 20:
        raise ReplyError(f"TESTFAILED the estimate is wrong by {error}")
    return OK
