"""The backends: each is one file here and one line in ``BACKEND_NAMES`` and :func:`open_backend`.

An engine's package is imported when its backend is opened, so a server that uses one does not need the other.
"""

from __future__ import annotations

from storage.backends.base import Backend
from storage.errors import StorageError

BACKEND_NAMES = ("leveldb", "lmdb", "memory")
MAP_BYTES = 16 << 30  # address space, not memory and not disk: room for the largest batch that is sane


def open_backend(name: str, path: str, *, cache_bytes: int, map_bytes: int = MAP_BYTES) -> Backend:
    """Open the backend ``name`` in the directory ``path``, which is made if it does not exist.

    ``cache_bytes`` is the block cache of an engine that has one of its own; ``map_bytes`` the free address
    space that a memory-mapped engine has at the beginning of each batch.  Raises :class:`StorageError` and
    its kinds.
    """
    try:
        if name == "leveldb":
            from storage.backends.leveldb import LevelDBBackend

            return LevelDBBackend(path, cache_bytes=cache_bytes)
        if name == "lmdb":
            from storage.backends.lmdb import LMDBBackend

            return LMDBBackend(path, map_bytes=map_bytes)
        if name == "memory":
            from storage.backends.memory import MemoryBackend

            return MemoryBackend()
    except ImportError as error:
        raise StorageError(
            f"backend {name} needs a package that is not installed: {error.name}", f"pip install {error.name}"
        ) from error
    raise StorageError(f"there is no backend {name!r}", f"one of {', '.join(BACKEND_NAMES)}")
