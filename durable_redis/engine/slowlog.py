"""The commands that took long, the latest ones, for SLOWLOG.

An entry keeps at most ARGUMENTS_MAX words of ARGUMENT_BYTES_MAX bytes, so that a huge command does not stay
in memory for being slow; what is left out is counted.  Numbers of entries go on after a reset.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

ARGUMENTS_MAX: Final = 32
ARGUMENT_BYTES_MAX: Final = 128
NO_ADDRESS: Final = "?:0"  # of what a script calls


@dataclass(slots=True, frozen=True)
class SlowCommand:
    """One entry: who called what, when, and how long it took."""

    number: int
    time_seconds: int  # since 1970
    usec: int
    argv: list[bytes]
    address: str
    client_name: bytes


class SlowLog:
    """The entries, the latest first."""

    def __init__(self) -> None:
        self.entries: deque[SlowCommand] = deque()
        self.length_max = 128
        self._next_number = 0

    def add(self, argv: list[bytes], usec: int, time_seconds: int, address: str, client_name: bytes) -> None:
        """Note a command; the oldest entries make room."""
        entry = SlowCommand(self._next_number, time_seconds, usec, shortened(argv), address, client_name)
        self._next_number += 1
        self.entries.appendleft(entry)
        self.trim()

    def trim(self) -> None:
        """Drop what is beyond ``length_max``."""
        while len(self.entries) > self.length_max:
            self.entries.pop()


def shortened(argv: list[bytes]) -> list[bytes]:
    """The words as an entry keeps them."""
    left_out = len(argv) - ARGUMENTS_MAX
    if left_out > 0:
        kept = [_shortened(word) for word in argv[: ARGUMENTS_MAX - 1]]
        return [*kept, b"... (%d more arguments)" % (left_out + 1)]
    return [_shortened(word) for word in argv]


def _shortened(word: bytes) -> bytes:
    left_out = len(word) - ARGUMENT_BYTES_MAX
    if left_out > 0:
        return word[:ARGUMENT_BYTES_MAX] + b"... (%d more bytes)" % left_out
    return bytes(word)
