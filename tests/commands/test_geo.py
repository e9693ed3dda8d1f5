"""Geo commands: what the comparison with redis-server cannot show.

Which effects a command leaves behind, and that a search looks only at members near the place.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from durable_redis.commands import geo, geo_search, georadius, sorted_sets, strings
from durable_redis.errors import ReplyError
from durable_redis.objects.geohash import (
    EARTH_RADIUS_M,
    LATITUDE_MAX,
    bounding_box,
    cell_of,
    distance_m,
    place_of,
    score_of,
    score_ranges,
    text_of,
)
from durable_redis.objects.partial_sort import TIES_MAX, first_in_order
from durable_redis.objects.sorted_set import SortedSet
from tests.support.fake_engine import FakeEngine

MODULES = (strings, sorted_sets, geo, geo_search, georadius)
PALERMO = 3479099956230698
CATANIA = 3479447370796909


@pytest.fixture
def engine() -> FakeEngine:
    """``g`` holds Palermo and Catania."""
    made = FakeEngine(MODULES)
    made.run("GEOADD", "g", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania")
    return made


@pytest.mark.parametrize(
    ("line", "effects"),
    [
        ("GEOADD g 13.361389 38.115556 new", [f"ZADD g {PALERMO} new"]),
        ("GEOADD g 13.361389 38.115556 Palermo", []),
        ("GEOADD g XX 1 1 new", []),
        ("GEOADD g NX 1 1 Palermo", []),
        (
            "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km",
            [f"ZADD d {PALERMO} Palermo {CATANIA} Catania"],
        ),
        ("GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 1 m STOREDIST", ["ZADD d 0 Palermo"]),
        ("GEOSEARCHSTORE g g FROMMEMBER Palermo BYRADIUS 1 m", ["DEL g", f"ZADD g {PALERMO} Palermo"]),
        ("GEOSEARCHSTORE g g FROMLONLAT 0 0 BYRADIUS 1 m", ["DEL g"]),
        ("GEOSEARCHSTORE g missing FROMLONLAT 0 0 BYRADIUS 1 m", ["DEL g"]),
        ("GEOSEARCHSTORE d missing FROMLONLAT 0 0 BYRADIUS 1 m", []),
        ("GEORADIUS g 15 37 100 km STORE d", [f"ZADD d {CATANIA} Catania"]),
        ("GEORADIUSBYMEMBER g Palermo 1 km STORE d", [f"ZADD d {PALERMO} Palermo"]),
        ("GEORADIUS g 15 37 100 km", []),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km", []),
    ],
)
def test_effects_are_those_of_sorted_sets(engine: FakeEngine, line: str, effects: list[str]) -> None:
    assert not isinstance(engine.run(*line.split()), ReplyError)
    assert [b" ".join(effect).decode() for effect in engine.effects] == effects


class Watched(SortedSet):
    """A sorted set that counts the elements it has given away."""

    given = 0

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[tuple[float, bytes]]:
        for element in super().slice(start, stop, reverse=reverse):
            self.given += 1
            yield element


@pytest.mark.parametrize(
    ("shape", "given_max"),
    [("BYRADIUS 1 km", 20), ("BYBOX 2 2 km", 20), ("BYRADIUS 20000 km COUNT 3 ANY", 3)],
)
def test_only_members_nearby_are_looked_at(engine: FakeEngine, shape: str, given_max: int) -> None:
    rng = random.Random(5)
    watched = Watched()
    for number in range(2000):
        score = score_of(rng.uniform(-180, 180), rng.uniform(-85, 85))
        watched.set(b"m%d" % number, float(score), engine.keyspace.limits)
    engine.put(b"w", watched)
    reply = engine.run("GEOSEARCH", "w", "FROMMEMBER", "m7", *shape.split())
    assert b"m7" in reply or len(reply) == 3
    assert watched.given <= given_max


@pytest.mark.parametrize("seed", range(4))
def test_ranges_cover_what_is_near(seed: int) -> None:
    rng = random.Random(seed)
    covered = 0
    for _ in range(2000):
        longitude, latitude = rng.uniform(-170, 170), rng.uniform(-70, 70)
        radius_m = 10 ** rng.uniform(0, 5)
        step = math.degrees(radius_m / EARTH_RADIUS_M)
        other = longitude + rng.uniform(-step, step), latitude + rng.uniform(-step, step)
        if distance_m(longitude, latitude, *place_of(score_of(*other))) > radius_m:
            continue
        box = bounding_box(longitude, latitude, radius_m, radius_m)
        ranges = score_ranges(longitude, latitude, radius_m, box)
        assert len(ranges) <= 9
        assert any(low <= score_of(*other) < high for low, high in ranges), (longitude, latitude, radius_m)
        covered += 1
    assert covered > 1000


def test_a_place_comes_back_within_its_cell() -> None:
    rng = random.Random(1)
    for _ in range(500):
        longitude, latitude = rng.uniform(-180, 180), rng.uniform(-LATITUDE_MAX, LATITUDE_MAX)
        score = score_of(longitude, latitude)
        assert 0 <= score < 1 << 52
        found = place_of(float(score))
        assert abs(found[0] - longitude) <= 180 / 2**26
        assert abs(found[1] - latitude) <= LATITUDE_MAX / 2**26
        assert score_of(*found) == score


def test_any_double_is_a_cell() -> None:
    for score, cell in ((-1.0, 2**64 - 1), (1.9, 1), (1e300, 0), (-1e300, 2**63), (math.inf, 0)):
        assert cell_of(score) == cell
        assert len(text_of(score)) == 11
        assert all(map(math.isfinite, place_of(score)))


def test_the_first_in_order_are_the_lowest() -> None:
    rng = random.Random(2)
    for size in (1, 6, 7, 8, 40, 41, 300):
        for values in (3, 50, 10**9):
            items = [(float(rng.randrange(values)), number) for number in range(size)]
            for count in {1, size // 2 or 1, size - 1 or 1, size}:
                found = first_in_order(items, lambda item: item[0], count)
                assert [key for key, _ in found] == sorted(key for key, _ in items)[:count]
                assert len(set(found)) == count


def test_with_very_many_ties_the_order_is_stable() -> None:
    items = [(0.0, number) for number in range(TIES_MAX + 1)]
    assert first_in_order(items, lambda item: item[0], 3) == items[:3]
