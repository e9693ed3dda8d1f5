"""The write batch of the LMDB backend: begun and ended by the worker, filled by the main thread.

All changes are kept beside the transaction until the commit, because a map that turns out too small takes the
transaction with it: :meth:`LMDBBatch.commit` then repeats them in a larger one.
"""

from __future__ import annotations

import errno
import time
from typing import Protocol

import lmdb

from storage.backends.files import require_room
from storage.backends.lmdb_tree import Transaction, change_record, translated
from storage.errors import DiskFullError, StorageError

FREED_AT_ONCE = 1024  # about 50 µs
MARGIN_BYTES = 1 << 20  # inner pages and the list of free pages


class Owner(Protocol):
    """What a batch asks of its backend."""

    path: str
    open_batch: LMDBBatch | None
    writing: bool
    commit_failures: int
    reopen_wanted: bool

    def begin_write(self) -> Transaction:
        """LMDB's write transaction.  Raises ``lmdb.Error``."""

    def committed(self) -> None:
        """What was committed is what the next read sees."""

    def grow(self, staged_bytes: int) -> None:
        """Make room for a batch that did not fit.  Raises ``StorageError``."""


class LMDBBatch:
    """See :class:`storage.backends.base.WriteBatch`."""

    __slots__ = ("_backend", "_count", "_failure", "_full", "_kept", "_transaction", "staged_bytes")

    def __init__(self, backend: Owner, failure: StorageError | None) -> None:
        self._backend = backend
        self._failure: lmdb.Error | StorageError | None = failure  # raised by the next call that may
        self._full = False  # the map was too small: changes are only kept
        self._transaction: Transaction | None = None
        self._kept: list[bytes | None] = []  # key, value, key, value, …: no tuples, for the memory
        self._count = 0
        self.staged_bytes = 0

    def begin(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._transaction is None
        backend = self._backend
        try:
            if self._failure is not None:
                raise self._failure
            self._transaction = backend.begin_write()
            backend.writing = True
        except (lmdb.Error, StorageError) as error:
            backend.commit_failures += 1
            self._end()
            if isinstance(error, StorageError):
                raise
            backend.reopen_wanted = True
            raise translated(error, "cannot write to LMDB") from error

    def put(self, key: bytes, value: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert key
        self.staged_bytes += len(key) + len(value)
        self._change(key, value)

    def delete(self, key: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert key
        self.staged_bytes += len(key)
        self._change(key, None)

    def _change(self, key: bytes, value: bytes | None) -> None:
        assert self._transaction is not None
        self._kept.append(key)
        self._kept.append(value)
        self._count += 1
        if not self._full and self._failure is None:
            try:
                change_record(self._transaction, key, value)
            except lmdb.MapFullError:
                self._full = True
            except (lmdb.Error, StorageError) as error:  # the disk: large batches are written out in part
                self._failure = error

    def commit(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._transaction is not None
        backend = self._backend
        try:
            if self._failure is not None:
                raise self._failure
            if not self._full:
                try:
                    self._transaction.commit()
                except lmdb.MapFullError:  # LMDB's list of free pages did not fit
                    self._full = True
            if self._full:
                self._repeat()
            backend.committed()
        except lmdb.Error as error:
            backend.commit_failures += 1
            failure = translated(error, "LMDB cannot commit")
            if getattr(error, "code", 0) == errno.EIO:
                failure = self._why(failure)
            if not isinstance(failure, DiskFullError):
                # After a panic LMDB refuses everything until it has been opened again.
                backend.reopen_wanted = True
            raise failure from error
        except StorageError:
            backend.commit_failures += 1
            raise
        finally:
            self._end()

    def _why(self, failure: StorageError) -> StorageError:
        """LMDB calls a write that was cut short EIO, whatever the reason: see whether there is room."""
        try:
            require_room(self._backend.path, self.staged_bytes + MARGIN_BYTES)
        except StorageError as error:
            return error
        return failure

    def _repeat(self) -> None:
        """Make all changes again in a larger map, as often as it takes."""
        while self._full:
            assert self._transaction is not None
            self._transaction.abort()
            self._backend.grow(self.staged_bytes)
            self._transaction = self._backend.begin_write()
            try:
                kept = iter(self._kept)
                for key, value in zip(kept, kept, strict=True):
                    assert key is not None
                    change_record(self._transaction, key, value)
                self._transaction.commit()
                self._full = False
            except lmdb.MapFullError:
                pass

    def abort(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        self._end()

    def _end(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()  # does nothing after a commit
            self._transaction = None
            self._backend.writing = False
        # A long list takes its time to go, and this thread would hold the GIL all the while.
        while self._kept:
            del self._kept[-FREED_AT_ONCE:]
            time.sleep(0)
        if self._backend.open_batch is self:
            self._backend.open_batch = None

    def __len__(self) -> int:
        return self._count
