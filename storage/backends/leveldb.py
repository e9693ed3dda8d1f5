"""The LevelDB backend (plyvel): a log-structured merge tree, good at writing much.

* Every block is checksummed, and here every read verifies: ``paranoid_checks`` for what is read at open and
  by compaction (a damaged bloom filter would otherwise deny keys that exist), ``verify_checksums`` for what a
  read loads.
* A failed write leaves LevelDB's own log in an unknown state, and LevelDB then refuses writes or, worse,
  appends behind the torn record.  So after any failure the database is closed and opened again before the
  next batch, when there is room for that; reads go on meanwhile.  ``RepairDB`` is never called: it drops what
  it cannot read and says nothing.
* A batch torn by a power cut is cut off LevelDB's log; LevelDB would not open: ``leveldb_log.py``.

A batch is staged in LevelDB's own ``WriteBatch``, whose ``write`` releases the GIL for its whole duration.
It is staged in chunks that the worker joins: a batch in one piece moves all it has whenever it outgrows its
memory, and that stopped the main thread for 19 ms at 64 MB and 74 ms at 256 MB.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import plyvel

from storage.backends.base import SCAN_BYTES_MAX, Record
from storage.backends.files import disk_bytes, os_failure, prepare_directory, require_room, sync_directory
from storage.backends.leveldb_log import cut_torn_tail
from storage.backends.leveldb_tables import (
    DAMAGE_HINT,
    ENGINE_ERRORS,
    compact_everything,
    scan_iterator,
    translated,
)
from storage.errors import DamagedError, StorageError

# The memtable.  LevelDB's log is as long and is replayed by the next start: 32 MiB take about 0.2 s, and a
# table of that size at level 0 keeps the number of level-0 files, and with it the cost of a read, low between
# compactions.
WRITE_BUFFER_BYTES = 32 << 20
BLOOM_FILTER_BITS = 10  # a bit over 1 % of misses read a block in vain
REOPEN_MARGIN_BYTES = 4 << 20  # manifest, index blocks, a new log

CHUNK_BYTES = 256 << 10  # copied in about 0.1 ms
RECORD_OVERHEAD_BYTES = 11  # of a batch: a tag and two lengths

# What only a database that was in use has; the first manifest alone is a crash while it was made.
_DATA_FILES = re.compile(r"\d+\.(ldb|sst|log)|MANIFEST-(?!0*1$)\d+")


class LevelDBBackend:
    """See the module and :class:`storage.backends.base.Backend`."""

    name = "leveldb"

    def __init__(self, path: str, *, cache_bytes: int) -> None:
        """Open or make the database in ``path``; ``cache_bytes`` bound its cache of uncompressed blocks."""
        self._path = path
        self._cache_bytes = cache_bytes
        self.open_batch: LevelDBBatch | None = None
        self.snapshots = 0
        self.commits = 0
        self.commit_failures = 0
        self.reopen_wanted = False
        self._reopens = 0
        self._compacting = False
        prepare_directory(path)
        self._refuse_headless()
        self._open()

    def _refuse_headless(self) -> None:
        """LevelDB makes a new database where CURRENT is missing, over whatever is there."""
        if not os.path.exists(f"{self._path}/CURRENT"):
            found = sorted(name for name in os.listdir(self._path) if _DATA_FILES.fullmatch(name))
            if found:
                raise DamagedError(f"{self._path} holds {found[0]} but no CURRENT file", DAMAGE_HINT)

    def _open(self) -> None:
        doing = f"cannot open LevelDB in {self._path}"
        try:
            try:
                self._db = self._engine()
            except plyvel.CorruptionError:
                if not cut_torn_tail(self._path):
                    raise
                self._db = self._engine()
            sync_directory(self._path)
        except ENGINE_ERRORS as error:
            raise translated(error, doing) from error
        except OSError as error:
            raise os_failure(error, doing) from error
        self._get: Callable[[bytes], bytes | None] = partial(self._db.get, verify_checksums=True)

    def _engine(self) -> Any:
        return plyvel.DB(
            self._path,
            create_if_missing=True,
            paranoid_checks=True,
            write_buffer_size=WRITE_BUFFER_BYTES,
            lru_cache_size=self._cache_bytes,
            bloom_filter_bits=BLOOM_FILTER_BITS,
            compression="snappy",
        )

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        try:
            return self._get(key)
        except ENGINE_ERRORS as error:
            raise translated(error, "cannot read from LevelDB") from error

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`storage.backends.base.Backend`."""
        try:
            return list(map(self._get, keys))
        except ENGINE_ERRORS as error:
            raise translated(error, "cannot read from LevelDB") from error

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
        return scan_iterator(self._db, start, stop, limit, bytes_max, reverse)

    def batch(self) -> LevelDBBatch:
        """See :class:`storage.backends.base.Backend`.  Reopens the database if the last commit failed."""
        assert self.open_batch is None, "one batch at a time"
        failure = None
        if self.reopen_wanted:
            try:
                self._reopen()
            except StorageError as error:
                failure = error
        self.open_batch = LevelDBBatch(self, self._db, failure)
        return self.open_batch

    def _reopen(self) -> None:
        """Close and open again; raises before closing if that cannot succeed for lack of space.

        Opening writes what LevelDB's log holds into a table.  It stops the main thread for as long as that
        takes, which is why it happens after a failure only.  Open snapshots end.
        """
        if self._compacting:
            raise StorageError("LevelDB must be reopened, but a compaction is running", "it is tried again")
        if not self._db.closed:
            log_bytes = sum(
                os.path.getsize(f"{self._path}/{name}")
                for name in os.listdir(self._path)
                if name.endswith(".log")
            )
            require_room(self._path, log_bytes + REOPEN_MARGIN_BYTES)
            self._db.close()
        self._refuse_headless()
        self._open()
        self.reopen_wanted = False
        self._reopens += 1

    def snapshot(self) -> LevelDBSnapshot:
        """See :class:`storage.backends.base.Backend`."""
        try:
            return LevelDBSnapshot(self, self._db.snapshot())
        except ENGINE_ERRORS as error:
            raise translated(error, "cannot take a snapshot") from error

    def statistics(self) -> dict[str, int | str]:
        """See :class:`storage.backends.base.Backend`.  ``files``: tables at level 0, 1, … ."""
        found: dict[str, int | str] = {
            "disk_bytes": disk_bytes(self._path),
            "commits": self.commits,
            "commit_failures": self.commit_failures,
            "snapshots": self.snapshots,
            "cache_limit_bytes": self._cache_bytes,
            "reopens": self._reopens,
        }
        if not self._db.closed:
            levels = [self._db.get_property(b"leveldb.num-files-at-level%d" % level) for level in range(7)]
            found["files"] = b",".join(levels).decode()
            found["memory_bytes"] = int(self._db.get_property(b"leveldb.approximate-memory-usage"))
        return found

    def compact(self) -> None:
        """See :class:`storage.backends.base.Backend`."""
        self._compacting = True
        try:
            compact_everything(self._db)
        except ENGINE_ERRORS as error:
            raise translated(error, "cannot compact LevelDB") from error
        finally:
            self._compacting = False

    def close(self) -> None:
        """See :class:`storage.backends.base.Backend`."""
        assert self.open_batch is None, "a batch is under way"
        self._db.close()


