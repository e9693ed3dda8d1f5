"""The sorted set commands.  Ranges by member use keys of their own, where all scores are 0."""

from __future__ import annotations

from typing import Final

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

MEMBERS: Final = (
    b"a",
    b"b",
    b"c",
    b"d",
    b"e",
    b"ab",
    b"",
    b"\x00",
    b"a\x00",
    b"\xff",
    b"-1",
    b"42",
    b"-0",
    b"m" * 65,
)
SCORES: Final = b"0 -0 1 2 3 -1 1.5 0.1 0.2 0.3 -2.25 1e300 inf -inf +inf 3 10 1e20 1e-300 0x1p4 42".split()
_PLAIN: Final = frozenset(score for score in SCORES if not score.startswith(b"0x"))
BAD_SCORES: Final = (b"nan", b"abc", b"", b" 1", b"1_0", b"1e400", b"(1", b"1\x00")
LEX_KEYS: Final = (b"lex0", b"lex1", b"lex2")
BOUNDS: Final = (
    b"-",
    b"+",
    b"[a",
    b"(a",
    b"[b",
    b"(c",
    b"[ab",
    b"[",
    b"(",
    b"[\xff",
    b"(\xff",
    b"[zz",
    b"[\x00",
)
BAD_BOUNDS: Final = (b"", b"a", b"-a", b"++", b"1", b"]a")
LARGE: Final = 140  # more than Redis keeps in a listpack


