"""Hashes some of whose fields have a deadline (HEXPIRE), of any size.

A hash becomes one of these with its first deadline and stays one; all others pay nothing for it.  Fields
whose time has come are *hidden*: reading passes over what is due at ``now_ms``, which whoever reads a key
sets. They are removed by an effect (HDEL), by the reader that meets them or by active expiry, so counting
(HLEN) may count some that are hidden, as in Redis.  Effects see everything.

A large one has the deadline in the field's record, and beside it a counted tree of (deadline, field), so that
what is due is found without reading the rest.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from durable_redis.objects.collection import pack, sample, unpack
from durable_redis.objects.counted_tree import CountedTree
from durable_redis.objects.elements import Elements
from durable_redis.objects.expanded import Store
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_expanded import ExpandedHash, hash_elements
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.sorted_set_expanded import ordered_tree
from durable_redis.objects.timed_value import TimedValue
from storage.backends.base import Reader

FORM_TIMED: Final = 2  # the first byte of a body (``storage/FORMAT.md``)
FORM_TIMED_EXPANDED: Final = 3
DEADLINE_OVERHEAD_BYTES: Final = 100  # of memory


class HasDeadlines(Hash):
    """What both sizes have.

    ``next_ms`` is the earliest deadline, 0 for none; ``disk_wake_ms`` is what the backend's expiry index has
    for it; ``now_ms`` decides what is hidden.
    """

    __slots__ = ()

    timed: ClassVar[bool] = True
    next_ms: int
    now_ms: int
    disk_wake_ms: int

    def hide(self, now_ms: int) -> None:
        """Pass over what is due at this time."""
        self.now_ms = now_ms  # type: ignore[misc]  # the slot is that of the class below

    def note_index(self, wake_ms: int) -> None:
        """The backend's expiry index has this time for the hash, 0 for none."""
        self.disk_wake_ms = wake_ms  # type: ignore[misc]

    def deadline(self, field: bytes) -> int:
        """When a field that is there goes; 0 for never."""
        raise NotImplementedError

    def due(self, now_ms: int, count: int) -> list[bytes]:
        """At most ``count`` fields whose time has come, the earliest first."""
        raise NotImplementedError

    # -- changing (for effects only) -------------------------------------------------------------------------

    def set(self, field: bytes, value: bytes, limits: EncodingLimits) -> bool:
        """See :class:`Hash`; the field has no deadline any more."""
        self.set_deadline(field, 0)
        return super().set(field, value, limits)

    def delete(self, field: bytes) -> bool:
        """See :class:`Hash`."""
        self.set_deadline(field, 0)
        return super().delete(field)

    def set_deadline(self, field: bytes, deadline_ms: int) -> None:
        """Let a field that is there go at a time, or never (0)."""
        before_ms = self._exchange(field, deadline_ms)
        if before_ms and before_ms == self.next_ms:
            self.next_ms = self._earliest()  # type: ignore[misc]
        elif deadline_ms and not 0 < self.next_ms <= deadline_ms:
            self.next_ms = deadline_ms  # type: ignore[misc]

    def _exchange(self, field: bytes, deadline_ms: int) -> int:
        """Give a field a deadline, or none; the one it had."""
        raise NotImplementedError

    def _earliest(self) -> int:
        """The first of all deadlines; 0 if there is none."""
        raise NotImplementedError


