"""Backends for tests: a maker that opens and reopens one place, and the worker thread that commits.

A maker stands for a directory: ``open`` opens what is there.  The suites take a maker, so that they run over
every backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from storage.backends import open_backend
from storage.backends.base import Backend, WriteBatch
from storage.backends.memory import MemoryBackend, MemoryStore

Result = TypeVar("Result")
SMALL_MAP_BYTES = 1 << 20
CACHE_BYTES = 8 << 20


class Worker:
    """The one thread in which batches begin and end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1)

    def run(self, job: Callable[[], Result]) -> Result:
        """Do it in the worker and wait; its exception is raised here."""
        return self._pool.submit(job).result()

    def begin(self, backend: Backend) -> WriteBatch:
        """A batch that has begun."""
        batch = backend.batch()
        self.run(batch.begin)
        return batch

    def write(self, backend: Backend, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Commit records in one batch; None deletes."""
        batch = self.begin(backend)
        for key, value in records:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self.run(batch.commit)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()


class Maker:
    """Opens a backend of one kind in one place, any number of times."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self._store = MemoryStore()
        self._open: list[Backend] = []

    def open(self, *, map_bytes: int = SMALL_MAP_BYTES) -> Backend:
        """The backend with whatever was committed before."""
        backend: Backend
        if self.name == "memory":
            backend = MemoryBackend(self._store)
        else:
            backend = open_backend(self.name, str(self.path), cache_bytes=CACHE_BYTES, map_bytes=map_bytes)
        self._open.append(backend)
        return backend

    @property
    def data_files(self) -> list[Path]:
        """Files whose bytes are data, the largest first."""
        suffixes = (".ldb", ".mdb", ".log")
        found = [path for path in self.path.iterdir() if path.suffix in suffixes and path.name != "lock.mdb"]
        return sorted(found, key=lambda path: -path.stat().st_size)

    def close(self) -> None:
        """Close all that are open."""
        for backend in self._open:
            backend.close()
        self._open.clear()
