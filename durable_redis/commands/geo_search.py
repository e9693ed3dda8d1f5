"""Searching places: GEOSEARCH and GEOSEARCHSTORE, and what ``georadius.py`` needs of it.

A search has a shape, a circle or a box around a place, and options; :class:`Search` is both.  The shape is
covered with up to nine cells of a grid, each cell is a range of scores, and only members in these ranges are
looked at.  Members come in the order of cells and scores unless they are sorted by distance.

Arguments are read in Redis's order, and what is wrong first is the error.  Looking up the member in the
middle is part of that: with no set at all nobody asks for it, nor for a radius behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Final, NamedTuple

from durable_redis.commands.context import Context
from durable_redis.commands.geo import (
    float_argument,
    place_argument,
    shown_distance,
    shown_place,
    unit_argument,
)
from durable_redis.commands.sorted_set_parts import becomes_large, replace
from durable_redis.commands.table import (
    DENYOOM,
    READ_KEY,
    READONLY,
    WRITE,
    command,
    key_spec,
)
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown, syntax_error
from durable_redis.objects.geohash import (
    bounding_box,
    distance_m,
    latitude_distance_m,
    place_of,
    score_ranges,
)
from durable_redis.objects.partial_sort import first_in_order
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

_ACL: Final = ("geo",)


class _Point(NamedTuple):
    """A member that was found; the distance from the middle is in metres."""

    distance_m: float
    score: float
    member: bytes
    longitude: float
    latitude: float


class Search:
    """What one command asks for.  Lengths are in units of ``unit_m`` metres."""

    __slots__ = (
        "any",
        "count",
        "found",
        "height",
        "latitude",
        "longitude",
        "name",
        "order",
        "radius",
        "store",
        "store_distances",
        "unit_m",
        "width",
        "with_distance",
        "with_hash",
        "with_place",
    )

    def __init__(self, name: bytes, found: SortedSet | None) -> None:
        self.name = name
        self.found = found
        self.longitude = self.latitude = 0.0
        self.unit_m = 1.0
        self.radius = -1.0  # of a circle; a box has none
        self.width = self.height = -1.0
        self.store: bytes | None = None
        self.store_distances = False
        self.with_distance = self.with_hash = self.with_place = False
        self.count = 0  # 0 is no limit
        self.any = False
        self.order = b""

    # -- arguments -------------------------------------------------------------------------------------------

    def take_member(self, member: bytes) -> None:
        """The middle is where a member is."""
        if self.found is None:
            return
        score = self.found.score(member)
        if score is None:
            raise ReplyError("ERR could not decode requested zset member")
        self.longitude, self.latitude = place_of(score)

    def take_place(self, longitude: bytes, latitude: bytes) -> None:
        """The middle is here."""
        self.longitude, self.latitude = place_argument(longitude, latitude)

    def take_circle(self, radius: bytes, unit: bytes) -> None:
        """Everything up to this far from the middle."""
        length = float_argument(radius, "ERR need numeric radius")
        if length < 0:
            raise ReplyError("ERR radius cannot be negative")
        self.unit_m = unit_argument(unit)
        self.radius = length

    def take_box(self, width: bytes, height: bytes, unit: bytes) -> None:
        """Everything in a box with the middle as its own."""
        across = float_argument(width, "ERR need numeric width")
        upright = float_argument(height, "ERR need numeric height")
        if across < 0 or upright < 0:
            raise ReplyError("ERR height or width cannot be negative")
        self.unit_m = unit_argument(unit)
        self.width, self.height = across, upright

    def take_option(self, option: bytes, words: list[bytes]) -> int:
        """An option that all these commands have; how many of the words behind it belong to it, or -1."""
        match option:
            case b"WITHDIST":
                self.with_distance = True
            case b"WITHHASH":
                self.with_hash = True
            case b"WITHCOORD":
                self.with_place = True
            case b"ASC" | b"DESC":
                self.order = option
            case b"ANY":
                self.any = True
            case b"COUNT" if words:
                count = parse_integer(words[0])
                if count is None:
                    raise ReplyError(NOT_AN_INTEGER)
                if count <= 0:
                    raise ReplyError("ERR COUNT must be > 0")
                self.count = count
                return 1
            case _:
                return -1
        return 0

    def check_store(self, what: str) -> None:
        """Options that show more of a member make no sense where none is shown."""
        if self.store is not None and (self.with_distance or self.with_hash or self.with_place):
            raise ReplyError(f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")

    def check_any(self) -> None:
        """ANY says how to count, so there must be a count."""
        if self.any and not self.count:
            raise ReplyError("ERR the ANY argument requires COUNT argument")

    # -- searching -------------------------------------------------------------------------------------------

    def points(self) -> list[_Point]:
        """What was asked for, in its order."""
        limit = self.count if self.any else 0
        points: list[_Point] = []
        for point in self._in_shape():
            points.append(point)
            if len(points) == limit:
                break
        count = self.count or len(points)
        order = self.order
        if not order and self.count and not self.any:
            order = b"ASC"  # the closest ones are meant
        if order == b"ASC":
            return first_in_order(points, _near_first, count)
        if order == b"DESC":
            return first_in_order(points, _far_first, count)
        return points[:count]

    def _in_shape(self) -> Iterator[_Point]:
        """The members within the shape."""
        found = self.found
        assert found is not None
        x, y, unit_m = self.longitude, self.latitude, self.unit_m
        circle = self.radius >= 0
        radius_m = self.radius * unit_m
        width_m, height_m = self.width * unit_m, self.height * unit_m
        if circle:
            ranges = score_ranges(x, y, radius_m, bounding_box(x, y, radius_m, radius_m))
        else:
            half_width, half_height = self.width / 2, self.height / 2
            corner_m = sqrt(half_width * half_width + half_height * half_height) * unit_m
            box = bounding_box(x, y, unit_m * half_width, unit_m * half_height)
            ranges = score_ranges(x, y, corner_m, box)
        for low, high in ranges:
            start, stop = found.index_of((float(low),)), found.index_of((float(high),))
            if start >= stop:
                continue
            for score, member in found.slice(start, stop):
                longitude, latitude = place_of(score)
                if not circle:
                    if latitude_distance_m(latitude, y) > height_m / 2:
                        continue
                    if distance_m(longitude, latitude, x, latitude) > width_m / 2:
                        continue
                metres = distance_m(x, y, longitude, latitude)
                if circle and metres > radius_m:
                    continue
                yield _Point(metres, score, member, longitude, latitude)


def _near_first(point: _Point) -> float:
    return point.distance_m


def _far_first(point: _Point) -> float:
    return -point.distance_m


# -- replies -------------------------------------------------------------------------------------------------


def run(ctx: Context, search: Search) -> Reply:
    """Search, and reply with what was found or store it."""
    points = [] if search.found is None else search.points()
    if search.store is not None:
        return _store(ctx, search.store, points, search)
    if not (search.with_distance or search.with_hash or search.with_place):
        return [point.member for point in points]
    reply: list[Reply] = []
    for point in points:
        words: list[Reply] = [point.member]
        if search.with_distance:
            words.append(shown_distance(point.distance_m / search.unit_m))
        if search.with_hash:
            words.append(_shown_hash(point.score))
        if search.with_place:
            words.append(shown_place(ctx, point.longitude, point.latitude))
        reply.append(words)
    return reply


def _shown_hash(score: float) -> int:
    """The score as C makes a signed 64-bit integer of it on x86."""
    return int(score) if -(2.0**63) <= score < 2.0**63 else -(1 << 63)


def _store(ctx: Context, key: bytes, points: list[_Point], search: Search) -> int:
    if search.store_distances:
        scores = {point.member: point.distance_m / search.unit_m for point in points}
    else:
        scores = {point.member: point.score for point in points}
    event = b"geosearchstore" if search.name.upper() == b"GEOSEARCHSTORE" else b"georadiusstore"
    return replace(ctx, key, scores, event, large=becomes_large(ctx, scores))


# -- GEOSEARCH -----------------------------------------------------------------------------------------------


@command("GEOSEARCH", arity=-7, flags=READONLY, keys=READ_KEY, acl=_ACL)
def geosearch(ctx: Context, argv: list[bytes]) -> Reply:
    """The members in a circle or a box around a place."""
    search = Search(argv[0], ctx.sorted_set(argv[1]))
    _read_search(search, argv[2:])
    return run(ctx, search)


@command(
    "GEOSEARCHSTORE",
    arity=-8,
    flags=WRITE | DENYOOM,
    keys=(key_spec("OW", "update"), key_spec("RO", "access", first=2)),
    acl=_ACL,
    positions=(1, 2, 1),
)
def geosearchstore(ctx: Context, argv: list[bytes]) -> Reply:
    """Make a sorted set of what GEOSEARCH would find; how many members it has."""
    search = Search(argv[0], ctx.sorted_set(argv[2]))
    search.store = argv[1]
    _read_search(search, argv[3:])
    return run(ctx, search)


def _read_search(search: Search, words: list[bytes]) -> None:
    """The arguments of GEOSEARCH from the shape on."""
    middle = shape = b""
    at = 0
    while at < len(words):
        option = words[at].upper()
        rest = words[at + 1 :]
        taken = search.take_option(option, rest)
        if taken < 0:
            if option == b"STOREDIST" and search.store is not None:
                search.store_distances = True
                taken = 0
            elif option == b"FROMMEMBER" and rest and middle != b"FROMLONLAT":
                search.take_member(rest[0])
                middle, taken = option, 1
            elif option == b"FROMLONLAT" and len(rest) > 1 and middle != b"FROMMEMBER":
                search.take_place(rest[0], rest[1])
                middle, taken = option, 2
            elif option == b"BYRADIUS" and len(rest) > 1 and shape != b"BYBOX":
                search.take_circle(rest[0], rest[1])
                shape, taken = option, 2
            elif option == b"BYBOX" and len(rest) > 2 and shape != b"BYRADIUS":
                search.take_box(rest[0], rest[1], rest[2])
                shape, taken = option, 3
            else:
                raise syntax_error()
        at += 1 + taken
    search.check_store("GEOSEARCHSTORE")
    name = shown(search.name)
    if not middle:
        raise ReplyError(f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}")
    if not shape:
        raise ReplyError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {name}")
    search.check_any()
