"""Compiled Lua 5.1 with some tail calls made ordinary ones.

``return redis.call(…)`` is a tail call.  To Redis, whose functions are C, that makes no difference; here they
are Lua, and the frame of the script would be gone when the error says where it happened.  So a tail call of a
function that was found by name (a global, or a field of a table) keeps its frame, as all do in a script's
outermost function, which runs once.  Only those of local functions, in which people write loops, give
theirs up.

The instructions are otherwise the same: ``TAILCALL A B 0`` is always followed by ``RETURN A 0``.

Format: ``lundump.c`` and ``lopcodes.h`` of Lua 5.1, as this machine's build writes them.
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = (
    b"\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00"  # 5.1, little-endian, int 4, size_t 8, instruction 4, double
)
_GETGLOBAL: Final = 5
_GETTABLE: Final = 6
_SELF: Final = 11
_CALL: Final = 28
_TAILCALL: Final = 29
_BY_NAME: Final = frozenset((_GETGLOBAL, _GETTABLE, _SELF))
_SETS_NOTHING: Final = frozenset((7, 8, 9, 22, 23, 24, 25, 26, 30, 34, 35))
"""SETGLOBAL SETUPVAL SETTABLE JMP EQ LT LE TEST RETURN SETLIST CLOSE: their A is no target."""


def keep_frames(compiled: bytes) -> bytes | None:
    """The chunk with such calls changed; None if there are none, or the format is not the one known."""
    if not compiled.startswith(HEADER):
        return None
    code = bytearray(compiled)
    walker = _Walker(code)
    walker.function(len(HEADER), outermost=True)
    return bytes(code) if walker.changed else None


class _Walker:
    """Walks the functions of a chunk and changes instructions in place."""

    def __init__(self, code: bytearray) -> None:
        self._code = code
        self.changed = False

    def _int(self, at: int) -> int:
        return int(struct.unpack_from("<i", self._code, at)[0])

    def _string(self, at: int) -> int:
        """Where a string ends."""
        return at + 8 + int(struct.unpack_from("<Q", self._code, at)[0])

    def function(self, at: int, *, outermost: bool = False) -> int:
        """Change one function and those in it; where it ends."""
        at = self._string(at) + 12  # source, two line numbers, four bytes of counts
        count = self._int(at)
        self._instructions(at + 4, count, outermost)
        at = self._constants(at + 4 + 4 * count)
        functions = self._int(at)
        at += 4
        for _ in range(functions):
            at = self.function(at)
        at += 4 + 4 * self._int(at)  # lines
        variables = self._int(at)
        at += 4
        for _ in range(variables):
            at = self._string(at) + 8
        names = self._int(at)
        at += 4
        for _ in range(names):
            at = self._string(at)
        return at

    def _constants(self, at: int) -> int:
        count = self._int(at)
        at += 4
        for _ in range(count):
            kind = self._code[at]
            at += 1
            if kind == 1:
                at += 1
            elif kind == 3:
                at += 8
            elif kind == 4:
                at = self._string(at)
        return at

    def _instructions(self, at: int, count: int, outermost: bool) -> None:
        words = struct.unpack_from(f"<{count}I", self._code, at)
        for place, word in enumerate(words):
            if word & 63 == _TAILCALL and (outermost or _found_by_name(words, place)):
                struct.pack_into("<I", self._code, at + 4 * place, word & ~63 | _CALL)
                self.changed = True


def _found_by_name(words: tuple[int, ...], place: int) -> bool:
    """Whether the register that holds the function was last set by a look-up by name."""
    register = words[place] >> 6 & 255
    for word in reversed(words[:place]):
        if word >> 6 & 255 == register and word & 63 not in _SETS_NOTHING:
            return word & 63 in _BY_NAME
    return False
