"""Lists: elements by position, quick at both ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from durable_redis.objects.collection import Collection, pack, unpack
from storage.records import TYPE_LIST


class List(Collection):
    """Elements.  Indexes run from 0 to len - 1; commands have dealt with negative ones."""

    __slots__ = ("elements",)

    kind = TYPE_LIST
    ELEMENT_OVERHEAD_BYTES = 50

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.elements: deque[bytes] = deque()

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.elements)

    def get(self, index: int) -> bytes:
        """The element at an index."""
        return self.elements[index]

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[bytes]:
        """The elements with start <= index < stop, the last one first if ``reverse``.

        0 <= start <= stop <= len.  The list must not be changed meanwhile.
        """
        elements = self.elements
        size = len(elements)
        if reverse:
            return islice(reversed(elements), size - stop, size - start)
        if start <= size // 2:
            return islice(elements, start, stop)
        return iter(list(islice(reversed(elements), size - stop, size - start))[::-1])

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "quicklist"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def push_left(self, values: Iterable[bytes]) -> None:
        """Put elements before the first one, one after the other: the last given becomes the first."""
        for value in values:
            self.elements.appendleft(value)
            self.payload_bytes += len(value)

    def push_right(self, values: Iterable[bytes]) -> None:
        """Put elements behind the last one."""
        for value in values:
            self.elements.append(value)
            self.payload_bytes += len(value)

    def pop_left(self) -> bytes:
        """Take the first element away."""
        value = self.elements.popleft()
        self.payload_bytes -= len(value)
        return value

    def pop_right(self) -> bytes:
        """Take the last element away."""
        value = self.elements.pop()
        self.payload_bytes -= len(value)
        return value

    def set(self, index: int, value: bytes) -> None:
        """Replace the element at an index."""
        self.payload_bytes += len(value) - len(self.elements[index])
        self.elements[index] = value

    def insert(self, index: int, value: bytes) -> None:
        """Put an element before the one at ``index``; ``len`` puts it behind the last one."""
        self.elements.insert(index, value)
        self.payload_bytes += len(value)

    def delete(self, index: int) -> None:
        """Take the element at an index away."""
        self.payload_bytes -= len(self.elements[index])
        del self.elements[index]

    def trim(self, start: int, stop: int) -> None:
        """Keep the elements with 0 <= start <= index < stop <= len only."""
        for _ in range(len(self.elements) - stop):
            self.pop_right()
        for _ in range(start):
            self.pop_left()

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        return pack(list(self.elements))

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        self.elements = deque(unpack(body))
        self.payload_bytes = sum(map(len, self.elements))
