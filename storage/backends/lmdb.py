"""The LMDB backend (py-lmdb): a copy-on-write B+tree in a memory map, good at reading.

* One read transaction is kept by the main thread and replaced when ``_version`` says that there is something
  newer.  It is never left standing over a later batch: a reader pins all pages that were freed since, and the
  file would grow.
* The write transaction is begun and ended by the worker, to which LMDB's mutex belongs; the main thread only
  puts into it.
* The map grows by itself.  It has ``map_bytes`` of free address space when a batch begins; address space
  costs nothing.  A batch that needs more still goes through: its changes are kept, so ``commit`` gives the
  transaction up, grows the map and repeats them, in the worker, slowly.  py-lmdb (2.3 or newer) ends read
  transactions when the map moves, so a read that was under way fails and is repeated under ``_lock``, except
  a snapshot's: while one is open the map stays, and a batch that does not fit fails and may be tried again
  later.
* Keys of any length: ``storage/backends/long_keys.py``.

LMDB has no checksums: what is damaged inside a page can look like a missing key.  Records carry their own.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import lmdb

from storage.backends.base import SCAN_BYTES_MAX, Record
from storage.backends.files import disk_bytes, os_failure, prepare_directory, sync_directory, sync_file
from storage.backends.lmdb_batch import LMDBBatch
from storage.backends.lmdb_tree import Transaction, get_record, scan_records, translated, used
from storage.backends.long_keys import PLAIN_BYTES_MAX
from storage.directory import DirectoryLock
from storage.errors import StorageError

MAP_BYTES_MAX = 1 << 46  # half of what an x86-64 process can address
MAP_STEP_BYTES = 1 << 20
COMPACT_NAME = "compact"

_Result = TypeVar("_Result")


class LMDBBackend:
    """See the module and :class:`storage.backends.base.Backend`."""

    name = "lmdb"

    def __init__(self, path: str, *, map_bytes: int) -> None:
        """Open or make the database in ``path``; ``map_bytes``: see :func:`storage.backends.open_backend`."""
        self.path = path
        self._headroom_bytes = map_bytes
        self.open_batch: LMDBBatch | None = None
        self.writing = False
        self.snapshots = 0
        self.commits = 0
        self.commit_failures = 0
        self.reopen_wanted = False
        self._remaps = 0
        self._compacting = False
        # Held while the map is replaced, and by the main thread while it begins a read transaction.
        self._lock = threading.Lock()
        self._version = 1  # grows after every commit and before every replacement of the map
        self._seen = 0  # the version of the main thread's read transaction
        self._transaction: Transaction | None = None
        self._find: Callable[[bytes], bytes | None]
        prepare_directory(path)
        self._directory_lock = DirectoryLock(path)
        try:
            self._open(map_bytes)
            self._renew()
            self.ensure_room()
        except lmdb.Error as error:
            self._directory_lock.release()
            raise translated(error, f"cannot open LMDB in {path}") from error
        except BaseException:
            self._directory_lock.release()
            raise

    def _open(self, map_bytes: int) -> None:
        """Open the environment, with a file that is as long as LMDB believes."""
        doing = f"cannot open LMDB in {self.path}"
        shutil.rmtree(f"{self.path}/{COMPACT_NAME}", ignore_errors=True)  # of an interrupted ``compact``
        try:
            # Without readahead: a random read of data larger than memory should not read its neighbours too.
            env = lmdb.open(self.path, map_size=map_bytes, mode=0o750, readahead=False, max_spare_txns=1)
        except lmdb.Error as error:
            raise translated(error, doing) from error
        except OSError as error:
            raise os_failure(error, doing) from error
        try:
            env.reader_check()  # slots of processes that were killed
            # A read beyond the end of the file would be SIGBUS; a page of zeros is an error that LMDB
            # reports.
            used_bytes = used(env)
            if os.path.getsize(f"{self.path}/data.mdb") < used_bytes:
                os.truncate(f"{self.path}/data.mdb", used_bytes)
            sync_directory(self.path)
        except lmdb.Error as error:
            env.close()
            raise translated(error, doing) from error
        except OSError as error:
            env.close()
            raise os_failure(error, doing) from error
        self._env = env
        self._map_bytes = int(env.info()["map_size"])

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        if len(key) > PLAIN_BYTES_MAX:
            return self._read(lambda transaction: get_record(transaction, key))
        try:
            if self._seen != self._version:
                self._renew()
            return self._find(key)
        except lmdb.Error:
            self._drop_reader()
            return self._read(lambda transaction: get_record(transaction, key))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`storage.backends.base.Backend`."""
        return self._read(lambda transaction: [get_record(transaction, key) for key in keys])

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
        if limit <= 0 or start >= stop:
            return []
        return self._read(
            lambda transaction: scan_records(transaction, start, stop, limit, bytes_max, reverse)
        )

    def _read(self, work: Callable[[Transaction], _Result]) -> _Result:
        """Do something with the read transaction; again if the map was replaced meanwhile."""
        while True:
            version = self._version
            try:
                if self._seen != version:
                    self._renew()
                assert self._transaction is not None
                return work(self._transaction)
            except lmdb.Error as error:
                self._drop_reader()
                with self._lock:  # a replacement that is under way ends first
                    replaced = self._version != version
                if not replaced:
                    raise translated(error, "cannot read from LMDB") from error

    def _renew(self) -> None:
        """Begin the read transaction anew, at what is committed now."""
        self._drop_reader()
        with self._lock:
            version = self._version
            self._transaction = self._env.begin()
            self._find = self._transaction.get
            self._seen = version

    def _drop_reader(self) -> None:
        self._seen = 0
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None

    def snapshot(self) -> LMDBSnapshot:
        """See :class:`storage.backends.base.Backend`.  While it is open the map cannot grow."""
        try:
            with self._lock:
                taken = LMDBSnapshot(self, self._env.begin())
                self.snapshots += 1
        except lmdb.Error as error:
            raise translated(error, "cannot take a snapshot") from error
        return taken

    # -- writing ---------------------------------------------------------------------------------------------

    def batch(self) -> LMDBBatch:
        """See :class:`storage.backends.base.Backend`.  Grows the map if it has too little room."""
        assert self.open_batch is None, "one batch at a time"
        failure = None
        if self._seen != self._version:
            self._drop_reader()
        if not self.snapshots and not self._compacting:
            try:
                if self.reopen_wanted:
                    self.replace_map(self._map_bytes, reopen=True)
                self.ensure_room()
            except StorageError as error:
                failure = error
            except lmdb.Error as error:
                failure = translated(error, "cannot write to LMDB")
        self.open_batch = LMDBBatch(self, failure)
        return self.open_batch

    def begin_write(self) -> Transaction:
        """Worker: LMDB's write transaction.  Raises ``lmdb.Error``."""
        assert not self._compacting
        return self._env.begin(write=True)

    def committed(self) -> None:
        """Worker: what was committed is what the next read sees."""
        self._version += 1
        self.commits += 1

    def ensure_room(self) -> None:
        """Grow the map if less than ``map_bytes`` are free; by half of the data too, so that it is rare."""
        used_bytes = used(self._env)
        if self._map_bytes - used_bytes < self._headroom_bytes:
            self.replace_map(used_bytes + used_bytes // 2 + self._headroom_bytes)

    def grow(self, staged_bytes: int) -> None:
        """Worker: make room for a batch that did not fit; at least twice as much as before."""
        self.replace_map(2 * self._map_bytes + 2 * staged_bytes + self._headroom_bytes)

    def replace_map(self, map_bytes: int, *, reopen: bool = False) -> None:
        """Map the file with another size, or open it anew.  Raises :class:`StorageError`."""
        map_bytes = -(-map_bytes // MAP_STEP_BYTES) * MAP_STEP_BYTES
        with self._lock:
            if self.snapshots:
                raise StorageError(
                    "LMDB's map must be replaced, but a snapshot is open",
                    "it is tried again; end what reads the snapshot",
                )
            if map_bytes > MAP_BYTES_MAX:
                raise StorageError(
                    f"LMDB's map would exceed {MAP_BYTES_MAX} bytes", "use the leveldb backend"
                )
            self._version += 1
            if not reopen:
                try:
                    self._env.set_mapsize(map_bytes)
                except lmdb.Error as error:  # the environment is of no use any more
                    self._reopen(self._map_bytes)
                    raise translated(error, f"cannot map {map_bytes} bytes") from error
                self._map_bytes = map_bytes
                self._remaps += 1
            else:
                self._reopen(map_bytes)

    def _reopen(self, map_bytes: int) -> None:
        """Close and open; ``_lock`` is held.  If it fails, reads fail until a batch succeeds with it."""
        self._env.close()
        self.reopen_wanted = True
        self._open(map_bytes)
        self.reopen_wanted = False

    # -- the rest --------------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int | str]:
        """See :class:`storage.backends.base.Backend`.  ``used_bytes`` has the file's free pages in it."""
        found: dict[str, int | str] = {
            "disk_bytes": disk_bytes(self.path),
            "commits": self.commits,
            "commit_failures": self.commit_failures,
            "snapshots": self.snapshots,
            "remaps": self._remaps,
        }
        try:
            info, tree = self._env.info(), self._env.stat()
        except lmdb.Error:  # closed
            return found
        found["map_bytes"] = info["map_size"]
        found["used_bytes"] = (info["last_pgno"] + 1) * tree["psize"]
        found["tree_bytes"] = tree["psize"] * (
            tree["branch_pages"] + tree["leaf_pages"] + tree["overflow_pages"]
        )
        found["tree_depth"] = tree["depth"]
        found["readers"] = info["num_readers"]
        return found

    def compact(self) -> None:
        """See :class:`storage.backends.base.Backend`: copy the live pages, then exchange the files.

        Reads wait for the moment of the exchange only.  Raises :class:`StorageError` if a snapshot is open
        then.
        """
        assert not self.writing, "a batch has begun"
        copy = f"{self.path}/{COMPACT_NAME}"
        self._compacting = True
        try:
            shutil.rmtree(copy, ignore_errors=True)
            os.mkdir(copy, 0o750)
            self._env.copy(copy, compact=True)
            sync_file(f"{copy}/data.mdb")
            with self._lock:
                if self.snapshots:
                    raise StorageError("cannot compact LMDB while a snapshot is open", "try again later")
                self._version += 1
                self._env.close()
                try:
                    os.replace(f"{copy}/data.mdb", f"{self.path}/data.mdb")
                    sync_directory(self.path)
                finally:
                    self._reopen(self._map_bytes)
        except lmdb.Error as error:
            raise translated(error, "cannot compact LMDB") from error
        except OSError as error:
            raise os_failure(error, "cannot compact LMDB") from error
        finally:
            self._compacting = False
            shutil.rmtree(copy, ignore_errors=True)

    def close(self) -> None:
        """See :class:`storage.backends.base.Backend`."""
        assert self.open_batch is None, "a batch is under way"
        self._drop_reader()
        self._env.close()
        self._directory_lock.release()


class LMDBSnapshot:
    """See :class:`storage.backends.base.Snapshot`."""

    __slots__ = ("_backend", "_transaction")

    def __init__(self, backend: LMDBBackend, transaction: Transaction) -> None:
        self._backend = backend
        self._transaction: Transaction | None = transaction

    def get(self, key: bytes) -> bytes | None:
        """See :class:`storage.backends.base.Reader`."""
        assert self._transaction is not None
        try:
            return get_record(self._transaction, key)
        except lmdb.Error as error:
            raise translated(error, "cannot read from LMDB") from error

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
        assert self._transaction is not None
        if limit <= 0 or start >= stop:
            return []
        try:
            return scan_records(self._transaction, start, stop, limit, bytes_max, reverse)
        except lmdb.Error as error:
            raise translated(error, "cannot read from LMDB") from error

    def close(self) -> None:
        """See :class:`storage.backends.base.Snapshot`."""
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None
            self._backend.snapshots -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
