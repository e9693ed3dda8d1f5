"""The elements of one expanded collection: a map from names to values that lies on disk, one record each.

What is in memory is a cache of it and what has changed since the last checkpoint, as the keyspace's shards
are for keys (``keyspace/shard.py``): *young* and *old* are two generations of the cache, *dirty* is changed,
*frozen* is what a running checkpoint writes.  None in the last two marks what is gone.

Elements are ordered by *place*, 48 bits of XXH3-64 of the name.  So a cursor is a place and keeps SCAN's
guarantee without state, and a random place finds a random element.  The cache is cut into parts by the first
bits of the place; a part that has grown is split in 16 (extendible hashing), so no dict is ever large enough
to stop the world when it grows.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Final

from xxhash import xxh3_64_intdigest

from storage.backends.base import Reader
from storage.records import decode_tagged, element_key, element_range, encode_tagged

PLACE_BITS: Final = 48
PLACE_END: Final = 1 << PLACE_BITS
PART_ENTRIES_MAX: Final = 2048  # splitting such a part takes about a millisecond
SPLIT_BITS: Final = 4
DIRECTORY_BITS_MAX: Final = 16
STEP: Final = 256  # elements that a walk reads at a time
SCAN_MAX: Final = 4096  # elements that one call of scan returns at most
WINDOW: Final = 8  # elements that a random look at the disk finds on average …
WINDOW_MAX: Final = 32  # … and at most, but for one look in ten billion
SKEW_MAX: Final = 2.0  # of the elements in a part, to what they would be if spread evenly

_ABSENT: Final = object()


class Part:
    """The cached and the changed elements whose places begin with the same ``bits`` bits."""

    __slots__ = ("_order", "_order_of", "bits", "dirty", "frozen", "old", "young")

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.young: dict[bytes, Any] = {}
        self.old: dict[bytes, Any] = {}
        self.dirty: dict[bytes, Any] = {}
        self.frozen: dict[bytes, Any] = {}
        self._order: list[tuple[int, bytes]] = []
        self._order_of: tuple[object, int, int] = (None, 0, 0)

    def changed_order(self) -> list[tuple[int, bytes]]:
        """(place, name) of what differs from the disk, in order.  Kept until something is added."""
        of, dirty, frozen = self._order_of
        if of is not self.dirty or dirty != len(self.dirty) or frozen != len(self.frozen):
            names = self.dirty.keys() | self.frozen.keys() if self.frozen else self.dirty
            self._order = sorted((place_of(name), name) for name in names)
            self._order_of = (self.dirty, len(self.dirty), len(self.frozen))
        return self._order

    def changed(self, name: bytes) -> Any:
        """The state that overrides the disk's: a value, None for gone, ``_ABSENT`` if there is none."""
        value = self.dirty.get(name, _ABSENT)
        return self.frozen.get(name, _ABSENT) if value is _ABSENT else value


def place_of(name: bytes) -> int:
    """Where an element stands in the order."""
    return xxh3_64_intdigest(name) >> 16


