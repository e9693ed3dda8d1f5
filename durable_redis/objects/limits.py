"""Up to where Redis keeps a collection in one flat block, and what OBJECT ENCODING says by that.

The options of ``redis.conf`` by the same names.  They decide names only: how a collection lies on disk is a
matter of ``storage/FORMAT.md``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EncodingLimits:
    """Entries are counts, values are bytes of one element."""

    hash_entries: int = 512  # hash-max-listpack-entries
    hash_value_bytes: int = 64  # hash-max-listpack-value
    set_entries: int = 512  # set-max-intset-entries
    sorted_set_entries: int = 128  # zset-max-listpack-entries
    sorted_set_value_bytes: int = 64  # zset-max-listpack-value
    stream_node_bytes: int = 4096  # stream-node-max-bytes
    stream_node_entries: int = 100  # stream-node-max-entries
