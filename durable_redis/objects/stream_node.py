"""Nodes of a stream: up to a hundred entries that lie next to each other, kept and removed as one.

Where one node ends and the next begins is seen by clients: ``MAXLEN ~`` removes whole nodes only, and XINFO
counts them.  So a node fills up exactly when Redis's would; for that it knows the size of the listpack that
Redis would have in its place.  A listpack keeps the place of an entry that was deleted until the last one is
gone, so a node counts those too.  The fields of the first entry are written once: entries that have the same
ones are smaller there, and share them here.

Sizes of listpack elements: https://github.com/antirez/listpack/blob/master/listpack.md
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Final

from durable_redis.objects.limits import EncodingLimits
from durable_redis.resp.numbers import parse_integer

Id = tuple[int, int]  # milliseconds and sequence number, 64 bits without sign each
Entry = tuple[Id, list[bytes]]  # an ID; field, value, field, value …

SEQ_MAX: Final = (1 << 64) - 1
ID_MIN: Final[Id] = (0, 0)
ID_MAX: Final[Id] = (SEQ_MAX, SEQ_MAX)
NODE_BYTES_MAX: Final = 1 << 30  # also if the option says more, or 0
_LISTPACK_BYTES: Final = 7  # of an empty one
_SMALL_INTEGER_BYTES: Final = 2  # of an element from 0 to 127
_DIGITS: Final = frozenset(b"-0123456789")
_INTEGER_DIGITS_MAX: Final = 20


def next_id(id: Id) -> Id | None:
    """The ID behind another; None behind the last one."""
    if id[1] < SEQ_MAX:
        return id[0], id[1] + 1
    return (id[0] + 1, 0) if id[0] < SEQ_MAX else None


def previous_id(id: Id) -> Id | None:
    """The ID in front of another; None in front of 0-0."""
    if id[1]:
        return id[0], id[1] - 1
    return (id[0] - 1, SEQ_MAX) if id[0] else None


class Node:
    """Some entries in order of their IDs.

    ``first`` and ``last`` are the IDs of the first and the last entry that ever were in it; ``deleted``
    counts those that are not any more.  There may be none left (a trim can do that).
    """

    __slots__ = ("body_bytes", "deleted", "entries", "fields", "first", "last")

    def __init__(self, first: Id, fields: list[bytes]) -> None:
        self.first = first
        self.last = first
        self.fields = fields
        self.entries: list[Entry] = []
        self.deleted = 0
        self.body_bytes = (  # of the listpack, but for the two counts at its beginning
            _LISTPACK_BYTES + integer_bytes(len(fields)) + sum(map(word_bytes, fields)) + _SMALL_INTEGER_BYTES
        )

    # -- reading ---------------------------------------------------------------------------------------------

    def is_full(self, words_bytes: int, limits: EncodingLimits) -> bool:
        """Whether an entry with so many bytes of fields and values has to go into a new node."""
        bytes_max = limits.stream_node_bytes
        if not 0 < bytes_max < NODE_BYTES_MAX:
            bytes_max = NODE_BYTES_MAX
        count = len(self.entries)
        size = self.body_bytes + integer_bytes(count) + integer_bytes(self.deleted)
        if size + words_bytes >= bytes_max:
            return True
        entries_max = limits.stream_node_entries
        return 0 < entries_max <= count + self.deleted

    def get(self, id: Id) -> list[bytes] | None:
        """The fields and values of an entry; None if there is none."""
        at = bisect_left(self.entries, (id,))
        if at < len(self.entries):
            found, words = self.entries[at]
            if found == id:
                return words
        return None

    def range(self, start: Id, end: Id, *, reverse: bool = False) -> Iterator[Entry]:
        """The entries from one ID to another, both included."""
        entries = self.entries
        low = bisect_left(entries, (start,)) if start > self.first else 0
        high = bisect_right(entries, end, key=_id_of) if end < self.last else len(entries)
        return iter(entries[low:high][::-1] if reverse else entries[low:high])

    def words_bytes(self) -> int:
        """The bytes of all fields and values."""
        return sum(words_bytes(words) for _, words in self.entries)

    def count_before(self, id: Id) -> int:
        """How many entries have smaller IDs."""
        return bisect_left(self.entries, (id,))

    # -- changing (for effects only) -------------------------------------------------------------------------

    def add(self, id: Id, words: list[bytes]) -> None:
        """Append an entry; its ID is greater than all before.  ``words`` is the node's from now on."""
        count = len(words) >> 1
        parts = count + 3
        size = _SMALL_INTEGER_BYTES + integer_bytes(_signed(id[0] - self.first[0]))
        size += integer_bytes(_signed(id[1] - self.first[1])) + sum(map(word_bytes, words[1::2]))
        fields = words[::2]
        if fields == self.fields:
            words[::2] = self.fields
        else:
            size += integer_bytes(count) + sum(map(word_bytes, fields))
            parts += count + 1
        self.body_bytes += size + integer_bytes(parts)
        self.entries.append((id, words))
        self.last = id

    def delete(self, id: Id) -> list[bytes] | None:
        """Remove an entry; its fields and values, or None if there is none."""
        at = bisect_left(self.entries, (id,))
        if at == len(self.entries) or self.entries[at][0] != id:
            return None
        self.deleted += 1
        return self.entries.pop(at)[1]

    def drop_first(self, count: int) -> int:
        """Remove the first entries, as many as ``count``; the bytes of what they held."""
        gone = sum(words_bytes(words) for _, words in self.entries[:count])
        del self.entries[:count]
        self.deleted += count
        return gone

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode(self) -> list[Any]:
        """The node as a part of a record (``storage/FORMAT.md``)."""
        first_ms, first_seq = self.first
        fields = self.fields
        packed: list[Any] = [first_ms, first_seq, *self.last, self.deleted, self.body_bytes, fields]
        for (ms, seq), words in self.entries:
            same = words[::2] == fields
            packed += (ms - first_ms, seq, same, words[1::2] if same else words)
        return packed

    @classmethod
    def decode(cls, packed: list[Any]) -> Node:
        """The node that :meth:`encode` has written."""
        node = cls.__new__(cls)
        first_ms, first_seq, last_ms, last_seq, node.deleted, node.body_bytes, fields = packed[:7]
        node.first, node.last, node.fields = (first_ms, first_seq), (last_ms, last_seq), fields
        node.entries = entries = []
        parts = iter(packed[7:])
        blank = [b""] * (2 * len(fields))
        blank[::2] = fields
        for ms, seq, same, words in zip(parts, parts, parts, parts, strict=True):
            if same:
                whole = blank.copy()
                whole[1::2] = words
                words = whole
            entries.append(((first_ms + ms, seq), words))
        return node


