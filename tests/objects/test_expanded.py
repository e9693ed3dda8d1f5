"""What expanded collections have in common: the content of compact ones, freed in steps, fair choice."""

from __future__ import annotations

import random

import pytest

from durable_redis.objects.codec import COMPACT, decode_value, expand
from durable_redis.objects.collection import Collection
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.hash import Hash
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.stream import Stream
from storage.backends.memory import MemoryBackend

LIMITS = EncodingLimits()
KINDS: list[type[Collection]] = [Hash, List, Set, SortedSet, Stream]


def filled(kind: type[Collection], count: int) -> Collection:
    made = kind()
    for number in range(count):
        name = b"name:%d" % number
        if isinstance(made, Hash):
            made.set(name, b"%d" % number, LIMITS)
        elif isinstance(made, List):
            made.push_right((name,))
        elif isinstance(made, Set):
            made.add(name, LIMITS)
        elif isinstance(made, SortedSet):
            made.set(name, float(number % 7), LIMITS)
        elif isinstance(made, Stream):
            made.add((number + 1, 0), [b"name", name], LIMITS)
            if number == 0:
                made.create_group(b"group", (0, 0), 0)
            group = made.groups[b"group"]
            group.deliver((number + 1, 0), group.consumer(b"consumer:%d" % (number % 3)), number, 1)
    return made


def content(value: Collection) -> object:
    if isinstance(value, Hash):
        return dict(value.items())
    if isinstance(value, List):
        return list(value.slice(0, len(value)))
    if isinstance(value, Set):
        return set(value)
    if isinstance(value, Stream):
        pending = [
            (id, found.consumer.name, found.delivered_ms, found.count)
            for id, found in value.groups[b"group"].range()
        ]
        consumers = value.groups[b"group"].consumers_by_name()
        return list(value.range()), pending, [list(consumer.pending()) for consumer in consumers]
    assert isinstance(value, SortedSet)
    return list(value.slice(0, len(value)))


def saved(backend: MemoryBackend, value: Expanded) -> bytes:
    """Write everything to the backend; the body of the record."""
    batch = backend.batch()
    batch.begin()
    for store in value.stores:
        for portion in store.freeze():
            for key, record in store.encode(portion):
                batch.delete(key) if record is None else batch.put(key, record)
    batch.commit()
    for store in value.stores:
        store.committed()
    return value.encode_body()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 700, 9000])
def test_it_holds_the_same(kind: type[Collection], count: int) -> None:
    plain = filled(kind, count)
    plain.expires_ms = 77
    backend = MemoryBackend()
    value = expand(plain, backend, lambda: 5)
    assert isinstance(value, Expanded)
    assert content(value) == content(plain)
    assert (len(value), value.payload_bytes, value.encoding(), value.expires_ms) == (
        len(plain),
        plain.payload_bytes,
        plain.encoding(),
        77,
    )
    cold = decode_value(value.kind, 77, saved(backend, value), backend)
    assert isinstance(cold, Collection)
    assert cold.memory_bytes() < 5000  # three consumers of a stream among them
    assert content(cold) == content(plain)
    assert cold.payload_bytes == plain.payload_bytes
    assert cold.encoding() == plain.encoding()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 700, 9000])
@pytest.mark.parametrize("state", ["dirty", "clean", "cold", "old"])
def test_it_is_freed_in_steps(kind: type[Collection], count: int, state: str) -> None:
    backend = MemoryBackend()
    value = expand(filled(kind, count), backend, lambda: 5)
    assert isinstance(value, Expanded)
    if state != "dirty":
        body = saved(backend, value)
        if state == "cold":
            found = decode_value(value.kind, 0, body, backend)
            assert isinstance(found, Expanded)
            value = found
        if state == "old":
            value.drop_unused(count // 2)
    steps = 0
    while value.free_some():
        steps += 1
        assert steps < 10_000
    assert not value.free_some()


@pytest.mark.parametrize("kind", [Hash, Set, SortedSet])
@pytest.mark.parametrize("form", ["compact", "expanded", "cold"])
@pytest.mark.parametrize("way", ["choices", "sample"])
def test_choice_is_fair(kind: type[Collection], form: str, way: str) -> None:
    """Chi-square over 100 elements: below the 99.99 % quantile of 99 degrees of freedom."""
    value = filled(kind, 100)
    if form != "compact":
        backend = MemoryBackend()
        value = expand(value, backend, lambda: 5)
        if form == "cold":
            assert isinstance(value, Expanded)
            found = decode_value(value.kind, 0, saved(backend, value), backend)
            assert isinstance(found, Collection)
            value = found
    rng = random.Random(3)
    counts: dict[object, int] = {}
    draws = 4000
    for _ in range(draws):
        for element in getattr(value, way)(rng, 1 if way == "choices" else 3):
            counts[element] = counts.get(element, 0) + 1
    total = sum(counts.values())
    assert total == draws * (1 if way == "choices" else 3)
    assert len(counts) == 100
    expected = total / 100
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 161


def test_every_compact_type_but_strings_is_here() -> None:
    assert {kind.kind for kind in KINDS} <= COMPACT.keys()
