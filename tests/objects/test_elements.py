"""The elements of an expanded collection: a map on disk, however much of it is cached, dirty or frozen.

A random machine compares it with a dict through checkpoints that succeed and fail, through loss of the
cache, and through crashes.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from durable_redis.objects.elements import PART_ENTRIES_MAX, PLACE_END, Elements, place_of
from storage.backends.memory import MemoryBackend
from storage.records import collection_range


def _same(value: bytes) -> bytes:
    return value


def make(backend: MemoryBackend, count: int = 0) -> Elements:
    return Elements(backend, 7, count, _same, _same)


def checkpoint(backend: MemoryBackend, elements: Elements, *, succeeds: bool = True) -> None:
    batch = backend.batch()
    batch.begin()
    for frozen in elements.freeze():
        for key, record in elements.encode(frozen):
            if record is None:
                batch.delete(key)
            else:
                batch.put(key, record)
    if succeeds:
        batch.commit()
        elements.committed()
    else:
        batch.abort()
        elements.rolled_back()


def scan_all(elements: Elements, count: int) -> list[tuple[bytes, bytes]]:
    found = []
    cursor = 0
    while True:
        following, some = elements.scan(cursor, count)
        found += some
        assert following == 0 or following > cursor
        cursor = following
        if not cursor:
            return found


class Machine:
    """Random steps on the elements and on a dict."""

    def __init__(self, seed: int, names: int) -> None:
        self.random = random.Random(seed)
        self.names = names
        self.backend = MemoryBackend()
        self.elements = make(self.backend)
        self.model: dict[bytes, bytes] = {}
        self.frozen: list[dict[bytes, bytes]] | None = None
        self.durable: dict[bytes, bytes] = {}

    def name(self) -> bytes:
        return b"name:%d" % self.random.randrange(self.names)

    def step(self) -> None:
        draw = self.random.random()
        name = self.name()
        if draw < 0.45:
            value = b"%d" % self.random.randrange(1000)
            assert self.elements.set(name, value) == self.model.get(name)
            self.model[name] = value
        elif draw < 0.65:
            assert self.elements.delete(name) == self.model.pop(name, None)
        elif draw < 0.85:
            assert self.elements.get(name) == self.model.get(name)
        elif draw < 0.88:
            self.elements.drop_unused(self.random.randrange(1, self.names))
        elif draw < 0.9:
            self.freeze_or_end()
        elif draw < 0.91:
            found = scan_all(self.elements, self.random.choice((1, 2, 7, 100, 10_000)))
            assert len(found) == len(self.model)
            assert dict(found) == self.model
            assert found == sorted(found, key=lambda pair: (place_of(pair[0]), pair[0]))
        elif draw < 0.92:
            assert dict(self.elements.items()) == self.model
        elif draw < 0.93 and self.model:
            some = self.elements.sample(self.random, 5)
            assert len(dict(some)) == min(5, len(self.model))
            assert all(self.model[name] == value for name, value in some)
        elif draw < 0.935:
            self.crash()
        assert self.elements.count == len(self.model)
        assert self.elements.cached == sum(len(part.young) + len(part.old) for part in self.elements._parts())

    def freeze_or_end(self) -> None:
        elements = self.elements
        if self.frozen is None:
            self.frozen = elements.freeze()
            self.freezing = dict(self.model)
            return
        batch = self.backend.batch()
        batch.begin()
        for frozen in self.frozen:
            for key, record in elements.encode(frozen):
                batch.delete(key) if record is None else batch.put(key, record)
        self.frozen = None
        if self.random.random() < 0.7:
            batch.commit()
            elements.committed()
            self.durable = self.freezing
        else:
            batch.abort()
            elements.rolled_back()

    def crash(self) -> None:
        self.frozen = None
        self.model = dict(self.durable)
        self.elements = make(self.backend, len(self.model))


@pytest.mark.parametrize("names", [5, 300, 6000])
@pytest.mark.parametrize("seed", range(4))
def test_elements_are_a_map(seed: int, names: int) -> None:
    machine = Machine(seed, names)
    for number in range(names if names > 1000 else 0):
        name = b"name:%d" % number
        machine.elements.set(name, b"v")
        machine.model[name] = b"v"
    for _ in range(3000):
        machine.step()


def test_parts_stay_small_and_keep_everything() -> None:
    backend = MemoryBackend()
    elements = make(backend)
    names = [b"%d" % number for number in range(60_000)]
    for number, name in enumerate(names):
        assert elements.set(name, b"v") is None
        if number in (20_000, 50_000):
            checkpoint(backend, elements, succeeds=number == 20_000)
    parts = list(elements._parts())
    assert max(len(part.young) for part in parts) <= PART_ENTRIES_MAX
    assert sum(len(part.young) for part in parts) == len(names)
    assert all(elements.get(name) == b"v" for name in names)
    checkpoint(backend, elements)
    cold = make(backend, len(names))
    assert all(cold.get(name) == b"v" for name in names)
    assert len(scan_all(make(backend, len(names)), 10)) == len(names)


def test_a_scan_returns_what_stays_while_the_rest_changes() -> None:
    rng = random.Random(5)
    backend = MemoryBackend()
    elements = make(backend)
    staying = {b"stay:%d" % number for number in range(3000)}
    for name in staying:
        elements.set(name, b"v")
    checkpoint(backend, elements)
    seen: Counter[bytes] = Counter()
    cursor = 0
    while True:
        cursor, some = elements.scan(cursor, 10)
        seen.update(name for name, _ in some)
        if not cursor:
            break
        for _ in range(20):
            elements.set(b"other:%d" % rng.randrange(5000), b"v")
            elements.delete(b"other:%d" % rng.randrange(5000))
        if rng.random() < 0.05:
            checkpoint(backend, elements)
            elements.drop_unused(rng.randrange(4000))
    assert all(seen[name] == 1 for name in staying)


@pytest.mark.parametrize("state", ["dirty", "cached", "cold", "mixed"])
def test_choice_is_fair(state: str) -> None:
    """Chi-square over 200 elements: below the 99.99 % quantile of 199 degrees of freedom."""
    backend = MemoryBackend()
    elements = make(backend)
    names = [b"member:%d" % number for number in range(200)]
    for name in names:
        elements.set(name, b"v")
    if state != "dirty":
        checkpoint(backend, elements)
    if state == "cold":
        elements.drop_clean()
    if state == "mixed":
        elements.drop_clean()
        for name in names[:50]:
            elements.delete(name)
            elements.set(name, b"w")
    rng = random.Random(11)
    draws = 20_000
    counts = Counter(elements.choose(rng)[0] for _ in range(draws))
    expected = draws / len(names)
    assert sum((counts[name] - expected) ** 2 / expected for name in names) < 280


def test_a_cold_element_costs_one_record() -> None:
    backend = MemoryBackend()
    elements = make(backend)
    for number in range(5000):
        elements.set(b"%d" % number, b"v")
    checkpoint(backend, elements)
    reads: list[bytes] = []

    class Counting(MemoryBackend):
        def get(self, key: bytes) -> bytes | None:
            reads.append(key)
            return backend.get(key)

    cold = Elements(Counting(), 7, 5000, _same, _same)
    assert cold.get(b"77") == b"v"
    assert cold.get(b"77") == b"v"
    assert cold.get(b"none") is None
    assert len(reads) == 2


def test_everything_lies_in_the_range_that_is_swept() -> None:
    backend = MemoryBackend()
    elements = make(backend)
    for number in range(1000):
        elements.set(b"%d" % number, b"v")
    checkpoint(backend, elements)
    first, end = collection_range(7)
    assert len(backend.scan(first, end, limit=5000)) == 1000
    assert place_of(b"x") < PLACE_END
