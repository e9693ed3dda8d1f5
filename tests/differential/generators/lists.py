"""The list commands that do not block, all with all their options."""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step

ELEMENTS = (b"a", b"b", b"c", b"", b"1", b"x" * 70, b"\x00\xff")


def generate(source: Source) -> Step:
    """One list command; now and then a string takes a list's place, or a list gets a time to live."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def element(source: Source) -> bytes:
    """Mostly one of a few, so that they repeat."""
    return source.random.choice(ELEMENTS) if source.chance(0.85) else source.value()


def _push(source: Source) -> list[Word]:
    name = source.pick("LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX", "rpush")
    return [name, source.key(), *(element(source) for _ in source.some(1, 6))]


def _pop(source: Source) -> list[Word]:
    words: list[Word] = [source.pick("LPOP", "RPOP"), source.key()]
    if source.chance(0.5):
        words.append(source.small(0, 6))
    return words


def _multi_pop(source: Source) -> list[Word]:
    keys = [source.key() for _ in source.some(1, 3)]
    number: Word = len(keys) if source.chance(0.9) else source.small(-1, 4)
    words: list[Word] = ["LMPOP", number, *keys, _side(source)]
    if source.chance(0.5):
        words += [source.case("COUNT"), source.small(0, 6)]
    return words


def _side(source: Source) -> Word:
    return "FOO" if source.chance(0.03) else source.case(source.pick("LEFT", "RIGHT"))


def _move(source: Source) -> list[Word]:
    source_key = source.key()
    target = source_key if source.chance(0.3) else source.key()
    if source.chance(0.3):
        return ["RPOPLPUSH", source_key, target]
    return ["LMOVE", source_key, target, _side(source), _side(source)]


def _read(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["LLEN", source.key()],
        lambda: ["LINDEX", source.key(), source.small()],
        lambda: ["LRANGE", source.key(), source.small(), source.small()],
        lambda: ["LRANGE", source.key(), 0, -1],
    )


def _position(source: Source) -> list[Word]:
    words: list[Word] = ["LPOS", source.key(), element(source)]
    for option, low, probability in (("RANK", -4, 0.5), ("COUNT", 0, 0.5), ("MAXLEN", 0, 0.4)):
        if source.chance(probability):
            words += [source.case(option), source.small(low, 5)]
    return words


def _change(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["LSET", source.key(), source.small(-6, 6), element(source)],
        lambda: [
            *("LINSERT", source.key(), source.case(source.pick("BEFORE", "AFTER"))),
            *(element(source), element(source)),
        ],
        lambda: ["LREM", source.key(), source.small(-3, 3), element(source)],
    )


def _trim(source: Source) -> list[Word]:
    if source.chance(0.7):  # little goes, or lists would hardly grow
        return ["LTRIM", source.key(), source.small(0, 1), source.small(-2, -1)]
    return ["LTRIM", source.key(), source.small(), source.small()]


def _other(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["DEL", source.key()],
        lambda: ["SET", source.key(), source.value()],
        lambda: ["PEXPIREAT", source.key(), source.absolute_milliseconds()],
        lambda: ["RENAME", source.key(), source.key()],
        lambda: ["COPY", source.key(), source.key(), "REPLACE"],
        lambda: ["TYPE", source.key()],
    )


_GENERATORS = (_push, _pop, _multi_pop, _move, _read, _position, _change, _trim, _other)
_WEIGHTS = (30, 8, 4, 10, 14, 10, 14, 4, 4)