class LevelDBBatch:
    """See :class:`storage.backends.base.WriteBatch`."""

    __slots__ = (
        "_backend",
        "_chunk",
        "_chunk_end",
        "_chunks",
        "_count",
        "_database",
        "_failure",
        "staged_bytes",
    )

    def __init__(self, backend: LevelDBBackend, database: Any, failure: StorageError | None) -> None:
        self._backend = backend
        self._database = database
        self._failure = failure
        self._chunks: list[Any] = []
        self._chunk: Any = None  # the last one; None before begin and after the end
        self._chunk_end = 0  # of ``staged_bytes``
        self._count = 0
        self.staged_bytes = 0

    def begin(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._chunk is None
        if self._failure is not None:
            self._backend.commit_failures += 1
            self._end()
            raise self._failure
        self._next_chunk()

    def _next_chunk(self) -> None:
        self._chunk = self._database.write_batch()
        self._chunks.append(self._chunk)
        self._chunk_end = self.staged_bytes + CHUNK_BYTES

    def put(self, key: bytes, value: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert key
        self._chunk.put(key, value)
        self._count += 1
        self.staged_bytes += len(key) + len(value)
        if self.staged_bytes >= self._chunk_end:
            self._next_chunk()

    def delete(self, key: bytes) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert key
        self._chunk.delete(key)
        self._count += 1
        self.staged_bytes += len(key)
        if self.staged_bytes >= self._chunk_end:
            self._next_chunk()

    def commit(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        assert self._chunk is not None
        backend = self._backend
        try:
            whole = self._database.write_batch(sync=True)
            if len(self._chunks) > 1:
                # ``append`` holds the GIL, so it may copy a chunk but not move the whole.  Make room before,
                # with a value of that size: ``put`` releases the GIL, and ``clear`` keeps the room.
                whole.put(b"room", bytes(self.staged_bytes + RECORD_OVERHEAD_BYTES * self._count))
                whole.clear()
            self._chunks.reverse()
            while self._chunks:
                whole.append(self._chunks.pop())
            whole.write()
        except ENGINE_ERRORS as error:
            backend.commit_failures += 1
            backend.reopen_wanted = True
            raise translated(error, "LevelDB cannot commit") from error
        finally:
            self._end()
        backend.commits += 1

    def abort(self) -> None:
        """See :class:`storage.backends.base.WriteBatch`."""
        self._end()

    def _end(self) -> None:
        self._chunk = None
        self._chunks = []
        if self._backend.open_batch is self:
            self._backend.open_batch = None

    def __len__(self) -> int:
        return self._count


class LevelDBSnapshot:
    """See :class:`storage.backends.base.Snapshot`.  It ends when the database is reopened after a failure."""

    __slots__ = ("_backend", "_closed", "_snapshot")

    def __init__(self, backend: LevelDBBackend, snapshot: Any) -> None:
        self._backend = backend
        self._snapshot = snapshot
        self._closed = False
        backend.snapshots += 1

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        try:
            value: bytes | None = self._snapshot.get(key, verify_checksums=True)
        except ENGINE_ERRORS as error:
            raise translated(error, "cannot read from LevelDB") from error
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
        return scan_iterator(self._snapshot, start, stop, limit, bytes_max, reverse)

    def close(self) -> None:
        """See :class:`storage.backends.base.Snapshot`."""
        if not self._closed:
            self._closed = True
            self._snapshot.close()
            self._backend.snapshots -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
