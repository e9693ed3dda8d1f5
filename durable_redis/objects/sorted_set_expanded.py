"""Sorted sets of any size: scores by member, and the order in a counted tree; see ``objects/expanded.py``."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Any, Final

from durable_redis.objects.collection import pack, unpack
from durable_redis.objects.counted_tree import CountedTree
from durable_redis.objects.elements import Elements
from durable_redis.objects.expanded import FORM_EXPANDED, Expanded, Store
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.sorted_set import Bound, SortedSet
from durable_redis.objects.tree_nodes import NodeCodec
from storage.backends.base import Reader

_SCORE: Final = struct.Struct("<xd")  # behind the tag, which is 0


def _decode_score(raw: bytes) -> float:
    score: float = _SCORE.unpack(raw)[0]
    return score


def _item_bytes(item: tuple[float, bytes]) -> int:
    return 9 + len(item[1])


def _flatten(items: list[tuple[float, bytes]]) -> list[Any]:
    return [part for item in items for part in item]


def _pair(parts: list[Any]) -> list[tuple[float, bytes]]:
    some = iter(parts)
    return list(zip(some, some, strict=True))


# Scores come at random: nearly every change is in another leaf, which is kept in memory, and written, whole.
_CODEC: Final = NodeCodec(
    ordered=True, item_bytes=_item_bytes, flatten=_flatten, restore=_pair, leaf_items_max=32
)


def ordered_tree(
    reader: Reader, number: int, count: int = 0, root: int = 0, next_node: int = 1, height: int = 0
) -> CountedTree:
    """The order of (number, name) pairs of collection ``number``."""
    return CountedTree(
        reader,
        number,
        codec=_CODEC,
        count=count,
        root=root,
        next_node=next_node,
        height=height,
    )


class ExpandedSortedSet(Expanded, SortedSet):
    """A sorted set whose members, and the nodes of its order, have records of their own."""

    __slots__ = ("elements", "tree")

    def __init__(self, elements: Elements, tree: CountedTree, payload_bytes: int, skiplist: bool) -> None:
        self.expires_ms = self.disk_expires_ms = 0
        self.elements = elements
        self.tree = tree
        self.payload_bytes = payload_bytes
        self.skiplist = skiplist

    @classmethod
    def of(cls, plain: SortedSet, reader: Reader, number: int) -> ExpandedSortedSet:
        """The same content and expiry, on its way to disk as collection ``number``."""
        elements = Elements(reader, number, 0, _SCORE.pack, _decode_score)
        made = cls(elements, ordered_tree(reader, number), plain.payload_bytes, plain.skiplist)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        for score, member in plain.slice(0, len(plain)):
            elements.set(member, score)
            made.tree.append((score, member))
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> ExpandedSortedSet:
        """What :meth:`encode_body` has written."""
        number, count, payload_bytes, skiplist, root, next_node, height = unpack(body)
        elements = Elements(reader, number, count, _SCORE.pack, _decode_score)
        tree = ordered_tree(reader, number, count, root, next_node, height)
        return cls(elements, tree, payload_bytes, skiplist)

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return self.elements, self.tree

    # -- reading ---------------------------------------------------------------------------------------------

    def memory_bytes(self) -> int:
        """See :class:`Collection`; what is on disk only takes none."""
        overhead = self.ELEMENT_OVERHEAD_BYTES // 2  # a member is cached in two places
        return self.OBJECT_OVERHEAD_BYTES + self.cached_bytes(self.payload_bytes, overhead)

    def score(self, member: bytes) -> float | None:
        """See :class:`SortedSet`."""
        score: float | None = self.elements.get(member)
        return score

    def index_of(self, bound: Bound) -> int:
        """See :class:`SortedSet`."""
        return self.tree.index_of(bound)

    def rank(self, member: bytes) -> int | None:
        """See :class:`SortedSet`."""
        score = self.elements.get(member)
        return None if score is None else self.tree.index_of((score, member))

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[tuple[float, bytes]]:
        """See :class:`SortedSet`."""
        return self.tree.slice(start, stop, reverse=reverse)

    def first_score(self) -> float:
        """See :class:`SortedSet`."""
        score: float = self.tree.get(0)[0]
        return score

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """See :class:`SortedSet`."""
        return self.elements.scan(cursor, count)

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, float]]:
        """See :class:`SortedSet`."""
        return self.elements.sample(rng, count)

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, float]]:
        """See :class:`SortedSet`."""
        return [self.elements.choose(rng) for _ in range(count)]

    # -- changing (for effects only) -------------------------------------------------------------------------

    def set(self, member: bytes, score: float, limits: EncodingLimits) -> bool:
        """See :class:`SortedSet`."""
        old = self.elements.set(member, score)
        if old is None:
            self.payload_bytes += len(member)
        else:
            self.tree.remove((old, member))
        self.tree.add((score, member))
        if not self.skiplist and (
            self.elements.count > limits.sorted_set_entries or len(member) > limits.sorted_set_value_bytes
        ):
            self.skiplist = True
        return old is None

    def remove(self, member: bytes) -> bool:
        """See :class:`SortedSet`."""
        score = self.elements.delete(member)
        if score is None:
            return False
        self.tree.remove((score, member))
        self.payload_bytes -= len(member)
        return True

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        tree = self.tree
        parts = [self.number, len(self), self.payload_bytes, self.skiplist]
        return pack([*parts, tree.root, tree.next_node, tree.height], FORM_EXPANDED)
