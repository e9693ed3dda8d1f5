"""Times to live: set, compared, moved, taken away, and passed."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step


def generate(source: Source) -> Step:
    """One command about time; now and then a key really expires."""
    if source.chance(0.02):
        return step(source.key(), directive="@vanish")
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _fill(source: Source) -> list[Word]:
    words: list[Word] = ["SET", source.key(), source.value()]
    return words + source.expiry_option() if source.chance(0.5) else words


def _expire(source: Source) -> list[Word]:
    name = source.pick("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")
    draws = {
        "EXPIRE": source.relative_seconds,
        "PEXPIRE": source.relative_milliseconds,
        "EXPIREAT": source.absolute_seconds,
        "PEXPIREAT": source.absolute_milliseconds,
    }
    words: list[Word] = [source.case(name), source.key(), draws[name]()]
    for option in ("NX", "XX", "GT", "LT"):
        if source.chance(0.15):
            words.append(source.case(option))
            if option in ("GT", "LT") and not name.endswith("AT"):
                # Never the same time to live twice: which is longer would depend on the millisecond.
                words[2] = source.random.randrange(200_000, 10_000_000)
    if source.chance(0.03):
        words.append("BOGUS")
    return words


def _ask(source: Source) -> list[Word]:
    return [source.pick("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "GET", "EXISTS"), source.key()]


def _change(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["PERSIST", source.key()],
        lambda: ["GETEX", source.key(), *source.expiry_option()],
        lambda: ["SET", source.key(), source.value(), "KEEPTTL"],
        lambda: ["APPEND", source.key(), "x"],
        lambda: ["SETRANGE", source.key(), "2", "xyz"],
        lambda: ["INCR", source.key()],
        lambda: ["RENAME", source.key(), source.key()],
        lambda: ["COPY", source.key(), source.key(), "REPLACE"],
        lambda: ["GETSET", source.key(), source.value()],
        lambda: ["SETBIT", source.key(), 5, 1],
        lambda: ["MOVE", source.key(), 1],
    )


_GENERATORS = (_fill, _expire, _ask, _change)
_WEIGHTS = (4, 5, 4, 3)
