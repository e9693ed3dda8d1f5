"""SORT and SORT_RO over lists, sets and sorted sets, with weights in strings and hashes.

What Redis leaves open is not compared: the order of a set that is not sorted, and that of texts looked up by
BY which are equal, unless it is a list's own.  Sorted sets hold a long member, because SORT makes Redis
change the encoding of those it reads.
"""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

ELEMENTS = (b"1 2 3 4 5 10 -1 2.5 1e2 +3 0x10 inf").split()
TEXTS = (b"a", b"B", b"", b" 7", b"8 ", b"a\x00b", b"\xff", b"abc", b"nan")
LISTS = ("l0", "l1", "d0", "d1")
PATTERNS = ("w_*", "h_*->f", "h_*->g", "*", "w_*->", "h_*", "#", "none", "w_*x*", "*->f")
LONG_MEMBER = b"9" * 65


def generate(source: Source) -> Step:
    """One SORT, or a command that makes something to sort."""
    if source.chance(0.5):
        return _sort(source)
    if source.chance(0.1):
        return step(*_score(source))  # as it is: the long member matters
    return source.mangle(source.random.choice(_FILLERS)(source))


def _element(source: Source) -> bytes:
    return source.random.choice(TEXTS if source.chance(0.03) else ELEMENTS)


def _push(source: Source) -> list[Word]:
    return ["RPUSH", source.pick(*LISTS), *(_element(source) for _ in source.some(1, 6))]


def _texts(source: Source) -> list[Word]:
    return ["RPUSH", "texts", *(source.random.choice(TEXTS) for _ in source.some(1, 4))]


def _add(source: Source) -> list[Word]:
    return ["SADD", source.pick("s0", "s1"), *(_element(source) for _ in source.some(1, 6))]


def _score(source: Source) -> list[Word]:
    words: list[Word] = ["ZADD", source.pick("z0", "z1"), 5, LONG_MEMBER]
    for _ in source.some(1, 5):
        words += [source.random.randint(-3, 3), _element(source)]
    return words


def _weight(source: Source) -> list[Word]:
    value = source.random.choice(TEXTS if source.chance(0.1) else ELEMENTS)
    if source.chance(0.5):
        return ["SET", b"w_" + _element(source), value]
    return ["HSET", b"h_" + _element(source), source.pick("f", "g"), value]


def _forget(source: Source) -> list[Word]:
    key = source.pick(*LISTS, "texts", "s0", "z0", b"w_" + _element(source), b"h_" + _element(source))
    return source.choose(
        lambda: ["DEL", key],
        lambda: ["PEXPIREAT", key, source.absolute_milliseconds()],
        lambda: ["LRANGE", source.pick(*LISTS), 0, -1],
        lambda: ["SET", "d1", "x"],
    )


_FILLERS = (_push, _push, _texts, _add, _weight, _weight, _weight, _forget)


def _sort(source: Source) -> Step:
    key = source.pick(*LISTS, *LISTS, "texts", "s0", "s1", "z0", "z1", "missing")
    by = source.pick("", "", "", *PATTERNS)
    unsorted = bool(by) and "*" not in by
    alpha = source.chance(0.5 if key == "texts" else 0.2)
    open_order = (key[0] in "sz" and alpha and bool(by) and not unsorted) or (key[0] == "s" and unsorted)
    words: list[Word] = []
    if by:
        words += [source.case("BY"), by]
    if alpha:
        words.append(source.case("ALPHA"))
    if source.chance(0.3):
        words.append(source.case(source.pick("ASC", "DESC")))
    for _ in source.some(0, 2) if source.chance(0.4) else ():
        words += [source.case("GET"), source.pick(*PATTERNS)]
    # Redis sorts a part of the list in another way, which does not keep the order of equal texts.
    if not open_order and not (alpha and by) and source.chance(0.3):
        words += [source.case("LIMIT"), source.small(-1, 8), source.small(-1, 8)]
    name = "SORT"
    if not open_order and source.chance(0.2):
        words += [source.case("STORE"), source.pick(*LISTS)]
    elif source.chance(0.3):
        name = "SORT_RO"
    if source.chance(0.03):
        words.insert(source.random.randrange(len(words) + 1), source.pick("BOGUS", "LIMIT", "GET", "STORE"))
    return step(name, key, *words, directive="@sorted" if open_order else "")
