"""Up to where Redis keeps a collection in one flat block, and what OBJECT ENCODING says by that.

The options of ``redis.conf`` by the same names.  They decide names only: how a collection lies on disk is a
matter of ``storage/FORMAT.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class EncodingLimits:
    """Entries are counts, values are bytes of one element."""

    hash_entries: int = 512
    hash_value_bytes: int = 64
    set_entries: int = 512
    sorted_set_entries: int = 128
    sorted_set_value_bytes: int = 64
    stream_node_bytes: int = 4096
    stream_node_entries: int = 100


OPTIONS: Final = {
    "hash-max-listpack-entries": "hash_entries",
    "hash-max-listpack-value": "hash_value_bytes",
    "set-max-intset-entries": "set_entries",
    "zset-max-listpack-entries": "sorted_set_entries",
    "zset-max-listpack-value": "sorted_set_value_bytes",
    "stream-node-max-bytes": "stream_node_bytes",
    "stream-node-max-entries": "stream_node_entries",
}
"""The fields of :class:`EncodingLimits` by the options that they follow."""
