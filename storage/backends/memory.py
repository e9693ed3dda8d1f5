"""A backend in memory, for tests: it keeps every rule of the contract, and fails when it is told to.

What is committed lives in a :class:`MemoryStore` that outlives the backend, as files would: drop the backend
without closing it and open another over the same store, and that was a crash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from sortedcontainers import SortedDict

from storage.backends.base import SCAN_BYTES_MAX, Record
from storage.errors import LockedError, StorageError

Fault = Callable[[str], None]


def no_fault(step: str) -> None:
    """The default: nothing fails."""


class MemoryStore:
    """What is "on disk": committed records by key, and whether a backend has it open."""

    __slots__ = ("locked", "records")

    def __init__(self) -> None:
        self.records: Any = SortedDict()
        self.locked = False

    def crash(self) -> None:
        """The process that had it open is gone."""
        self.locked = False


class MemoryBackend:
    """See the module.

    ``fault`` is called with ``begin``, ``commit`` (nothing is committed yet) and ``committed`` (all is, but
    the caller has not been told), and raises a ``StorageError`` to make that step fail.
    """

    name = "memory"

    def __init__(self, store: MemoryStore | None = None, *, fault: Fault = no_fault) -> None:
        self._store = store or MemoryStore()
        if self._store.locked:
            raise LockedError("the store is in use", "close the other backend first")
        self._store.locked = True
        self._records = self._store.records
        self._lock = threading.Lock()  # a commit happens in the worker, and at once
        self.fault = fault
        self.open_batch: MemoryBatch | None = None
        self.snapshots = 0
        self.commits = 0
        self.commit_failures = 0

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        with self._lock:
            value: bytes | None = self._records.get(key)
        return value

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`storage.backends.base.Backend`."""
        with self._lock:
            return [self._records.get(key) for key in keys]

    def scan(
        self,
        start: bytes,
        stop: bytes,
        *,
        limit: int,
        bytes_max: int = SCAN_BYTES_MAX,
        reverse: bool = False,
    ) -> list[Record]:
        """See :class:`storage.backends.base.Reader`."""
        with self._lock:
            return scan_sorted(self._records, start, stop, limit, bytes_max, reverse)

    def batch(self) -> MemoryBatch:
        """See :class:`storage.backends.base.Backend`."""
        assert self.open_batch is None, "one batch at a time"
        self.open_batch = MemoryBatch(self)
        return self.open_batch

    def apply(self, staged: dict[bytes, bytes | None]) -> None:
        """Commit a batch; only :class:`MemoryBatch` calls this."""
        with self._lock:
            for key, value in staged.items():
                if value is None:
                    self._records.pop(key, None)
                else:
                    self._records[key] = value

    def snapshot(self) -> MemorySnapshot:
        """See :class:`storage.backends.base.Backend`."""
        self.snapshots += 1
        with self._lock:
            return MemorySnapshot(self, self._records.copy())

    def statistics(self) -> dict[str, int | str]:
        """See :class:`storage.backends.base.Backend`."""
        return {
            "disk_bytes": sum(len(key) + len(value) for key, value in self._records.items()),
            "commits": self.commits,
            "commit_failures": self.commit_failures,
            "snapshots": self.snapshots,
            "records": len(self._records),
        }

    def compact(self) -> None:
        """Nothing to give back."""

    def close(self) -> None:
        """See :class:`storage.backends.base.Backend`."""
        self._store.locked = False


class MemoryBatch:
    """See :class:`storage.backends.base.WriteBatch`."""

    __slots__ = ("_backend", "_begun", "_changes", "_staged", "staged_bytes")

    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend
        self._staged: dict[bytes, bytes | None] = {}
        self._changes = 0
        self._begun = False
        self.staged_bytes = 0

    def begin(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert not self._begun
        try:
            self._backend.fault("begin")
        except StorageError:
            self._backend.commit_failures += 1
            self._end()
            raise
        self._begun = True

    def put(self, key: bytes, value: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._begun
        assert key
        self._staged[key] = value
        self._changes += 1
        self.staged_bytes += len(key) + len(value)

    def delete(self, key: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._begun
        assert key
        self._staged[key] = None
        self._changes += 1
        self.staged_bytes += len(key)

    def commit(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._begun
        backend = self._backend
        try:
            backend.fault("commit")
            backend.apply(self._staged)
            backend.fault("committed")
        except StorageError:
            backend.commit_failures += 1
            raise
        finally:
            self._end()
        backend.commits += 1

    def abort(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        self._end()

    def _end(self) -> None:
        self._begun = False
        if self._backend.open_batch is self:
            self._backend.open_batch = None

    def __len__(self) -> int:
        return self._changes


class MemorySnapshot:
    """See :class:`storage.backends.base.Snapshot`."""

    __slots__ = ("_backend", "_records")

    def __init__(self, backend: MemoryBackend, records: Any) -> None:
        self._backend = backend
        self._records = records

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        value: bytes | None = self._records.get(key)
        return value

    def scan(
        self,
        start: bytes,
        stop: bytes,
        *,
        limit: int,
        bytes_max: int = SCAN_BYTES_MAX,
        reverse: bool = False,
    ) -> list[Record]:
        """See :class:`storage.backends.base.Reader`."""
        return scan_sorted(self._records, start, stop, limit, bytes_max, reverse)

    def close(self) -> None:
        """See :class:`storage.backends.base.Snapshot`."""
        if self._records is not None:
            self._records = None
            self._backend.snapshots -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def scan_sorted(
    records: Any, start: bytes, stop: bytes, limit: int, bytes_max: int, reverse: bool
) -> list[Record]:
    """``Reader.scan`` over a ``SortedDict``."""
    found: list[Record] = []
    size = 0
    if limit <= 0 or start >= stop:
        return found
    for key in records.irange(start, stop, inclusive=(True, False), reverse=reverse):
        value = records[key]
        found.append((key, value))
        size += len(key) + len(value)
        if len(found) >= limit or size > bytes_max:
            break
    return found
