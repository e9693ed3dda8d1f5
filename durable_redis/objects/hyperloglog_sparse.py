"""The sparse form of a HyperLogLog: runs of equal registers, for as long as most of them are zero.

::

    sparse  = { ZERO | XZERO | VAL }        16384 registers in all
    ZERO    = 00llllll                      l + 1 zeros
    XZERO   = 01llllll llllllll             l + 1 zeros, the high bits first
    VAL     = 1vvvvvll                      l + 1 registers of value v + 1

Which of several ways to write the same registers is taken depends on the order in which they were set: a
run is parted where a register changes, and only next to it runs of the same value are joined again.
:class:`SparseRegisters` does both just as Redis, so that the bytes are the same.

Source: http://antirez.com/news/75
"""

from __future__ import annotations

import re
from typing import Final

from durable_redis.objects.hyperloglog import HEADER_BYTES, MAGIC, REGISTERS, SPARSE, Data

VALUE_MAX: Final = 32
_VALUES_MAX: Final = 4  # registers in one VAL
_ZEROS_MAX: Final = 64  # registers in one ZERO
_JOIN_STEPS: Final = 5  # runs that are looked at for joining
_BLOCK_BYTES: Final = 64  # that are skipped at a time while they have no XZERO
_XZERO: Final = re.compile(rb"[\x40-\x7f]")
_SPANS: Final = bytes((byte & 3 if byte & 0x80 else byte & 63) + 1 for byte in range(256))
_RUNS: Final = [bytes(((byte >> 2 & 31) + 1 if byte & 0x80 else 0,)) * _SPANS[byte] for byte in range(256)]

EMPTY: Final = MAGIC + bytes((SPARSE,)) + bytes(11) + b"\x7f\xff"
"""The value before anything was added."""


class CorruptError(Exception):
    """The runs are not those of 16384 registers."""


class PromotionNeeded(Exception):
    """A register cannot be set in the sparse form."""


def sparse_registers(data: Data) -> bytes:
    """The registers of a sparse value.  Raises CorruptError."""
    parts: list[bytes] = []
    total = 0
    at, size = HEADER_BYTES, len(data)
    while at < size:
        found = _XZERO.search(data, at)
        stop = found.start() if found else size
        for byte in data[at:stop]:
            run = _RUNS[byte]
            total += len(run)
            if total > REGISTERS:
                raise CorruptError
            parts.append(run)
        if stop < size:
            low = data[stop + 1] if stop + 1 < size else 0
            run = bytes(((data[stop] & 63) << 8 | low) + 1)
            total += len(run)
            parts.append(run)
        at = stop + 2
        if total > REGISTERS:
            raise CorruptError
    if total != REGISTERS:
        raise CorruptError
    return b"".join(parts)


class SparseRegisters:
    """A copy of a sparse value that is being changed; ``data`` is the value, header included.

    ``mark`` remembers a run before the last change, so that setting registers in ascending order does not
    begin from the first run each time.
    """

    __slots__ = ("_mark", "_mark_first", "bytes_max", "data")

    def __init__(self, data: Data, bytes_max: int) -> None:
        self.data = bytearray(data)
        self.bytes_max = bytes_max
        self._mark, self._mark_first = HEADER_BYTES, 0

    def propose(self, register: int, value: int) -> bool:
        """Set a register if its value is lower; whether it was.  Raises CorruptError, PromotionNeeded."""
        if value > VALUE_MAX:
            raise PromotionNeeded
        data = self.data
        at, first, before = self._locate(register)
        run = data[at]
        wide = run & 0xC0 == 0x40
        span = ((run & 63) << 8 | data[at + 1]) + 1 if wide else _SPANS[run]
        if run & 0x80 and (run >> 2 & 31) + 1 >= value:
            return False
        changed = 0x80 | (value - 1) << 2
        if span == 1 and not wide:
            data[at] = changed
        else:
            old = run & 0xFC if run & 0x80 else 0
            parted = _run(old, register - first)
            parted.append(changed)
            parted += _run(old, first + span - 1 - register)
            longer = len(parted) - 1 - wide
            if longer > 0 and len(data) + longer > self.bytes_max:
                raise PromotionNeeded
            data[at : at + 1 + wide] = parted
        self._join(before)
        return True

    def _locate(self, register: int) -> tuple[int, int, int]:
        """Where the run with a register is, its first register, and where the run before it is."""
        data = self.data
        size = len(data)
        if register < self._mark_first:
            self._mark, self._mark_first = HEADER_BYTES, 0
        at, first = self._mark, self._mark_first
        before, before_first = at, first
        while at < size:
            found = _XZERO.search(data, at)
            stop = found.start() if found else size
            while at < stop:
                end = min(at + _BLOCK_BYTES, stop)
                span = sum(data[at:end].translate(_SPANS))
                if first + span > register:
                    while first + _SPANS[data[at]] <= register:
                        before, before_first = at, first
                        first += _SPANS[data[at]]
                        at += 1
                    return self._located(register, at, first, before, before_first)
                first += span
                at = end
                before, before_first = at - 1, first - _SPANS[data[at - 1]]
            if at + 1 >= size:
                break
            span = ((data[at] & 63) << 8 | data[at + 1]) + 1
            if first + span > register:
                return self._located(register, at, first, before, before_first)
            before, before_first = at, first
            first += span
            at += 2
        raise CorruptError

    def _located(
        self, register: int, at: int, first: int, before: int, before_first: int
    ) -> tuple[int, int, int]:
        if at == self._mark != HEADER_BYTES:
            # What stands before the mark is not known: look for it from the beginning.
            self._mark, self._mark_first = HEADER_BYTES, 0
            return self._locate(register)
        self._mark, self._mark_first = before, before_first
        return at, first, before

    def _join(self, at: int) -> None:
        """Join runs of the same value, from a run on."""
        data = self.data
        for _ in range(_JOIN_STEPS):
            if at >= len(data):
                break
            run = data[at]
            if not run & 0x80:
                at += 2 if run & 0x40 else 1
                continue
            after = data[at + 1] if at + 1 < len(data) else 0
            span = _SPANS[run] + _SPANS[after]
            if after & 0x80 and run & 0xFC == after & 0xFC and span <= _VALUES_MAX:
                data[at : at + 2] = (run & 0xFC | span - 1,)
            else:
                at += 1


def _run(old: int, span: int) -> bytearray:
    """A run of that many registers like ``old``: the code of a VAL, or 0 for zeros."""
    if span == 0:
        return bytearray()
    if old:
        return bytearray((old | span - 1,))
    if span <= _ZEROS_MAX:
        return bytearray((span - 1,))
    return bytearray((0x40 | (span - 1) >> 8, (span - 1) & 0xFF))
