"""The C library's heap: what is freed goes back to the system.

glibc serves blocks above a threshold by mmap(2), and gives them back when they are freed; but it raises the
threshold to the size of whatever it frees, up to 32 MiB.  From then on large values, log payloads and batches
leave holes in the heap: with ``maxmemory 50mb`` and values of 1 MB the process kept 370 MB, even after
FLUSHALL.  Setting the threshold once holds it: 160 MB at most, 97 MB afterwards.  Values below 512 bytes live
in Python's own arenas and are not concerned.

mallopt(3) and malloc_trim(3) are glibc's; with another C library nothing happens.
"""

from __future__ import annotations

import ctypes

MMAP_THRESHOLD_BYTES = 128 << 10  # glibc's own first value
TRIM_THRESHOLD_BYTES = 16 << 20  # free memory at the heap's end: fewer calls of brk(2)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def hold_thresholds() -> bool:
    """Keep glibc from moving its thresholds; False where there is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES) and mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)
    )


def give_back() -> bool:
    """Return whole free pages of the heap to the system; whether there were any.

    Other threads that allocate wait meanwhile: 5 ms where 550 MB were free.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return bool(malloc_trim(ctypes.c_size_t(0))) if malloc_trim is not None else False


class _Figures(ctypes.Structure):
    """``struct mallinfo2`` (https://man7.org/linux/man-pages/man3/mallinfo.3.html)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def figures() -> dict[str, int]:
    """What glibc says of its heap, in bytes and numbers of blocks; nothing before glibc 2.33 or without it.

    A walk over its free blocks: 1 ms where there are 10,000.
    """
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        return {}
    mallinfo.restype = _Figures
    found = mallinfo()
    return {
        "heap_bytes": found.arena,
        "heap_used_bytes": found.uordblks,
        "heap_free_bytes": found.fordblks,
        "heap_free_blocks": found.ordblks,
        "heap_releasable_bytes": found.keepcost,
        "mapped_bytes": found.hblkhd,
        "mapped_blocks": found.hblks,
    }
