"""Kinds of option values: how the words of a setting become a value, and how the value is shown.

A kind is a small object that an option is declared with.  ``parse`` takes the words of one setting and the
value before it, and gives a value that never changes (int, bool, str, tuple); it raises
:class:`InvalidValue` with Redis's own text.  ``show`` gives the text of CONFIG GET, ``lines`` the arguments
as a configuration file has them, one entry a line.

A kind with ``multi`` takes several words (``bind``, ``save``).  With ``repeats`` the lines of a file add
up; with ``merges`` each setting changes only the part of the value that it names.

Texts are ``str`` whose undecodable bytes are surrogates.  The error texts are redis-server 7.0.15's, asked
of it. Kinds that serve a single option stand in ``special.py``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from durable_redis.config.words import quote, quote_if_needed

INT_MAX: Final = (1 << 31) - 1
INT_MIN: Final = -(1 << 31)
UINT_MAX: Final = (1 << 32) - 1
LONG_MAX: Final = (1 << 63) - 1
ULONG_MAX: Final = (1 << 64) - 1
PORT_MAX: Final = 65535

WRONG_NUMBER: Final = "wrong number of arguments"
NOT_AN_INTEGER: Final = "argument couldn't be parsed into an integer"
NOT_OCTAL: Final = "argument couldn't be parsed as an octal number"
NOT_MEMORY: Final = "argument must be a memory value"
NOT_MEMORY_OR_PERCENT: Final = "argument must be a memory or percent value"
NOT_YES_OR_NO: Final = "argument must be 'yes' or 'no'"
PERCENT_TOO_LARGE: Final = "percentage argument must be less or equal to 100"

_UNITS: Final = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1 << 10,
    "m": 1000**2,
    "mb": 1 << 20,
    "g": 1000**3,
    "gb": 1 << 30,
}
_MEMORY: Final = re.compile(r"([0-9]*)([a-zA-Z]*)")
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_OCTAL: Final = re.compile(r"\s*[+-]?[0-7]*")


class InvalidValue(ValueError):
    """A value that an option does not take; ``str(error)`` is Redis's text for it."""


class Kind(Protocol):
    """What an option's declaration needs of a kind."""

    @property
    def multi(self) -> bool:
        """Whether a setting has several words."""

    @property
    def repeats(self) -> bool:
        """Whether several lines of a file add up."""

    @property
    def merges(self) -> bool:
        """Whether a setting changes a part of the value only."""

    def parse(self, words: Sequence[str], before: Any) -> Any:
        """The value that ``words`` set; ``before`` is the value they replace or add to (None for none)."""

    def show(self, value: Any) -> str:
        """The text of CONFIG GET."""

    def lines(self, value: Any) -> list[str]:
        """The arguments of each line in a configuration file."""


class Single:
    """The base of kinds that take one word."""

    __slots__ = ()
    multi = False
    repeats = False
    merges = False

    def parse(self, words: Sequence[str], before: Any) -> Any:
        """The value of the only word."""
        if len(words) != 1:
            raise InvalidValue(WRONG_NUMBER)
        return self.parse_word(words[0])

    def parse_word(self, word: str) -> Any:
        """The value of a word; for the heirs."""
        raise NotImplementedError

    def show(self, value: Any) -> str:
        """The value as text."""
        return str(value)

    def lines(self, value: Any) -> list[str]:
        """One line with the value."""
        return [self.show(value)]


class Boolean(Single):
    """``yes`` or ``no``."""

    __slots__ = ()

    def parse_word(self, word: str) -> bool:
        """The truth of a word."""
        lowered = word.lower()
        if lowered not in ("yes", "no"):
            raise InvalidValue(NOT_YES_OR_NO)
        return lowered == "yes"

    def show(self, value: bool) -> str:
        """``yes`` or ``no``."""
        return "yes" if value else "no"


class Integer(Single):
    """A whole number between bounds.

    ``clamp`` narrows an accepted value silently, as Redis does for ``hz``.
    """

    __slots__ = ("clamp", "high", "low")

    def __init__(self, low: int, high: int, clamp: tuple[int, int] | None = None) -> None:
        self.low, self.high, self.clamp = low, high, clamp

    def parse_word(self, word: str) -> int:
        """The number."""
        if not _INTEGER.fullmatch(word) or not -LONG_MAX - 1 <= int(word) <= LONG_MAX:
            raise InvalidValue(NOT_AN_INTEGER)
        value = _bounded(int(word), self.low, self.high)
        return max(self.clamp[0], min(self.clamp[1], value)) if self.clamp else value


class Octal(Single):
    """Permission bits, written in octal."""

    __slots__ = ("high",)

    def __init__(self, high: int) -> None:
        self.high = high

    def parse_word(self, word: str) -> int:
        """The bits."""
        if not _OCTAL.fullmatch(word):
            raise InvalidValue(NOT_OCTAL)
        value = int(word.strip() or "0", 8) if word.strip() not in ("+", "-") else 0
        if not 0 <= value <= self.high:
            raise InvalidValue(f"argument must be between 0 and {self.high:o} inclusive")
        return value

    def show(self, value: int) -> str:
        """The bits in octal."""
        return f"{value:o}"


