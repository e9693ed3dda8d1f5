"""Up to where a collection is small: for Redis, which names its encodings by that, and for us.

The options of ``redis.conf`` decide what OBJECT ENCODING says.  Whether a collection is one record or many
(``storage/FORMAT.md``) is decided by the two options of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class EncodingLimits:
    """Entries are counts, values are bytes of one element; ``compact_bytes`` are those of all elements."""

    compact_entries: int = 512
    compact_bytes: int = 16 << 10
    hash_entries: int = 512
    hash_value_bytes: int = 64
    set_entries: int = 512
    sorted_set_entries: int = 128
    sorted_set_value_bytes: int = 64
    stream_node_bytes: int = 4096
    stream_node_entries: int = 100


OPTIONS: Final = {
    "collection-compact-entries": "compact_entries",
    "collection-compact-bytes": "compact_bytes",
    "hash-max-listpack-entries": "hash_entries",
    "hash-max-listpack-value": "hash_value_bytes",
    "set-max-intset-entries": "set_entries",
    "zset-max-listpack-entries": "sorted_set_entries",
    "zset-max-listpack-value": "sorted_set_value_bytes",
    "stream-node-max-bytes": "stream_node_bytes",
    "stream-node-max-entries": "stream_node_entries",
}
"""The fields of :class:`EncodingLimits` by the options that they follow."""


def configured_limits(get_int: Callable[[str], int]) -> EncodingLimits:
    """The limits that a configuration asks for; ``get_int`` gives the value of an option."""
    return EncodingLimits(**{field: get_int(name) for name, field in OPTIONS.items()})
