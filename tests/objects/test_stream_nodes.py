"""An expanded stream beside a compact one: the same changes by chance, checkpoints and cold reads between."""

from __future__ import annotations

import random

import pytest

from durable_redis.objects.codec import decode_value, expand
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_expanded import ExpandedStream
from storage.backends.memory import MemoryBackend

LIMITS = EncodingLimits(stream_node_entries=5)
NAMES = (b"a", b"b", b"c")


class Twins:
    """A compact stream and an expanded one, which are to have the same content."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.backend = MemoryBackend()
        self.plain = Stream()
        made = expand(Stream(), self.backend, lambda: 7)
        assert isinstance(made, ExpandedStream)
        self.large = made
        self.frozen: list[tuple[object, list[object]]] = []

    def change(self) -> None:
        rng = self.rng
        dice = rng.random()
        for stream in (self.plain, self.large):
            state = rng.getstate()
            self.change_one(stream, dice)
            if stream is self.plain:
                rng.setstate(state)

    def change_one(self, stream: Stream, dice: float) -> None:
        rng = self.rng
        last = stream.last_id[0]
        somewhere = (rng.randint(max(last - 60, 0), last + 1), 0)
        if dice < 0.5:
            stream.add((last + rng.randint(1, 3), 0), [b"f", b"%d" % last], LIMITS)
        elif dice < 0.65:
            stream.delete(somewhere)
        elif dice < 0.68:
            stream.trim_to(rng.randint(0, 40))
        elif dice < 0.71:
            stream.trim_before(somewhere)
        elif dice < 0.74:
            name = rng.choice(NAMES)
            if name in stream.groups:
                stream.delete_group(name)
            else:
                stream.create_group(name, somewhere, -1)
        else:
            for _, group in sorted(stream.groups.items()):
                if dice < 0.9:
                    group.deliver(somewhere, group.consumer(rng.choice(NAMES)), rng.randrange(9), last)
                elif dice < 0.98:
                    group.acknowledge(somewhere)
                elif group.consumers:
                    group.delete_consumer(rng.choice(sorted(group.consumers)))

    def checkpoint(self) -> None:
        """Begin a checkpoint, or end the one that runs: well, or not."""
        large = self.large
        if not self.frozen:
            self.body = large.encode_body()
            self.frozen = [(store, store.freeze()) for store in large.stores]
            return
        batch = self.backend.batch()
        batch.begin()
        for store, portions in self.frozen:
            for portion in portions:
                for key, record in store.encode(portion):  # type: ignore[attr-defined]
                    batch.delete(key) if record is None else batch.put(key, record)
        good = self.rng.random() < 0.7
        if good:
            batch.commit()
        else:
            batch.abort()
        for store in large.stores:
            store.committed() if good else store.rolled_back()
        self.frozen = []

    def reload(self) -> None:
        """Leave memory, and come back."""
        while self.frozen:
            self.checkpoint()
        while any(store.changed() for store in self.large.stores):
            self.checkpoint()
            self.checkpoint()
        found = decode_value(self.large.kind, 0, self.large.encode_body(), self.backend)
        assert isinstance(found, ExpandedStream)
        self.large = found

    def compare(self) -> None:
        plain, large, rng = self.plain, self.large, self.rng
        assert len(plain) == len(large)
        assert (plain.first_id, plain.top_id, plain.last_id) == (large.first_id, large.top_id, large.last_id)
        assert (plain.max_deleted_id, plain.entries_added) == (large.max_deleted_id, large.entries_added)
        assert plain.node_count == large.node_count
        assert plain.payload_bytes == large.payload_bytes
        assert list(plain.outlines()) == list(large.outlines())
        low = rng.randint(0, plain.last_id[0] + 1)
        start, end = (low, 0), (low + rng.randint(0, 50), 0)
        for reverse in (False, True):
            assert list(plain.range(reverse=reverse)) == list(large.range(reverse=reverse))
            found = list(large.range(start, end, reverse=reverse))
            assert list(plain.range(start, end, reverse=reverse)) == found
        assert plain.get(start) == large.get(start)
        assert plain.groups.keys() == large.groups.keys()
        for name, group in plain.groups.items():
            twin = large.groups[name]
            assert group.pending_count == twin.pending_count
            shown = [
                [(id, found.consumer.name, found.delivered_ms, found.count) for id, found in one.range()]
                for one in (group, twin)
            ]
            assert shown[0] == shown[1]
            if group.pending_count:
                assert group.pending_bounds() == twin.pending_bounds()
            for mine, other in zip(group.consumers_by_name(), twin.consumers_by_name(), strict=True):
                assert (mine.name, mine.pending_count) == (other.name, other.pending_count)
                assert list(mine.pending(start, end)) == list(other.pending(start, end))


@pytest.mark.parametrize("seed", range(12))
def test_both_forms_hold_the_same(seed: int) -> None:
    twins = Twins(seed)
    for _ in range(400):
        twins.change()
        chance = twins.rng.random()
        if chance < 0.08:
            twins.checkpoint()
        elif chance < 0.11:
            twins.reload()
        elif chance < 0.2:
            twins.large.drop_unused(twins.rng.randrange(50))
        if chance < 0.5:
            twins.compare()
    assert isinstance(twins.large, Expanded)
    again = expand(twins.large, twins.backend, lambda: 8)
    assert isinstance(again, ExpandedStream)
    twins.large = again
    twins.compare()
