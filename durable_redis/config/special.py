"""Kinds of values that only one option has: snapshot times, output limits, event classes, percentiles,
scores.

The protocol and the rules are those of ``kinds.py``; the error texts are redis-server 7.0.15's.  What a
value means is the business of whoever reads the option.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from durable_redis.config.kinds import WRONG_NUMBER, InvalidValue, maybe_bytes, with_unit
from durable_redis.config.words import quote

_LOOSE_INTEGER: Final = re.compile(r"[+-]?[0-9]+|")
_CLASSES: Final = ("normal", "slave", "pubsub")
_EVENT_CLASSES: Final = "g$lshzxetd"  # what A stands for
_EVENT_MODES: Final = "KEmn"
_OOM_SCORE_MAX: Final = 2000
PERCENTILES_MAX: Final = 100

Limits = tuple[tuple[int, int, int], ...]
"""Hard bytes, soft bytes and soft seconds for normal clients, replicas and subscribers."""


class SavePoints:
    """Pairs of seconds and changes; several lines add up, and an empty one takes all away."""

    __slots__ = ()
    multi = True
    repeats = True
    merges = False

    def parse(self, words: Sequence[str], before: tuple[int, ...] | None) -> tuple[int, ...]:
        """The numbers, behind those of lines before."""
        numbers = [_loose_integer(word) for word in words]
        wrong = any(
            number is None or number < (1 if place % 2 == 0 else 0) for place, number in enumerate(numbers)
        )
        if len(words) % 2 or wrong:
            raise InvalidValue("Invalid save parameters")
        found = tuple(number for number in numbers if number is not None)
        return (before or ()) + found if found else ()

    def show(self, value: tuple[int, ...]) -> str:
        """All numbers in one line."""
        return " ".join(map(str, value))

    def lines(self, value: tuple[int, ...]) -> list[str]:
        """A line for each pair."""
        pairs = zip(value[::2], value[1::2], strict=True)
        return [f"{seconds} {changes}" for seconds, changes in pairs] or ['""']


class OutputLimits:
    """Limits of what waits to be sent, per class of clients; classes that are not named keep theirs."""

    __slots__ = ()
    multi = True
    repeats = True
    merges = True

    def parse(self, words: Sequence[str], before: Limits | None) -> Limits:
        """The limits of all classes."""
        if len(words) % 4:
            raise InvalidValue("Wrong number of arguments in buffer limit configuration.")
        limits = list(before or ((0, 0, 0),) * len(_CLASSES))
        for start in range(0, len(words), 4):
            name = words[start].lower().replace("replica", "slave")
            if name not in _CLASSES:
                raise InvalidValue("Invalid client class specified in buffer limit configuration.")
            hard, soft = maybe_bytes(words[start + 1]), maybe_bytes(words[start + 2])
            seconds = _loose_integer(words[start + 3])
            if hard is None or soft is None or seconds is None or seconds < 0:
                raise InvalidValue(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                )
            limits[_CLASSES.index(name)] = (hard, soft, seconds)
        return tuple(limits)

    def show(self, value: Limits) -> str:
        """All classes in one line, by the names that tools know."""
        parts = (f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in self._by_name(value))
        return " ".join(parts)

    def lines(self, value: Limits) -> list[str]:
        """A line for each class."""
        return [
            f"{name.replace('slave', 'replica')} {with_unit(hard)} {with_unit(soft)} {seconds}"
            for name, (hard, soft, seconds) in self._by_name(value)
        ]

    def _by_name(self, value: Limits) -> list[tuple[str, tuple[int, int, int]]]:
        return list(zip(_CLASSES, value, strict=True))


class EventClasses:
    """Letters that choose keyspace events; kept in Redis's order, with A for all classes.

    As in Redis, n (new keys) is not shown beside A, although it is in force.
    """

    __slots__ = ()
    multi = False
    repeats = False
    merges = False

    def parse(self, words: Sequence[str], before: str | None) -> str:
        """The letters in order."""
        if len(words) != 1:
            raise InvalidValue(WRONG_NUMBER)
        letters = set(words[0])
        if not letters <= set(_EVENT_CLASSES + _EVENT_MODES + "A"):
            raise InvalidValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        if "A" in letters or letters >= set(_EVENT_CLASSES):
            letters = letters - set(_EVENT_CLASSES) | {"A"}
        return "".join(letter for letter in f"A{_EVENT_CLASSES}nKEm" if letter in letters)

    def show(self, value: str) -> str:
        """The letters."""
        return value.replace("n", "") if "A" in value else value

    def lines(self, value: str) -> list[str]:
        """The letters in quotes."""
        return [quote(value)]


class Percentiles:
    """Numbers between 0 and 100, at most PERCENTILES_MAX of them."""

    __slots__ = ("name",)
    multi = True
    repeats = False
    merges = False

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, words: Sequence[str], before: object) -> tuple[float, ...]:
        """The numbers."""
        numbers: list[float] = []
        for word in words:
            try:
                numbers.append(float(word))
            except ValueError:
                raise InvalidValue(f"Invalid {self.name} parameters") from None
        if len(numbers) > PERCENTILES_MAX:
            raise InvalidValue(f"Invalid {self.name} parameters")
        if not all(0.0 <= number <= 100.0 for number in numbers):
            raise InvalidValue(f"{self.name} parameters should sit between [0.0,100.0]")
        return tuple(numbers)

    def show(self, value: tuple[float, ...]) -> str:
        """The numbers, without needless zeros."""
        return " ".join(f"{number:.15g}" for number in value)

    def lines(self, value: tuple[float, ...]) -> list[str]:
        """The same."""
        return [self.show(value) or '""']


class OomScores:
    """Three scores between -2000 and 2000."""

    __slots__ = ()
    multi = True
    repeats = False
    merges = False

    def parse(self, words: Sequence[str], before: object) -> tuple[int, ...]:
        """The scores."""
        if len(words) != 3:
            raise InvalidValue(WRONG_NUMBER)
        scores = [_loose_integer(word) for word in words]
        found = tuple(score for score in scores if score is not None and abs(score) <= _OOM_SCORE_MAX)
        if len(found) != len(words):
            raise InvalidValue("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return found

    def show(self, value: tuple[int, ...]) -> str:
        """The scores."""
        return " ".join(map(str, value))

    def lines(self, value: tuple[int, ...]) -> list[str]:
        """The same."""
        return [self.show(value)]


def _loose_integer(word: str) -> int | None:
    """What C's ``strtoll`` makes of a word without blanks:

    leading zeros and a plus are fine, nothing is zero.
    """
    if not _LOOSE_INTEGER.fullmatch(word) or len(word) > 19:
        return None
    return int(word or "0")
