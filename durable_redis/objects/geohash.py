"""Places on the earth as sorted set scores: cells of a grid, and distances.

Longitude and latitude are each cut into ``2 ** step`` equal intervals; a cell's number takes its bits in
turns from the two interval numbers, latitude in the even bits.  At 26 steps that is a whole number of 52
bits, which a score holds exactly, and all cells of a coarser grid are ranges of scores.  Latitudes end where
the Mercator projection is square.

Results have to be the same doubles as Redis's, so the order of operations in a formula matters here, and
none may be rearranged.  A score that is no cell number is read as C reads it on x86: truncated to 64 bits.

Pure functions; degrees and metres.  Sources: https://en.wikipedia.org/wiki/Geohash,
https://en.wikipedia.org/wiki/Haversine_formula,
https://redis.io/docs/latest/develop/data-types/geospatial/ for the grid and the radius of the earth.
"""

from __future__ import annotations

from math import asin, copysign, cos, isfinite, nan, pi, sin, sqrt
from typing import Final

STEPS: Final = 26
LONGITUDE_MAX: Final = 180.0
LATITUDE_MAX: Final = 85.05112878
EARTH_RADIUS_M: Final = 6372797.560856
_MERCATOR_HALF_M: Final = 20037726.37  # half of the equator as the projection sees it
_RADIANS: Final = pi / 180.0
_UINT64: Final = (1 << 64) - 1
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
_TEXT_CHARACTERS: Final = 11

Interval = tuple[float, float]


# -- cells ---------------------------------------------------------------------------------------------------


def interval_of(value: float, limit: float, step: int) -> int:
    """The number of the interval that ``-limit <= value <= limit`` falls into; the upper end has its own."""
    return int((value + limit) / (limit + limit) * (1 << step))


def interleave(latitude: int, longitude: int) -> int:
    """A cell's number from the numbers of its intervals."""
    # Binary digits read in base 4 are the same digits with a zero before each.
    return int(f"{latitude:b}", 4) | int(f"{longitude:b}", 4) << 1


def score_of(longitude: float, latitude: float) -> int:
    """The number of a place's cell in the finest grid."""
    return interleave(
        interval_of(latitude, LATITUDE_MAX, STEPS), interval_of(longitude, LONGITUDE_MAX, STEPS)
    )


def cell_of(score: float) -> int:
    """The cell that a score stands for: any double, read as an unsigned 64-bit integer as x86 does."""
    if 0.0 <= score < 18446744073709551616.0:
        return int(score)
    if score > 0.0:
        return 0
    return int(score) & _UINT64 if score >= -9223372036854775808.0 else 1 << 63


def bounds_of(interval: int, limit: float, step: int) -> Interval:
    """From where to where an interval goes."""
    width = limit + limit
    count = 1 << step
    return -limit + interval / count * width, -limit + (interval + 1) / count * width


def place_of(score: float) -> tuple[float, float]:
    """Longitude and latitude of the middle of a cell."""
    bits = f"{cell_of(score):064b}"  # from the highest on: longitude, latitude, longitude, …
    low, high = bounds_of(int(bits[::2], 2), LONGITUDE_MAX, STEPS)
    longitude = (low + high) / 2
    low, high = bounds_of(int(bits[1::2], 2), LATITUDE_MAX, STEPS)
    latitude = (low + high) / 2
    if abs(longitude) > LONGITUDE_MAX:
        longitude = copysign(LONGITUDE_MAX, longitude)
    if abs(latitude) > LATITUDE_MAX:
        latitude = copysign(LATITUDE_MAX, latitude)
    return longitude, latitude


def text_of(score: float) -> bytes:
    """The 11 characters of the public geohash, whose latitudes go to the poles.

    55 bits would be needed, there are 52: the last character is always that of zero.
    """
    longitude, latitude = place_of(score)
    cell = interleave(interval_of(latitude, 90.0, STEPS), interval_of(longitude, 180.0, STEPS))
    characters = [_ALPHABET[cell >> (52 - 5 * number) & 31] for number in range(1, _TEXT_CHARACTERS)]
    return bytes((*characters, _ALPHABET[0]))


# -- distances -----------------------------------------------------------------------------------------------


def distance_m(longitude1: float, latitude1: float, longitude2: float, latitude2: float) -> float:
    """Metres between two places on a sphere, by the haversine formula."""
    v = sin((longitude2 * _RADIANS - longitude1 * _RADIANS) / 2)
    if v == 0.0:
        return latitude_distance_m(latitude1, latitude2)
    latitude1 *= _RADIANS
    latitude2 *= _RADIANS
    u = sin((latitude2 - latitude1) / 2)
    square = u * u + cos(latitude1) * cos(latitude2) * v * v
    return 2.0 * EARTH_RADIUS_M * asin(sqrt(square)) if square <= 1.0 else nan