class Elements:
    """The map.  ``count`` is exact; ``cached`` is how many elements are in memory.

    ``encode`` and ``decode`` turn a value into the tag and content of its record and back; no value is None.
    """

    __slots__ = (
        "_bits",
        "_changed",
        "_decode",
        "_directory",
        "_encode",
        "_frozen",
        "_hand",
        "_reader",
        "_shift",
        "cached",
        "complete",
        "count",
        "number",
        "on_disk",
    )

    def __init__(
        self,
        reader: Reader,
        number: int,
        count: int,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
    ) -> None:
        """The elements of collection ``number``; of a new one if ``count`` is 0."""
        self.number = number
        self.count = count
        self.cached = 0
        self.complete = count == 0  # all are in memory, so a miss needs no disk
        self.on_disk = count > 0
        self._reader = reader
        self._encode = encode
        self._decode = decode
        self._directory = [Part(0)]
        self._bits = 0
        self._shift = 64
        self._changed: list[Part] = []
        self._frozen: list[Part] = []
        self._hand = 0

    # -- one element -----------------------------------------------------------------------------------------

    def get(self, name: bytes) -> Any:
        """The value of an element; None if there is no such element."""
        part = self._directory[xxh3_64_intdigest(name) >> self._shift]
        value = part.young.get(name)
        return self._find(part, name) if value is None else value

    def _find(self, part: Part, name: bytes) -> Any:
        value = part.old.pop(name, None)
        if value is None:
            value = part.changed(name)
            if value is _ABSENT:
                value = self._load(name) if self.on_disk and not self.complete else None
            if value is None:
                return None
            self.cached += 1
        part.young[name] = value
        return value

    def _load(self, name: bytes) -> Any:
        key = element_key(self.number, place_of(name), name)
        raw = self._reader.get(key)
        return None if raw is None else self._decode(decode_tagged(key, raw))

    def set(self, name: bytes, value: Any) -> Any:
        """Give an element a value; the one it had, or None if it is new."""
        part = self._directory[xxh3_64_intdigest(name) >> self._shift]
        old = part.young.get(name)
        if old is None:
            old = self._find(part, name)
            if old is None:
                self.count += 1
                self.cached += 1
        if not part.dirty:
            self._changed.append(part)
        part.young[name] = part.dirty[name] = value
        if old is None and len(part.young) > PART_ENTRIES_MAX:
            self._split(part, name)
        return old

    def delete(self, name: bytes) -> Any:
        """Remove an element; the value it had, or None if there is none."""
        part = self._directory[xxh3_64_intdigest(name) >> self._shift]
        old = part.young.get(name)
        if old is None:
            old = self._find(part, name)
            if old is None:
                return None
        if not part.dirty:
            self._changed.append(part)
        del part.young[name]
        part.dirty[name] = None
        self.count -= 1
        self.cached -= 1
        return old

    def _split(self, part: Part, name: bytes) -> None:
        """Cut a part in 16."""
        if part.bits == DIRECTORY_BITS_MAX:
            return
        if part.bits == self._bits:
            self._bits += SPLIT_BITS
            self._shift = 64 - self._bits
            self._directory = [same for same in self._directory for _ in range(1 << SPLIT_BITS)]
        bits = part.bits + SPLIT_BITS
        shift = 64 - bits
        pieces = [Part(bits) for _ in range(1 << SPLIT_BITS)]
        mask = (1 << SPLIT_BITS) - 1
        for kind in ("young", "old", "dirty", "frozen"):
            into = [getattr(piece, kind) for piece in pieces]
            for element, value in getattr(part, kind).items():
                into[xxh3_64_intdigest(element) >> shift & mask][element] = value
        if part.dirty:
            self._changed.remove(part)
            self._changed += [piece for piece in pieces if piece.dirty]
        if part.frozen:
            self._frozen.remove(part)
            self._frozen += [piece for piece in pieces if piece.frozen]
        width = 1 << (self._bits - bits)
        first = (xxh3_64_intdigest(name) >> (64 - part.bits) if part.bits else 0) * width << SPLIT_BITS
        for number, piece in enumerate(pieces):
            self._directory[first + number * width : first + (number + 1) * width] = [piece] * width

    # -- many elements ---------------------------------------------------------------------------------------

    def items(self) -> Iterator[tuple[bytes, Any]]:
        """All elements; they must not be changed meanwhile.  What is read from disk is not kept."""
        if self.complete:
            for part in self._parts():
                yield from part.young.items()
                yield from part.old.items()
            return
        cursor = 0
        while True:
            cursor, found = self.scan(cursor, STEP)
            yield from found
            if not cursor:
                return

    def scan(self, cursor: int, count: int, end: int = PLACE_END) -> tuple[int, list[tuple[bytes, Any]]]:
        """About ``count`` elements with cursor <= place < end, and where to go on; 0 begins and ends.

        HSCAN's guarantee: what is there all the time between the first call and the last is returned.
        """
        if not 0 <= cursor < end:
            return 0, []
        count = max(1, min(count, SCAN_MAX))
        last = end
        records, end = self._records(cursor, count, end)
        changed: list[tuple[int, bytes]] = []
        at = cursor
        while at < end:
            part = self._directory[at << 16 >> self._shift]
            order = part.changed_order()
            room = count + 1 - len(changed)
            changed += islice(order, first := bisect_left(order, (at, b"")), first + room)
            at = ((at >> (PLACE_BITS - part.bits)) + 1) << (PLACE_BITS - part.bits)
            if len(changed) > count:
                if changed[-1][0] == cursor:
                    return self.scan(cursor, count * 2, last)
                end = min(end, changed[-1][0])
        found: list[tuple[int, bytes, Any]] = []
        for place, name in changed:
            if place < end:
                value = self._part(place).changed(name)
                if value is not None:
                    found.append((place, name, value))
        for place, name, key, raw in records:
            if place < end and self._part(place).changed(name) is _ABSENT:
                found.append((place, name, self._decode(decode_tagged(key, raw))))
        found.sort(key=_by_place)
        return (end if end < last else 0), [(name, value) for _, name, value in found]

    def _records(
        self, cursor: int, count: int, last: int
    ) -> tuple[list[tuple[int, bytes, bytes, bytes]], int]:
        """Records with cursor <= place < last, and the place up to which they are all there is."""
        if not self.on_disk:
            return [], last
        first, stop = element_range(self.number, cursor, last)
        records = self._reader.scan(first, stop, limit=count + 1)
        found = [(int.from_bytes(key[10:16]), key[16:], key, raw) for key, raw in records]
        if not found or not self._reader.scan(found[-1][2] + b"\0", stop, limit=1):
            return found, last
        end = found[-1][0]
        if found[0][0] < end:
            return [record for record in found if record[0] < end], end
        records = self._reader.scan(*element_range(self.number, end, end + 1), limit=1 << 30)
        return [(end, key[16:], key, raw) for key, raw in records], end + 1

    def _part(self, place: int) -> Part:
        return self._directory[place << 16 >> self._shift]

    def _parts(self) -> Iterator[Part]:
        """Every part once."""
        at = 0
        while at < len(self._directory):
            part = self._directory[at]
            yield part
            at += 1 << (self._bits - part.bits)

    # -- by chance -------------------------------------------------------------------------------------------

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, Any]]:
        """``count`` different elements by chance, or all; each choice is as likely as any other."""
        if count * 3 >= self.count:
            everything = list(self.items())
            return rng.sample(everything, min(count, len(everything)))
        found: dict[bytes, Any] = {}
        while len(found) < count:
            name, value = self.choose(rng)
            found[name] = value
        return list(found.items())

    def choose(self, rng: random.Random) -> tuple[bytes, Any]:
        """One element, all equally likely.  There must be one."""
        return self._choose_cached(rng) if self.complete else self._choose_anywhere(rng)

    def _choose_cached(self, rng: random.Random) -> tuple[bytes, Any]:
        """A part by chance, taken as often as it has elements, then one of them by position."""
        while True:
            part = self._directory[rng.randrange(len(self._directory))]
            size = len(part.young) + len(part.old)
            share = size * (1 << part.bits) / self.count  # about 1
            if share > SKEW_MAX:
                return next(islice(self.items(), rng.randrange(self.count), None))
            if rng.random() * SKEW_MAX < share:
                everything = chain(part.young.items(), part.old.items())
                return next(islice(everything, rng.randrange(size), None))

    def _choose_anywhere(self, rng: random.Random) -> tuple[bytes, Any]:
        """A stretch of places by chance, taken as often as it has elements, then one of them.

        The next element behind a random place would not do: it is the likelier, the wider the gap before it.
        """
        stretches = max(self.count // WINDOW, 1)
        while True:
            number = rng.randrange(stretches)
            first, end = number * PLACE_END // stretches, (number + 1) * PLACE_END // stretches
            found: list[tuple[bytes, Any]] = []
            cursor = first
            while cursor < end:
                following, some = self.scan(cursor, WINDOW_MAX, end)
                found += some
                cursor = following or end
            most = WINDOW_MAX if len(found) <= WINDOW_MAX else len(found)
            chosen = rng.randrange(most)
            if chosen < len(found):
                return found[chosen]

    # -- memory ----------------------------------------------------------------------------------------------

    def drop_unused(self, entries_max: int) -> int:
        """Let about ``entries_max`` elements leave memory that were not used lately; how many left.

        Twice round, and all have left that are not used in between.  What is dirty stays as such.
        """
        dropped = 0
        for _ in range(2 * len(self._directory)):
            part = self._directory[self._hand % len(self._directory)]
            self._hand += 1 << (self._bits - part.bits)
            if part.old:
                self.complete = False
                dropped += len(part.old)
                self.cached -= len(part.old)
            part.old = part.young
            part.young = {}
            if dropped >= entries_max:
                break
        return dropped

    def drop_clean(self) -> None:
        """Forget everything that the disk has."""
        self.drop_unused(self.cached + 1)
        self.cached = 0
        for part in self._parts():
            part.young, part.old = {}, {}
        self.complete = self.count == 0

    def free_some(self) -> bool:
        """See :class:`durable_redis.objects.expanded.Store`."""
        if not self._directory:
            return False
        self._changed = []
        part = self._directory[-1]
        del self._directory[-(1 << (self._bits - part.bits)) :]
        return bool(self._directory)

    # -- checkpoint ------------------------------------------------------------------------------------------

    def changed(self) -> int:
        """See :class:`durable_redis.objects.expanded.Store`."""
        return sum(len(part.dirty) for part in self._changed)

    def freeze(self) -> list[dict[bytes, Any]]:
        """What a checkpoint has to write; it stays readable here until the outcome is known."""
        assert not self._frozen
        self._frozen, self._changed = self._changed, []
        for part in self._frozen:
            part.frozen, part.dirty = part.dirty, {}
        return [part.frozen for part in self._frozen]

    def encode(self, frozen: dict[bytes, Any]) -> Iterator[tuple[bytes, bytes | None]]:
        """Backend keys with their records, or None for a removal, in order."""
        for place, name in sorted((place_of(name), name) for name in frozen):
            key = element_key(self.number, place, name)
            value = frozen[name]
            yield key, None if value is None else encode_tagged(key, self._encode(value))

    def committed(self) -> None:
        """The frozen elements are on disk."""
        self.on_disk = True
        for part in self._frozen:
            part.frozen = {}
        self._frozen = []

    def rolled_back(self) -> None:
        """The frozen elements are not on disk: they are dirty again, unless they have changed since."""
        for part in self._frozen:
            if not part.dirty:
                self._changed.append(part)
            part.dirty = part.frozen | part.dirty
            part.frozen = {}
        self._frozen = []


def _by_place(found: tuple[int, bytes, Any]) -> tuple[int, bytes]:
    return found[0], found[1]