def generate(source: Source) -> Step:
    """One sorted set command, or a write that stands in its way."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    words = draw(source)
    # A lexicographical key must keep its equal scores, so what is written there is written as it is.
    if any(word in LEX_KEYS for word in words):
        return step(*words)
    return source.mangle(words)


def _key(source: Source) -> bytes:
    return source.pick(b"k0", b"k0", b"k0", b"k1", b"k1", b"k1", b"k2", b"k2", b"k3", b"{tag}6", b"set0", b"")


def _member(source: Source) -> bytes:
    return source.random.choice(MEMBERS)


def _score(source: Source, bad: float = 0.03) -> bytes:
    return source.random.choice(BAD_SCORES if source.chance(bad) else SCORES)


def _fill(source: Source) -> list[Word]:
    match source.random.randrange(10):
        case 0:
            return ["SET", source.key(), "string"]
        case 1 | 2 | 3 | 4:
            return ["SADD", source.pick("set0", "set0", "k3"), *(_member(source) for _ in source.some(1, 6))]
        case 5:
            return ["DEL", _key(source)]
        case 6:
            return ["RPUSH", "k3", "element"]
        case 7:
            return ["COPY", _key(source), _key(source), "REPLACE"]
        case _:
            words: list[Word] = ["ZADD", _key(source)]
            for number in range(LARGE):
                words += [source.pick(b"-0", b"0", b"%d" % (number % 7)), b"m%03d" % number]
            return words


def _zadd(source: Source) -> list[Word]:
    words: list[Word] = ["ZADD", _key(source)]
    options = source.random.sample(("NX", "XX", "GT", "LT", "CH", "INCR"), source.pick(0, 0, 1, 1, 1, 2, 3))
    words += map(source.case, options)
    single = source.chance(0.9) if "INCR" in options else source.chance(0.3)
    for _ in source.some(1, 1 if single else 9):
        words += [_score(source, 0.015), _member(source)]
    return words


def _single(source: Source) -> list[Word]:
    key, member = _key(source), _member(source)
    match source.random.randrange(6):
        case 0:
            return ["ZINCRBY", key, _score(source), member]
        case 1 | 2:
            return ["ZSCORE", key, member]
        case 3:
            return [source.pick("ZRANK", "ZREVRANK"), key, member]
        case 4:
            return ["ZMSCORE", key, *(_member(source) for _ in source.some(1, 4))]
        case _:
            return ["ZREM", key, *(_member(source) for _ in source.some(1, 4))]


def _whole(source: Source) -> list[Word]:
    key = _key(source)
    match source.random.randrange(4):
        case 0:
            return ["ZCARD", key]
        case 1:
            words: list[Word] = ["ZRANDMEMBER", key]
            if source.chance(0.8):
                words.append(source.small(-5, 5))
                if source.chance(0.5):
                    words.append(source.case("WITHSCORES"))
            return words
        case 2:
            words = ["ZSCAN", key, source.pick("0", "0", "0", "x", "")]
            if source.chance(0.5):
                words += [source.case("COUNT"), source.pick("1000", "1000", "0", "x")]
            if source.chance(0.3):
                words += [source.case("MATCH"), source.pick("*", "a*", "[a-c]", "m*")]
            return words
        case _:
            return ["ZRANGE", key, 0, -1, "WITHSCORES"]


def _pop(source: Source) -> list[Word]:
    if source.chance(0.6):
        words: list[Word] = [source.pick("ZPOPMIN", "ZPOPMAX"), _key(source)]
        return [*words, source.small(-1, 4)] if source.chance(0.5) else words
    keys = [_key(source) for _ in source.some(1, 3)]
    words = ["ZMPOP", len(keys) if source.chance(0.95) else source.small(), *keys]
    words.append(source.case(source.pick("MIN", "MAX")))
    if source.chance(0.5):
        words += [source.case("COUNT"), source.small(0, 4)]
    return words


def _score_bounds(source: Source) -> list[bytes]:
    """Two bounds, more often in order than not."""
    if source.chance(0.3):
        return source.pick([b"-inf", b"+inf"], [b"(-inf", b"(inf"], [b"+inf", b"-inf"])
    bounds = [source.pick(b"", b"", b"(") + _score(source) for _ in range(2)]
    low, high = (float(bound.strip(b"(")) if bound.strip(b"(") in _PLAIN else 0.0 for bound in bounds)
    return bounds[::-1] if low > high and source.chance(0.7) else bounds


def _limit(source: Source) -> list[Word]:
    if source.chance(0.6):
        return []
    return [source.case("LIMIT"), source.small(-2, 4), source.small(-2, 5)]


def _by_score(source: Source) -> list[Word]:
    name = source.pick(
        "ZCOUNT", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZRANGE", "ZRANGE", "ZREMRANGEBYSCORE", "STORE"
    )
    bounds = _score_bounds(source)
    reverse = name in ("ZRANGE", "STORE") and source.chance(0.5)
    if reverse or name.startswith("ZREV"):
        bounds.reverse()
    words: list[Word] = [name, _key(source), *bounds]
    if name == "STORE":
        words = ["ZRANGESTORE", _key(source), *words[1:]]
    if name in ("ZRANGE", "STORE"):
        words.append(source.case("BYSCORE"))
        words += [source.case("REV")] * reverse
    if name not in ("ZCOUNT", "ZREMRANGEBYSCORE"):
        words += _limit(source)
        if name != "STORE":
            words += [source.case("WITHSCORES")] * source.chance(0.5)
    return words


def _by_rank(source: Source) -> list[Word]:
    name = source.pick("ZRANGE", "ZRANGE", "ZREVRANGE", "ZREMRANGEBYRANK", "ZRANGESTORE", "ZRANGESTORE")
    first, last = source.pick((0, 3), (0, 1), (-3, -1), (-8, 8)), source.pick((-3, -1), (0, 5), (-8, 8))
    words: list[Word] = [name, _key(source), source.small(*first), source.small(*last)]
    if name == "ZRANGESTORE":
        words.insert(1, _key(source))
    if name == "ZREMRANGEBYRANK":
        return words
    if name != "ZREVRANGE":
        words += [source.case("REV")] * source.chance(0.4)
    if name != "ZRANGESTORE":
        words += [source.case("WITHSCORES")] * source.chance(0.5)
    return words + (_limit(source) if source.chance(0.1) else [])


def _lex_bound(source: Source) -> bytes:
    return source.random.choice(BAD_BOUNDS if source.chance(0.04) else BOUNDS)


def _lex_place(bound: bytes) -> tuple[int, bytes]:
    """Roughly where a bound stands, to get ranges that are not empty."""
    return (2 if bound == b"+" else len(bound) > 1), bound[1:]


def _by_member(source: Source) -> list[Word]:
    key = source.random.choice(LEX_KEYS)
    words: list[Word]
    if source.chance(0.4):
        words = ["ZADD", key]
        for _ in source.some(2, 8):
            words += [0, _member(source)]
        return words
    name = source.pick(
        *("ZLEXCOUNT", "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZRANGE", "ZRANGE", "ZREMRANGEBYLEX", "ZRANGESTORE")
    )
    bounds = sorted((_lex_bound(source), _lex_bound(source)), key=_lex_place)
    reverse = name in ("ZRANGE", "ZRANGESTORE") and source.chance(0.5)
    if (reverse or name.startswith("ZREV")) != source.chance(0.2):
        bounds.reverse()
    words = [name, key, *bounds]
    if name == "ZRANGESTORE":
        words.insert(1, source.random.choice(LEX_KEYS))
    if name in ("ZRANGE", "ZRANGESTORE"):
        words.append(source.case("BYLEX"))
        words += [source.case("REV")] * reverse
    if name not in ("ZLEXCOUNT", "ZREMRANGEBYLEX"):
        words += _limit(source)
        words += [source.case("WITHSCORES")] * source.chance(0.05)
    return words


def _algebra(source: Source) -> list[Word]:
    name = source.pick(
        *(
            "ZUNION",
            "ZINTER",
            "ZDIFF",
            "ZINTERCARD",
            "ZUNIONSTORE",
            "ZUNIONSTORE",
            "ZINTERSTORE",
            "ZDIFFSTORE",
        )
    )
    words: list[Word] = [name]
    if name.endswith("STORE"):
        words.append(_key(source))
    keys = [_key(source) for _ in source.some(1, 4)]
    words += [len(keys) if source.chance(0.96) else source.small(), *keys]
    if name.startswith(("ZUNION", "ZINTER")) and name != "ZINTERCARD":
        if source.chance(0.4):
            words += [source.case("WEIGHTS"), *(_score(source) for _ in keys)]
        if source.chance(0.4):
            words += [source.case("AGGREGATE"), source.case(source.pick("SUM", "MIN", "MAX"))]
    if name == "ZINTERCARD" and source.chance(0.5):
        words += [source.case("LIMIT"), source.small(-1, 4)]
    if name in ("ZUNION", "ZINTER", "ZDIFF"):
        words += [source.case("WITHSCORES")] * source.chance(0.7)
    return words


_GENERATORS = (_fill, _zadd, _single, _whole, _pop, _by_score, _by_rank, _by_member, _algebra)
_WEIGHTS = (4, 14, 8, 5, 3, 8, 6, 9, 8)
