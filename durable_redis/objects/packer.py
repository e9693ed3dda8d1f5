"""The one msgpack packer of the process.

``msgpack.packb`` makes a packer each time, with a buffer of 256 KiB, which ``mallopt`` (``heap.py``) has the
system map and unmap anew: 6.7 µs for a node of 24 scores and members instead of 1.0.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

BUFFER_BYTES_KEPT: Final = 1 << 20


class SharedPacker:
    """Packs one thing after the other in the same buffer; not for threads."""

    __slots__ = ("_pack",)

    def __init__(self) -> None:
        self._pack = msgpack.Packer().pack

    def pack(self, thing: Any) -> bytes:
        """What ``msgpack.packb`` makes of it.  A buffer that grew beyond BUFFER_BYTES_KEPT is given up."""
        packed: bytes = self._pack(thing)
        if len(packed) > BUFFER_BYTES_KEPT:
            self._pack = msgpack.Packer().pack
        return packed


PACKER: Final = SharedPacker()
