"""The random source that all generators draw from: keys, values, numbers, and their bad neighbours.

Everything comes from one seeded ``random.Random``, so a seed is a sequence.  Few keys, so that commands
meet; numbers near every limit; now and then something that is no number at all.  No draw makes a server
hold more than some hundred kilobytes under one key, and no relative time to live is short enough to pass
during a sequence.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from tests.support.comparing import ABSOLUTE_TIMES_MS
from tests.support.script import Step, step

Word = bytes | str | int
_T = TypeVar("_T")
Generator = Callable[["Source"], Step]

KEYS: Final = (b"k0", b"k1", b"k2", b"k3", b"key:4", b"key:5", b"\x00\xff\r\n", b"", b"{tag}6", b"a*b?[c]")
VALUES: Final = (
    b"",
    b"a",
    b"hello world",
    b"foobar",
    b"x" * 44,
    b"y" * 45,
    b"\x00\x01\xfe\xff",
    b"\r\n$5\r\n",
    b"0" * 20,
    b"z" * 1000,
    bytes(range(256)),
)
INTEGERS: Final = (
    b"0 1 -1 2 -2 7 10 100 255 9999 10000 2147483647 -2147483648 4294967296 "
    b"9223372036854775807 -9223372036854775808 9223372036854775806"
).split()
BAD_INTEGERS: Final = (
    b"",
    b" 1",
    b"1 ",
    b"+1",
    b"01",
    b"-0",
    b"1.0",
    b"1e3",
    b"abc",
    b"0x10",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"9" * 30,
    b"--1",
    b"1\x00",
)
FLOATS: Final = (
    b"0 1 -1 0.1 -0.1 3.0e3 1e-5 5.0 3.14159265358979 1e15 1e17 1.5e+2 .5 5. -0 123456789.123456789 +2 0x1p3"
).split()
BAD_FLOATS: Final = (b"", b"abc", b"nan", b"inf", b"-inf", b"1e400", b" 1", b"1 ", b"1.5abc", b"1,5", b"e5")
BAD_TIMES: Final[tuple[Word, ...]] = (
    *(0, -1, -1000, 9223372036854775807, 9223372036854775, b"-9223372036854775808"),
    *(b"abc", b"1.5", b""),
)
DATABASES: Final = (0, 1, 2, 15)
BAD_DATABASES: Final = (b"16", b"-1", b"abc", b"", b"99999999999999999999")


class Source:
    """Draws for generators."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def pick(self, *choices: _T) -> _T:
        """One of the arguments."""
        return self.random.choice(choices)

    def some(self, least: int, most: int) -> range:
        """A range to loop over, of random length."""
        return range(self.random.randint(least, most))

    def key(self) -> bytes:
        """A key; the first ones come often."""
        return KEYS[min(self.random.randrange(len(KEYS)), self.random.randrange(len(KEYS)))]

    def value(self) -> bytes:
        """Any value: text, binary, number."""
        return self.random.choice(self.pick(VALUES, VALUES, INTEGERS, FLOATS, BAD_INTEGERS))

    def integer(self, bad: float = 0.1) -> bytes:
        """A 64-bit integer, or with probability ``bad`` something that is none."""
        return self.random.choice(BAD_INTEGERS if self.chance(bad) else INTEGERS)

    def small(self, low: int = -12, high: int = 12, bad: float = 0.06) -> bytes:
        """An index or offset near zero, now and then far away or none at all."""
        if self.chance(bad):
            return self.integer(0.6)
        return b"%d" % self.random.randint(low, high)

    def number(self) -> bytes:
        """A float, or something that is none."""
        return self.random.choice(BAD_FLOATS if self.chance(0.15) else FLOATS)

    def database(self) -> Word:
        """A database's number."""
        return self.random.choice(BAD_DATABASES) if self.chance(0.1) else self.random.choice(DATABASES)

    def case(self, word: str) -> str:
        """An option as people write it."""
        return self.pick(word, word.lower(), word.title())

    def relative_seconds(self) -> Word:
        """A time to live that does not pass during the sequence, or a bad one."""
        return self.pick(1000, 5000, 86400) if self.chance(0.8) else self.bad_time()

    def relative_milliseconds(self) -> Word:
        """The same in milliseconds."""
        return self.pick(1_000_000, 5_000_001, 86_400_000) if self.chance(0.8) else self.bad_time()

    def absolute_seconds(self) -> Word:
        """A deadline: far, past, relative to now, or bad."""
        far = self.random.choice(ABSOLUTE_TIMES_MS) // 1000
        return self.pick(far, far, b"{s+1000}", b"{s-10}", 1, self.bad_time())

    def absolute_milliseconds(self) -> Word:
        """The same in milliseconds."""
        far = self.random.choice(ABSOLUTE_TIMES_MS)
        return self.pick(far, far, b"{ms+1000000}", b"{ms-10}", 1, self.bad_time())

    def bad_time(self) -> Word:
        """Zero, negative, overflowing, or no number."""
        return self.random.choice(BAD_TIMES)

    def expiry_option(self) -> list[Word]:
        """EX, PX, EXAT or PXAT with its argument; sometimes without."""
        option = self.pick("EX", "PX", "EXAT", "PXAT")
        draws = {
            "EX": self.relative_seconds,
            "PX": self.relative_milliseconds,
            "EXAT": self.absolute_seconds,
            "PXAT": self.absolute_milliseconds,
        }
        return [self.case(option)] if self.chance(0.04) else [self.case(option), draws[option]()]

    def choose(self, *generators: Callable[[], Sequence[Word]]) -> list[Word]:
        """The words of one of these."""
        return list(self.random.choice(generators)())

    def mangle(self, words: Sequence[Word]) -> Step:
        """Mostly the words as they are; now and then one too few, one too many, or one changed."""
        changed = list(words)
        if self.chance(0.06):
            place = self.random.randrange(1, len(changed) + 1)
            match self.random.randrange(4):
                case 0:
                    del changed[place:]
                case 1:
                    changed.insert(place, self.value())
                case 2 if place < len(changed):
                    changed[place] = self.value()
                case _ if place < len(changed):
                    del changed[place]
        return step(*changed)