def _id_of(entry: Entry) -> Id:
    return entry[0]


def words_bytes(words: list[bytes]) -> int:
    """The bytes of fields and values."""
    return sum(map(len, words))


# -- the size of listpack elements ---------------------------------------------------------------------------


def integer_bytes(value: int) -> int:
    """Of an integer."""
    if 0 <= value <= 127:
        return 2
    if -(1 << 12) <= value < 1 << 12:
        return 3
    if -(1 << 15) <= value < 1 << 15:
        return 4
    if -(1 << 23) <= value < 1 << 23:
        return 5
    return 6 if -(1 << 31) <= value < 1 << 31 else 10


def word_bytes(word: bytes) -> int:
    """Of a string; one that looks like an integer is one."""
    size = len(word)
    if size <= _INTEGER_DIGITS_MAX and size and word[0] in _DIGITS:
        number = parse_integer(word)
        if number is not None:
            return integer_bytes(number)
    if size < 64:
        return size + 2
    size += 2 if size < 4096 else 5
    if size <= 127:
        return size + 1
    if size < 16383:
        return size + 2
    if size < 2097151:
        return size + 3
    return size + (4 if size < 268435455 else 5)


def _signed(difference: int) -> int:
    """A difference of 64-bit numbers without sign, as the listpack takes it."""
    return (difference + (1 << 63)) % (1 << 64) - (1 << 63)
