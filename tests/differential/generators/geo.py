"""The geo commands.  Few places, some of them the same, so that distances tie; and scores no GEOADD makes."""

from __future__ import annotations

from typing import Final

from tests.differential.generators.source import Source, Word
from tests.support.script import Step

UNITS: Final = ("m", "km", "ft", "mi", "M", "Km", "FT")
METRES: Final = {"M": 1.0, "K": 1000.0, "F": 0.3048}
PLACES: Final = (
    (0.0, 0.0),
    (13.361389, 38.115556),
    (15.087269, 37.502669),
    (180.0, 85.05112878),
    (-180.0, -85.05112878),
    (179.999, 66.5),
    (-179.999, -81.0),
    (2.349014, 48.864716),
    (-122.27652, 37.805186),
    (13.361389, 38.2),
)
BAD_DEGREES: Final = (b"180.0001", b"-181", b"86", b"nan", b"inf", b"abc", b"", b"1e400")
SCORES: Final = (
    b"0",
    b"-1",
    b"3479099956230698",
    b"1e18",
    b"-inf",
    b"inf",
    b"4503599627370496",
    b"1.5",
    b"2e19",
)
LARGE: Final = 150  # more than Redis keeps in a listpack


def generate(source: Source) -> Step:
    """One geo command, or a write that stands in its way."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    return source.mangle(draw(source))


def _key(source: Source) -> bytes:
    return source.pick(b"g0", b"g0", b"g0", b"g0", b"g1", b"g1", b"g2", b"none", b"k0")


def _member(source: Source) -> bytes:
    return b"m%d" % source.random.randrange(20) if source.chance(0.97) else source.value()


def _place(source: Source, bad: float = 0.02) -> list[Word]:
    if source.chance(bad):
        words: list[Word] = [b"1", b"2"]
        words[source.random.randrange(2)] = source.random.choice(BAD_DEGREES)
        return words
    longitude, latitude = source.random.choice(PLACES)
    if source.chance(0.5):
        reach = source.pick(0.001, 0.1, 2.0, 30.0)
        longitude += source.random.uniform(-reach, reach)
        latitude += source.random.uniform(-reach, reach)
        longitude = max(-180.0, min(longitude, 180.0))
        latitude = max(-85.05112878, min(latitude, 85.05112878))
    return [repr(longitude), repr(latitude)]


def _geoadd(source: Source) -> list[Word]:
    words: list[Word] = ["GEOADD", _key(source)]
    words += map(source.case, source.random.sample(("NX", "XX", "CH"), source.pick(0, 0, 0, 1, 1, 2)))
    for _ in range(LARGE if source.chance(0.04) else source.pick(1, 2, 5)):
        words += [*_place(source, 0.005), b"m%d" % source.random.randrange(20 if source.chance(0.8) else 200)]
    return words


def _fill(source: Source) -> list[Word]:
    key = _key(source)
    return source.pick(
        ["ZADD", key, source.random.choice(SCORES), _member(source)],
        ["ZREM", key, _member(source), _member(source)],
        ["DEL", key],
        ["SET", "k0", "string"],
        ["COPY", key, "g2", "REPLACE"],
        ["ZRANGE", key, 0, -1, "WITHSCORES"],
        ["ZRANGE", "d0", 0, -1, "WITHSCORES"],
        ["OBJECT", "ENCODING", "d0"],
    )


def _look(source: Source) -> list[Word]:
    key = _key(source)
    members = [_member(source) for _ in source.some(0, 4)]
    return source.pick(
        ["GEOPOS", key, *members],
        ["GEOHASH", key, *members],
        ["GEODIST", key, _member(source), _member(source)],
        ["GEODIST", key, _member(source), _member(source), _unit(source)],
    )


def _unit(source: Source) -> str:
    return source.random.choice(UNITS) if source.chance(0.98) else source.pick("x", "", "kms", "meters")


def _length(source: Source, unit: str) -> Word:
    if source.chance(0.03):
        return source.pick(*b"-1 inf -0 1e300 nan abc 0x10".split(), b"")
    metres = METRES.get(unit[:1].upper(), 1000.0)
    reach = source.random.choice((0.0, 1.0, 1000.0, 1e5, 3e5, 2e6, 1e7, 3e7)) / metres
    return repr(reach * source.pick(1.0, source.random.random()))


def _circle(source: Source) -> list[Word]:
    unit = _unit(source)
    return [_length(source, unit), unit]


def _options(source: Source) -> list[Word]:
    words: list[Word] = []
    for _ in range(source.pick(0, 1, 2, 3, 4)):
        option = source.pick(
            "WITHDIST", "WITHHASH", "WITHCOORD", "ASC", "DESC", "COUNT", "COUNT", "COUNT ANY", "ANY"
        )
        if option == "ANY" and source.chance(0.8):
            continue
        words.append(source.case(option.split()[0]))
        if option.startswith("COUNT"):
            words.append(source.small(0, 12, 0.01))
        if option == "COUNT ANY":
            words.append("any")
    return words


def _plain(words: list[Word]) -> list[Word]:
    """Options without those that show more than the member."""
    return [word for word in words if not (isinstance(word, str) and word.upper().startswith("WITH"))]


def _georadius(source: Source) -> list[Word]:
    around = source.pick("GEORADIUS", "GEORADIUSBYMEMBER")
    words: list[Word] = [around + source.pick("", "", "_RO"), _key(source)]
    words += _place(source) if around == "GEORADIUS" else [_member(source)]
    words += _circle(source)
    options = _options(source)
    if source.chance(0.3):
        if source.chance(0.9):
            options = _plain(options)
        for _ in source.some(1, 2):
            options += [source.case(source.pick("STORE", "STOREDIST")), source.pick("d0", "d0", "g2", "k0")]
    return words + options


def _geosearch(source: Source) -> list[Word]:
    stores = source.chance(0.3)
    words: list[Word] = ["GEOSEARCHSTORE", source.pick("d0", "d0", "g2", "k0")] if stores else ["GEOSEARCH"]
    words.append(_key(source))
    middle: list[Word] = [source.case("FROMLONLAT"), *_place(source)]
    if source.chance(0.4):
        middle = [source.case("FROMMEMBER"), _member(source)]
    shape: list[Word] = [source.case("BYRADIUS"), *_circle(source)]
    if source.chance(0.5):
        shape = [source.case("BYBOX"), _length(source, "m"), _length(source, "m"), "m"]
    options = _options(source)
    if stores and source.chance(0.9):
        options = _plain(options)
    if source.chance(0.5 if stores else 0.02):
        options.append(source.case("STOREDIST"))
    parts = [middle, shape, options]
    if source.chance(0.3):
        source.random.shuffle(parts)
    if source.chance(0.04):
        parts.append(source.pick(middle, shape, [source.case("BYRADIUS"), 1, "m"], ["FROMMEMBER", "m1"]))
    return words + [word for part in parts for word in part]


_GENERATORS = (_geoadd, _fill, _look, _georadius, _geosearch)
_WEIGHTS = (8, 3, 4, 8, 12)
