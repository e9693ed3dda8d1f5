"""The counted tree: a sequence on disk, compared with a list by a random machine.

Checkpoints succeed and fail in the middle of changes, the cache is lost, and the process crashes.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from typing import Any

import pytest

from durable_redis.objects import counted_tree, tree_nodes
from durable_redis.objects.counted_tree import CountedTree
from durable_redis.objects.tree_nodes import NodeCodec
from storage.backends.memory import MemoryBackend
from storage.records import collection_range


@pytest.fixture(autouse=True, params=["small nodes", "real nodes"])
def _node_sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "small nodes":
        monkeypatch.setattr(counted_tree, "LEAF_ITEMS_MAX", 4)
        monkeypatch.setattr(counted_tree, "LEAF_BYTES_MAX", 60)
        monkeypatch.setattr(counted_tree, "CHILDREN_MAX", 4)


class Machine:
    """Random steps on a tree and on a list."""

    def __init__(self, seed: int, ordered: bool) -> None:
        self.random = random.Random(seed)
        self.ordered = ordered
        self.backend = MemoryBackend()
        self.tree = self.make()
        self.model: list[bytes] = []
        self.durable: tuple[list[bytes], dict[str, int]] = ([], {})
        self.freezing: tuple[list[bytes], dict[str, int]] | None = None
        self.portions: list[Any] = []

    def make(self, **meta: int) -> CountedTree:
        return CountedTree(self.backend, 3, codec=NodeCodec(self.ordered, len), **meta)

    def item(self) -> bytes:
        return b"%d" % self.random.randrange(100_000) + b"x" * self.random.choice((0, 0, 0, 5, 200))

    def step(self, growth: float) -> None:
        rng, tree, model = self.random, self.tree, self.model
        draw = rng.random()
        if draw < growth:
            item = self.item()
            if not self.ordered:
                index = rng.choice((0, len(model), rng.randint(0, len(model))))
                if index == 0 and rng.random() < 0.5:
                    tree.prepend(item)
                elif index == len(model) and rng.random() < 0.5:
                    tree.append(item)
                else:
                    tree.insert(index, item)
                model.insert(index, item)
            elif item not in model:
                tree.add(item)
                insort(model, item)
        elif draw < 0.8 and model:
            index = rng.choice((0, len(model) - 1, rng.randrange(len(model))))
            if index == 0 and rng.random() < 0.5:
                assert tree.pop_first() == model.pop(0)
            elif index == len(model) - 1 and rng.random() < 0.5:
                assert tree.pop_last() == model.pop()
            elif self.ordered:
                tree.remove(model.pop(index))
            else:
                assert tree.pop(index) == model.pop(index)
        elif draw < 0.85 and model and not self.ordered:
            index, item = rng.randrange(len(model)), self.item()
            assert tree.replace(index, item) == model[index]
            model[index] = item
        elif draw < 0.853:
            start, stop = sorted((rng.randint(0, len(model)), rng.randint(0, len(model))))
            tree.delete_range(start, stop)
            del model[start:stop]
        elif draw < 0.9:
            self.look()
        elif draw < 0.92:
            tree.drop_unused(rng.randint(1, len(model) + 1))
        elif draw < 0.95:
            self.freeze_or_end()
        elif draw < 0.952:
            self.crash()
        assert self.tree.count == len(self.model)

    def look(self) -> None:
        rng, tree, model = self.random, self.tree, self.model
        start, stop = sorted((rng.randint(0, len(model)), rng.randint(0, len(model))))
        assert list(tree.slice(start, stop)) == model[start:stop]
        assert list(tree.slice(start, stop, reverse=True)) == model[start:stop][::-1]
        if model:
            index = rng.randrange(len(model))
            assert tree.get(index) == model[index]
            if self.ordered:
                assert tree.index_of(model[index]) == index
                item = self.item()
                assert tree.index_of(item) == bisect_left(model, item)
        cached = [node for nodes in (tree._young, tree._old) for node in nodes.values()]
        items = sum(len(node.items) for node in cached if isinstance(node, tree_nodes.Leaf))
        assert tree.cached == items

    def meta(self) -> dict[str, int]:
        tree = self.tree
        return {
            "count": tree.count,
            "root": tree.root,
            "next_node": tree.next_node,
            "height": tree.height,
        }

    def freeze_or_end(self) -> None:
        tree = self.tree
        if self.freezing is None:
            self.freezing = (list(self.model), self.meta())
            self.portions = tree.freeze()
            return
        batch = self.backend.batch()
        batch.begin()
        for portion in self.portions:
            for key, record in tree.encode(portion):
                batch.delete(key) if record is None else batch.put(key, record)
        if self.random.random() < 0.7:
            batch.commit()
            tree.committed()
            self.durable = self.freezing
        else:
            batch.abort()
            tree.rolled_back()
        self.freezing = None

    def crash(self) -> None:
        self.freezing = None
        model, meta = self.durable
        self.model = list(model)
        if not meta.get("count"):
            self.backend = MemoryBackend()
        self.tree = self.make(**meta) if meta.get("count") else self.make()


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_tree_is_a_sequence(seed: int, ordered: bool) -> None:
    machine = Machine(seed, ordered)
    for number in range(4000):
        machine.step(0.55 if number % 1500 < 900 else 0.2)


def test_no_node_is_left_behind() -> None:
    machine = Machine(1, True)
    for number in range(3000):
        machine.tree.add(b"%06d" % (number * 7919 % 3000))
    rng = random.Random(2)
    numbers = list(range(3000))
    rng.shuffle(numbers)
    for part in range(3):
        machine.freeze_or_end()
        for number in numbers[part * 1000 : part * 1000 + 1000 - (part == 2)]:
            machine.tree.remove(b"%06d" % number)
        machine.random = random.Random(4)
        machine.freeze_or_end()
    while machine.tree._dirty or machine.tree._frozen:
        machine.freeze_or_end()
    assert machine.tree.count == 1
    first, end = collection_range(3)
    assert len(machine.backend.scan(first, end, limit=10_000)) == 1


def test_a_cold_position_reads_a_node_a_level() -> None:
    machine = Machine(1, True)
    for number in range(20_000):
        machine.tree.add(b"%06d" % number)
    machine.random = random.Random(4)
    machine.freeze_or_end()
    machine.freeze_or_end()
    reads = 0
    backend = machine.backend

    class Counting(MemoryBackend):
        def get(self, key: bytes) -> bytes | None:
            nonlocal reads
            reads += 1
            return backend.get(key)

    cold = CountedTree(Counting(), 3, codec=NodeCodec(True, len), **machine.meta())
    assert cold.index_of(b"012345") == 12_345
    assert reads <= (3 if counted_tree.CHILDREN_MAX > 100 else 12)
    before = reads
    assert cold.get(12_345) == b"012345"
    assert reads == before