class Memory(Single):
    """A number of bytes, with the units b, k, kb, m, mb, g, gb (k is 1000, kb is 1024) in any case."""

    __slots__ = ("high", "low")

    def __init__(self, low: int = 0, high: int = LONG_MAX) -> None:
        self.low, self.high = low, high

    def parse_word(self, word: str) -> int:
        """The bytes."""
        value = maybe_bytes(word)
        if value is None:
            raise InvalidValue(NOT_MEMORY)
        return _bounded(value, self.low, self.high)

    def lines(self, value: int) -> list[str]:
        """The bytes in their largest whole unit."""
        return [with_unit(value)]


class MemoryOrPercent(Memory):
    """Bytes, or a share of ``maxmemory``: a percentage is kept as a negative number."""

    __slots__ = ()

    def parse_word(self, word: str) -> int:
        """The bytes, or minus the percentage."""
        if word.endswith("%"):
            if not word[:-1].isdecimal():
                raise InvalidValue(NOT_MEMORY_OR_PERCENT)
            if int(word[:-1]) > 100:
                raise InvalidValue(PERCENT_TOO_LARGE)
            return -int(word[:-1])
        value = maybe_bytes(word)
        if value is None:
            raise InvalidValue(NOT_MEMORY_OR_PERCENT)
        return _bounded(value, self.low, self.high)

    def show(self, value: int) -> str:
        """The bytes, or the percentage with its sign."""
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int) -> list[str]:
        """The same with units."""
        return [self.show(value) if value < 0 else with_unit(value)]


class Enum(Single):
    """One of some words, in any case."""

    __slots__ = ("choices",)

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def parse_word(self, word: str) -> str:
        """The word as it was declared."""
        lowered = word.lower()
        if lowered not in self.choices:
            raise InvalidValue(_one_of(self.choices))
        return lowered


class Text(Single):
    """Any text; ``check`` says what is wrong with one, or nothing."""

    __slots__ = ("check",)

    def __init__(self, check: Callable[[str], str] | None = None) -> None:
        self.check = check

    def parse_word(self, word: str) -> str:
        """The text itself."""
        if self.check is not None and (wrong := self.check(word)):
            raise InvalidValue(wrong)
        return word

    def lines(self, value: str) -> list[str]:
        """The text in quotes."""
        return [quote(value)]


class Directory(Text):
    """A directory, kept as an absolute path, so that it does not depend on where the process stands later."""

    __slots__ = ()

    def parse_word(self, word: str) -> str:
        """The absolute path."""
        if not word:
            raise InvalidValue("No such file or directory")
        return os.path.abspath(word)


class Words:
    """A list of words, at most ``count_max``."""

    __slots__ = ("count_max", "too_many")
    multi = True
    repeats = False
    merges = False

    def __init__(self, count_max: int, too_many: str) -> None:
        self.count_max, self.too_many = count_max, too_many

    def parse(self, words: Sequence[str], before: Any) -> tuple[str, ...]:
        """The words."""
        if len(words) > self.count_max:
            raise InvalidValue(self.too_many)
        return tuple(word for word in words if word)

    def show(self, value: tuple[str, ...]) -> str:
        """The words with spaces between."""
        return " ".join(value)

    def lines(self, value: tuple[str, ...]) -> list[str]:
        """One line with all words."""
        return [" ".join(map(quote_if_needed, value)) or '""']


class EnumSet:
    """Some of several words; the first declared one stands for none.  ``exclusive`` words say so."""

    __slots__ = ("choices", "exclusive")
    multi = True
    repeats = False
    merges = False

    def __init__(self, *choices: str, exclusive: tuple[frozenset[str], str] | None = None) -> None:
        self.choices = choices
        self.exclusive = exclusive

    def parse(self, words: Sequence[str], before: Any) -> tuple[str, ...]:
        """The chosen words in the order of the declaration."""
        lowered = {word.lower() for word in words}
        if not lowered or not lowered <= set(self.choices):
            raise InvalidValue(_one_of(self.choices))
        if self.exclusive is not None and self.exclusive[0] <= lowered:
            raise InvalidValue(self.exclusive[1])
        return tuple(choice for choice in self.choices[1:] if choice in lowered)

    def show(self, value: tuple[str, ...]) -> str:
        """The words, or the one that stands for none."""
        return " ".join(value) or self.choices[0]

    def lines(self, value: tuple[str, ...]) -> list[str]:
        """The same."""
        return [self.show(value)]


def maybe_bytes(word: str) -> int | None:
    """The bytes that ``10mb`` stands for, at most ULONG_MAX.

    None if it is not an amount.  No digits are zero.
    """
    found = _MEMORY.fullmatch(word)
    if found is None or found[2].lower() not in _UNITS:
        return None
    digits = found[1].lstrip("0")
    if len(digits) > 20:
        return ULONG_MAX
    return min(int(digits or "0") * _UNITS[found[2].lower()], ULONG_MAX)


def with_unit(value: int) -> str:
    """An amount in the largest unit of which it is a whole number."""
    for unit in ("gb", "mb", "kb"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return str(value)


def _bounded(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise InvalidValue(f"argument must be between {low} and {high} inclusive")
    return value


def _one_of(choices: tuple[str, ...]) -> str:
    return f"argument(s) must be one of the following: {', '.join(choices)}"
