"""What a backend is: an ordered map of bytes on disk that changes one atomic batch at a time.

The backend holds the last checkpoint; the log holds what came after.  So a backend is written rarely and in
large batches, and every commit is durable when it returns.  The rules that all backends keep, and that one
contract suite checks:

* Keys have 1 byte or more, keys and values up to 512 MiB each; order is byte order.
* Reads happen on one thread, the *main* thread.  They see the last committed state, also while a batch is
  staged or committed.
* There is at most one batch.  ``begin``, ``commit`` and ``abort`` are called in one dedicated *worker*
  thread, always the same one; ``put`` and ``delete`` on the main thread.
* A commit that fails leaves nothing that a later batch must repair, but whether its records are in is not
  known until the next commit has succeeded (a failed sync may or may not have reached the disk).  The caller
  tries again with all of it.
* Errors are :class:`storage.errors.StorageError` and its kinds.  Damage is reported, never guessed over.

Left out on purpose: checksums of records (``storage/records.py``) and any knowledge of what the records mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

Record = tuple[bytes, bytes]

SCAN_BYTES_MAX = 1 << 20


class Reader(Protocol):
    """Reads of one committed state."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""

    def scan(
        self,
        start: bytes,
        stop: bytes,
        *,
        limit: int,
        bytes_max: int = SCAN_BYTES_MAX,
        reverse: bool = False,
    ) -> list[Record]:
        """Records with ``start <= key < stop`` in order of key, descending if ``reverse``.

        Ends after ``limit`` records, or with the record that brings keys and values to more than
        ``bytes_max`` bytes; the first record is returned whatever its size.  Fewer records than that mean the
        end of the range.
        """


class Snapshot(Reader, Protocol):
    """A state that stays as it is while batches are committed.  Close it soon: it holds disk space."""

    def close(self) -> None:
        """Let the backend reuse the space.  May be repeated."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class WriteBatch(Protocol):
    """Changes that happen together or not at all.  Later ones of the same key win."""

    staged_bytes: int
    """Keys and values that have been staged."""

    def begin(self) -> None:
        """Worker thread, before the first ``put``.  Raises ``StorageError``; the batch is over then."""

    def put(self, key: bytes, value: bytes) -> None:
        """Main thread: stage a record.  What goes wrong here is reported by ``commit``."""

    def delete(self, key: bytes) -> None:
        """Main thread: stage a removal; the key need not exist."""

    def commit(self) -> None:
        """Worker thread: make it all durable.  Raises ``StorageError``; the batch is over either way."""

    def abort(self) -> None:
        """Worker thread: drop what was staged.  May be repeated, and does nothing after ``commit``."""

    def __len__(self) -> int:
        """Changes that have been staged."""


class Backend(Reader, Protocol):
    """An open backend.  It has its directory to itself."""

    @property
    def name(self) -> str:
        """What the option and the directory call it."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, in the same order."""

    def batch(self) -> WriteBatch:
        """The one batch; the last one is over.  Main thread; what is wrong is reported by ``begin``."""

    def snapshot(self) -> Snapshot:
        """The state as it is now.  Main thread."""

    def statistics(self) -> dict[str, int | str]:
        """``disk_bytes``, ``commits``, ``commit_failures``, ``snapshots``, and the engine's own figures."""

    def compact(self) -> None:
        """Give unused space back to the file system.  Worker thread, while no batch has begun; takes long."""

    def close(self) -> None:
        """Close the files.  Main thread; no batch is under way.  May be repeated."""