class TimedHash(HasDeadlines):
    """A small one."""

    __slots__ = ("deadlines", "disk_wake_ms", "next_ms", "now_ms")

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.deadlines: dict[bytes, int] = {}
        self.next_ms = self.now_ms = self.disk_wake_ms = 0

    @classmethod
    def taking(cls, plain: Hash) -> TimedHash:
        """The same hash, which takes over the fields of a plain one."""
        made = cls(plain.expires_ms, plain.disk_expires_ms)
        made.fields, made.payload_bytes, made.hashtable = plain.fields, plain.payload_bytes, plain.hashtable
        return made

    def whole_bytes(self) -> int:
        """See :class:`Collection`."""
        return super().whole_bytes() + len(self.deadlines) * DEADLINE_OVERHEAD_BYTES

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "hashtable" if self.hashtable else "listpackex"

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, field: bytes) -> bytes | None:
        """See :class:`Hash`."""
        deadline_ms = self.deadlines.get(field)
        return None if deadline_ms and deadline_ms <= self.now_ms else self.fields.get(field)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        if not 0 < self.next_ms <= self.now_ms:
            return iter(self.fields.items())
        return ((field, value) for field, value in self.fields.items() if self.get(field) is not None)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """See :class:`Hash`."""
        return 0, list(self.items())

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        return sample(rng, list(self.items()), count)

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`; nothing if everything is hidden."""
        return _choices(rng, list(self.items()), count)

    def deadline(self, field: bytes) -> int:
        """See :class:`HasDeadlines`."""
        return self.deadlines.get(field, 0)

    def due(self, now_ms: int, count: int) -> list[bytes]:
        """See :class:`HasDeadlines`."""
        found = sorted((ms, field) for field, ms in self.deadlines.items() if ms <= now_ms)
        return [field for _, field in found[:count]]

    def _exchange(self, field: bytes, deadline_ms: int) -> int:
        """See :class:`HasDeadlines`."""
        before = self.deadlines.pop(field, 0)
        if deadline_ms:
            self.deadlines[field] = deadline_ms
        return before

    def _earliest(self) -> int:
        """See :class:`HasDeadlines`."""
        return min(self.deadlines.values(), default=0)

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        parts: list[object] = [self.hashtable, self.deadlines]
        for pair in self.fields.items():
            parts += pair
        return pack(parts, FORM_TIMED)

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        parts = iter(unpack(body))
        self.hashtable = bool(next(parts))
        self.deadlines = next(parts)
        self.fields = dict(zip(parts, parts, strict=True))
        self.payload_bytes = sum(len(field) + len(value) for field, value in self.fields.items())
        self.next_ms = self.disk_wake_ms = self._earliest()


class TimedExpandedHash(HasDeadlines, ExpandedHash):
    """A large one."""

    __slots__ = ("disk_wake_ms", "next_ms", "now_ms", "tree")

    def __init__(self, elements: Elements, payload_bytes: int, hashtable: bool, tree: CountedTree) -> None:
        super().__init__(elements, payload_bytes, hashtable)
        self.tree = tree
        self.next_ms = self.now_ms = self.disk_wake_ms = 0

    @classmethod
    def taking(cls, plain: ExpandedHash, reader: Reader) -> TimedExpandedHash:
        """The same hash, which takes over the elements of a plain one."""
        tree = ordered_tree(reader, plain.number)
        made = cls(plain.elements, plain.payload_bytes, plain.hashtable, tree)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        return made

    @classmethod
    def of(cls, plain: Hash, reader: Reader, number: int) -> TimedExpandedHash:
        """The same content and expiry, on its way to disk as collection ``number``."""
        assert isinstance(plain, HasDeadlines)
        elements, tree = hash_elements(reader, number), ordered_tree(reader, number)
        made = cls(elements, plain.payload_bytes, plain.hashtable, tree)
        made.expires_ms, made.disk_expires_ms = plain.expires_ms, plain.disk_expires_ms
        made.next_ms, made.disk_wake_ms = plain.next_ms, plain.disk_wake_ms
        source = plain.elements.items() if isinstance(plain, TimedExpandedHash) else plain.fields.items()
        for field, value in source:
            deadline_ms = plain.deadline(field)
            if deadline_ms:
                elements.set(field, TimedValue(_value(value), deadline_ms))
                tree.add((deadline_ms, field))
            else:
                elements.set(field, value)
        return made

    @classmethod
    def load(cls, reader: Reader, body: bytes) -> TimedExpandedHash:
        """What :meth:`encode_body` has written."""
        number, count, payload_bytes, hashtable, next_ms, deadlines, root, next_node, height = unpack(body)
        tree = ordered_tree(reader, number, deadlines, root, next_node, height)
        made = cls(hash_elements(reader, number, count), payload_bytes, hashtable, tree)
        made.next_ms = made.disk_wake_ms = next_ms
        return made

    @property
    def stores(self) -> tuple[Store, ...]:
        """See :class:`Expanded`."""
        return self.elements, self.tree

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, field: bytes) -> bytes | None:
        """See :class:`Hash`."""
        return self._visible(self.elements.get(field))

    def _visible(self, value: bytes | TimedValue | None) -> bytes | None:
        if isinstance(value, TimedValue):
            return value.value if value.deadline_ms > self.now_ms else None
        return value

    def _shown(self, pairs: Iterator[tuple[bytes, Any]]) -> Iterator[tuple[bytes, bytes]]:
        for field, value in pairs:
            visible = self._visible(value)
            if visible is not None:
                yield field, visible

    @property
    def _hides(self) -> bool:
        return 0 < self.next_ms <= self.now_ms

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        return self._shown(self.elements.items())

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """See :class:`Hash`."""
        following, pairs = self.elements.scan(cursor, count)
        return following, list(self._shown(iter(pairs)))

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`."""
        if self._hides:  # which lasts until active expiry has been here
            return sample(rng, list(self.items()), count)
        return list(self._shown(iter(self.elements.sample(rng, count))))

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Hash`; nothing if everything is hidden."""
        if self._hides:
            return _choices(rng, list(self.items()), count)
        return list(self._shown(self.elements.choose(rng) for _ in range(count)))

    def deadline(self, field: bytes) -> int:
        """See :class:`HasDeadlines`."""
        value = self.elements.get(field)
        return value.deadline_ms if isinstance(value, TimedValue) else 0

    def due(self, now_ms: int, count: int) -> list[bytes]:
        """See :class:`HasDeadlines`."""
        found = []
        for deadline_ms, field in self.tree.slice(0, count):
            if deadline_ms > now_ms:
                break
            found.append(field)
        return found

    def _exchange(self, field: bytes, deadline_ms: int) -> int:
        """See :class:`HasDeadlines`."""
        value = self.elements.get(field)
        before = 0
        if isinstance(value, TimedValue):
            value, before = value
            self.tree.remove((before, field))
        if deadline_ms:
            self.elements.set(field, TimedValue(value, deadline_ms))
            self.tree.add((deadline_ms, field))
        elif before:
            self.elements.set(field, value)
        return before

    def _earliest(self) -> int:
        """See :class:`HasDeadlines`."""
        return self.tree.get(0)[0] if self.tree.count else 0

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        tree = self.tree
        parts = [self.number, len(self), self.payload_bytes, self.hashtable, self.next_ms]
        return pack([*parts, tree.count, tree.root, tree.next_node, tree.height], FORM_TIMED_EXPANDED)


def _value(value: bytes | TimedValue) -> bytes:
    return value.value if isinstance(value, TimedValue) else value


def _choices(rng: random.Random, pairs: list[tuple[bytes, bytes]], count: int) -> list[tuple[bytes, bytes]]:
    return rng.choices(pairs, k=count) if pairs else []