def latitude_distance_m(latitude1: float, latitude2: float) -> float:
    """Metres between two parallels."""
    return EARTH_RADIUS_M * abs(latitude2 * _RADIANS - latitude1 * _RADIANS)


def bounding_box(
    longitude: float, latitude: float, width_m: float, height_m: float
) -> tuple[Interval, Interval]:
    """The longitudes and latitudes around a place, half a width and half a height away to each side.

    Meridians draw together towards the poles, so the parallel that is nearer to one decides on the width.
    """
    latitude_delta = height_m / EARTH_RADIUS_M / _RADIANS
    parallel = latitude - latitude_delta if latitude < 0 else latitude + latitude_delta
    cosine = cos(parallel * _RADIANS) if isfinite(parallel) else nan
    longitude_delta = width_m / EARTH_RADIUS_M / cosine / _RADIANS
    return (
        (longitude - longitude_delta, longitude + longitude_delta),
        (latitude - latitude_delta, latitude + latitude_delta),
    )


def _step_for(radius_m: float, latitude: float) -> int:
    """The finest grid of which nine cells cover a circle in nearly all cases."""
    if radius_m == 0:
        return STEPS
    step = -1
    while radius_m < _MERCATOR_HALF_M:
        radius_m *= 2
        step += 1
    if abs(latitude) > 66:
        step -= 1 if abs(latitude) <= 80 else 2
    return max(1, min(step, STEPS))


# -- searching -----------------------------------------------------------------------------------------------


def score_ranges(
    longitude: float, latitude: float, radius_m: float, box: tuple[Interval, Interval]
) -> list[tuple[int, int]]:
    """Ranges of scores, ``low <= score < high``, that together cover what lies around a place.

    They are the cell of the place and those around it, in the order in which Redis goes through them; ``box``
    is what has to be covered (:func:`bounding_box`), and neighbours that it does not reach are left out.
    """
    (west, east), (south, north) = box
    step = _step_for(radius_m, latitude)
    mask = (1 << step) - 1
    x = interval_of(longitude, LONGITUDE_MAX, step)
    y = interval_of(latitude, LATITUDE_MAX, step)
    if step > 1 and (
        bounds_of((y + 1) & mask, LATITUDE_MAX, step)[1] < north
        or bounds_of((y - 1) & mask, LATITUDE_MAX, step)[0] > south
        or bounds_of((x + 1) & mask, LONGITUDE_MAX, step)[1] < east
        or bounds_of((x - 1) & mask, LONGITUDE_MAX, step)[0] > west
    ):
        step -= 1
        mask >>= 1
        x = interval_of(longitude, LONGITUDE_MAX, step)
        y = interval_of(latitude, LATITUDE_MAX, step)
    cells = _cells_around(x, y, step, mask, box)
    shift = 2 * (STEPS - step)
    ranges: list[tuple[int, int]] = []
    for cell in cells:
        # On a coarse grid neighbours coincide; Redis compares with the one before only, not with the first.
        found = (cell << shift, (cell + 1) << shift)
        if len(ranges) < 2 or ranges[-1] != found:
            ranges.append(found)
    return ranges


def _cells_around(x: int, y: int, step: int, mask: int, box: tuple[Interval, Interval]) -> list[int]:
    """The cell (x, y) and its neighbours: north, south, east, west, then the corners likewise."""
    (west, east), (south, north) = box
    to_north = to_south = to_east = to_west = True
    if step >= 2:
        low, high = bounds_of(y, LATITUDE_MAX, step)
        to_south = low >= south
        to_north = high <= north
        low, high = bounds_of(x, LONGITUDE_MAX, step)
        to_west = low >= west
        to_east = high <= east
    cells = [interleave(y, x)]
    for dx, dy, wanted in (
        (0, 1, to_north),
        (0, -1, to_south),
        (1, 0, to_east),
        (-1, 0, to_west),
        (1, 1, to_north and to_east),
        (-1, 1, to_north and to_west),
        (1, -1, to_south and to_east),
        (-1, -1, to_south and to_west),
    ):
        if wanted:
            column = (x + dx) & mask if dx else x
            row = (y + dy) & mask if dy else y
            cells.append(interleave(row, column))
    return cells
