"""Geo commands: places as members of a sorted set, whose score is the cell of a grid that they lie in.

A place that is stored is the middle of its cell, a few decimetres from what the client gave.  Any sorted set
will do: a score that no GEOADD has made is read as a cell all the same.  The arithmetic is in
``objects/geohash.py``, searching in ``geo_search.py``.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.sorted_sets import zadd
from durable_redis.commands.table import DENYOOM, READ_KEY, READONLY, UPDATE_KEY, WRITE, command
from durable_redis.errors import NOT_A_FLOAT, ReplyError, syntax_error
from durable_redis.objects.geohash import (
    LATITUDE_MAX,
    LONGITUDE_MAX,
    distance_m,
    place_of,
    score_of,
    text_of,
)
from durable_redis.resp.numbers import parse_float
from durable_redis.resp.replies import NULL_ARRAY, Encoded, Reply

_ACL: Final = ("geo",)
_GEOADD_OPTIONS: Final = (b"NX", b"XX", b"CH")
_UNITS_M: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}


# -- what all geo commands share -----------------------------------------------------------------------------


def float_argument(raw: bytes, error: str = NOT_A_FLOAT) -> float:
    """A number from the client."""
    number = parse_float(raw)
    if number is None:
        raise ReplyError(error)
    return number


def place_argument(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    """Longitude and latitude from the client, within the grid."""
    x, y = float_argument(longitude), float_argument(latitude)
    if abs(x) > LONGITUDE_MAX or abs(y) > LATITUDE_MAX:
        raise ReplyError(f"ERR invalid longitude,latitude pair {x:f},{y:f}")
    return x, y


def unit_argument(raw: bytes) -> float:
    """Metres in one of this unit."""
    metres = _UNITS_M.get(raw.upper())
    if metres is None:
        raise ReplyError("ERR unsupported unit provided. please use M, KM, FT, MI")
    return metres


def shown_distance(distance: float) -> bytes:
    """A distance as replies show it."""
    return b"%.4f" % distance


def shown_place(ctx: Context, longitude: float, latitude: float) -> Reply:
    """A place as replies show it: at most 17 decimals, and no zeros at the end."""
    words = [(b"%.17f" % degrees).rstrip(b"0").rstrip(b".") for degrees in (longitude, latitude)]
    if ctx.client.protocol > 2:
        return [Encoded(b",%b\r\n" % word) for word in words]  # a double of RESP3 would have 17 digits
    return words


# -- commands ------------------------------------------------------------------------------------------------


@command("GEOADD", arity=-5, flags=WRITE | DENYOOM, keys=UPDATE_KEY, acl=_ACL)
def geoadd(ctx: Context, argv: list[bytes]) -> Reply:
    """Add places or move them; how many are new (CH: or moved)."""
    at = 2
    size = len(argv)
    options = set()
    while at < size and (option := argv[at].upper()) in _GEOADD_OPTIONS:
        options.add(option)
        at += 1
    if (size - at) % 3 or {b"NX", b"XX"} <= options:
        raise syntax_error()
    words = [b"ZADD", argv[1], *options]
    for number in range(at, size, 3):
        words += (b"%d" % score_of(*place_argument(argv[number], argv[number + 1])), argv[number + 2])
    return zadd(ctx, words)


@command("GEODIST", arity=-4, flags=READONLY, keys=READ_KEY, acl=_ACL)
def geodist(ctx: Context, argv: list[bytes]) -> Reply:
    """The distance between two members; null if one is missing."""
    metres = 1.0
    if len(argv) == 5:
        metres = unit_argument(argv[4])
    elif len(argv) > 5:
        raise syntax_error()
    found = ctx.sorted_set(argv[1])
    if found is None:
        return None
    one, other = found.score(argv[2]), found.score(argv[3])
    if one is None or other is None:
        return None
    return shown_distance(distance_m(*place_of(one), *place_of(other)) / metres)


@command("GEOHASH", arity=-2, flags=READONLY, keys=READ_KEY, acl=_ACL)
def geohash(ctx: Context, argv: list[bytes]) -> Reply:
    """The public geohashes of members; null for those that are missing."""
    found = ctx.sorted_set(argv[1])
    if found is None:
        return [None] * (len(argv) - 2)
    scores = map(found.score, argv[2:])
    return [None if score is None else text_of(score) for score in scores]


@command("GEOPOS", arity=-2, flags=READONLY, keys=READ_KEY, acl=_ACL)
def geopos(ctx: Context, argv: list[bytes]) -> Reply:
    """Longitudes and latitudes of members; null for those that are missing."""
    found = ctx.sorted_set(argv[1])
    if found is None:
        return [NULL_ARRAY] * (len(argv) - 2)
    scores = map(found.score, argv[2:])
    return [NULL_ARRAY if score is None else shown_place(ctx, *place_of(score)) for score in scores]
