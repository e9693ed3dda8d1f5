"""The libraries of functions, kept like keys: changed by effects, replayed, written by checkpoints.

What a library contains is nobody's business here: a name and a source, which is the whole of it.  They are
few and small beside the data, so all of them are in memory, and belong to no database: FLUSHALL leaves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durable_redis.config.words import UnbalancedQuotes, split_words, to_bytes, to_text
from storage.backends.base import Reader, WriteBatch
from storage.errors import DamagedError
from storage.records import DAMAGE_HINT, decode_element, encode_element, library_key, library_range

if TYPE_CHECKING:
    from collections.abc import Sequence

_RECORDS_PER_SCAN: Final = 256


class Libraries:
    """Sources by name.  ``version`` changes whenever they do."""

    def __init__(self, reader: Reader) -> None:
        self.sources: dict[bytes, bytes] = {}
        self.version = 0
        self._changed: set[bytes] = set()
        self._frozen: set[bytes] = set()
        first, end = library_range()
        while found := reader.scan(first, end, limit=_RECORDS_PER_SCAN):
            for key, record in found:
                self.sources[key[1:]] = decode_element(key, record)
            first = found[-1][0] + b"\0"

    def apply(self, effect: Sequence[bytes]) -> None:
        """``FUNCTION LOAD REPLACE source``, ``FUNCTION DELETE name`` or ``FUNCTION FLUSH``."""
        match effect[1]:
            case b"LOAD":
                name = name_of(effect[3])
                self.sources[name] = effect[3]
                self._changed.add(name)
            case b"DELETE":
                self.sources.pop(effect[2], None)
                self._changed.add(effect[2])
            case b"FLUSH":
                self._changed.update(self.sources)
                self.sources.clear()
        self.version += 1

    def freeze(self, batch: WriteBatch) -> None:
        """A checkpoint begins: write what has changed since the last one."""
        self._frozen, self._changed = self._changed, set()
        for name in self._frozen:
            key = library_key(name)
            source = self.sources.get(name)
            if source is None:
                batch.delete(key)
            else:
                batch.put(key, encode_element(key, source))

    def committed(self) -> None:
        """The backend has what was frozen."""
        self._frozen = set()

    def rolled_back(self) -> None:
        """The backend does not have it."""
        self._changed |= self._frozen
        self._frozen = set()


def name_of(source: bytes) -> bytes:
    """The name in a library's first line, which was checked before the library came into the log."""
    try:
        words = split_words(to_text(source.partition(b"\n")[0]))
    except UnbalancedQuotes as error:
        raise DamagedError("the first line of a library cannot be read", DAMAGE_HINT) from error
    for word in words[1:]:
        if word.lower().startswith("name="):
            return to_bytes(word[5:])
    raise DamagedError("a library has no name", DAMAGE_HINT)
