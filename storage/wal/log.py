"""The write-ahead log: group commit of effects, and when they are durable.

Whoever executes commands appends payload to :attr:`Log.pending` (the hot path appends to that list directly,
30 ns); :meth:`Log.write` puts all of it into the file as one frame; :meth:`Log.sync`, or a job from
:meth:`Log.sync_job` run in a worker, makes it durable.  ``position`` ≥ ``written`` ≥ ``durable``, all in
payload bytes.

Failure is sticky: after a failed write or sync the log refuses everything until it has been reopened, since
the kernel may have dropped the pages that it could not write.  The salt of each segment is random, so
recycled bytes never read as frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from storage.disk import Disk, write_fully
from storage.errors import DiskFullError, StorageError
from storage.wal import segments
from storage.wal.frame import (
    FRAME_HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    SEGMENT_HEADER_BYTES,
    Counts,
    encode_frame_header,
)
from storage.wal.segments import Segment, Spare

SELECT_PAYLOADS: list[bytes] = [
    b"*2\r\n$6\r\nSELECT\r\n$%d\r\n%d\r\n" % (len(str(n)), n) for n in range(16384)
]
FIRST_SEGMENT_BYTES = 4 << 20  # made while the start waits; the worker makes the next one of full size
FAILURE_HINT = "restart the server: it recovers everything that was acknowledged; check the disk first"


class Log:
    """An open log that is appended to; ``recovery.open_log`` makes one."""

    def __init__(
        self,
        disk: Disk,
        directory: str,
        log_id: bytes,
        position: int,
        db: int,
        segment_bytes: int,
        time_ms: int,
    ) -> None:
        self.disk = disk
        self.directory = directory
        self.log_id = log_id
        self.segment_bytes = segment_bytes
        self.pending: list[bytes] = []
        self.db = db  # the database that the payload so far has selected
        self._frame_db = db  # ... and that was selected when the pending payload began
        self.mixed = False  # the pending payload concerns more than one database
        self.counts: Callable[[int], Counts] | None = None  # of a database, now; set by the owner
        self.written = position
        self.durable = position
        self.failure: StorageError | None = None
        self.frames = 0
        self.syncs = 0
        self.frame_bytes = 0
        self._spare: Spare | None = None
        self._spares_made = 0
        self._sync_jobs = 0  # made and not finished
        self._unsynced: list[int] = []  # descriptors of earlier segments that still need a sync
        self._old: list[Segment] = []
        self._vouched = 0  # how far a frame of this segment or a later one says the log is durable
        for left_over in segments.list_spares(disk, directory):
            disk.unlink(left_over)
        first = segments.prepare_spare(disk, directory, 0, min(segment_bytes, FIRST_SEGMENT_BYTES))
        self._segment = segments.activate(disk, directory, first, log_id, position, time_ms)
        self._offset = SEGMENT_HEADER_BYTES
        self.vouch(time_ms)
        disk.fdatasync(self._segment.fd)

    # -- appending -------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Position behind everything appended, written or not."""
        return self.written + sum(map(len, self.pending))

    def append(self, db: int, payload: bytes) -> None:
        """Append effects of database ``db``; nothing reaches the file before :meth:`write`."""
        if db != self.db:
            if self.pending:
                self.mixed = True
            else:
                self._frame_db = (
                    db  # the SELECT stands in the payload all the same, for those who read only that
                )
            self.pending.append(SELECT_PAYLOADS[db])
            self.db = db
        self.pending.append(payload)

    def write(self, time_ms: int) -> None:
        """Write what is pending as one frame.  Raises :class:`StorageError` and is failed from then on."""
        pending = self.pending
        if not pending:
            return
        payload = pending[0] if len(pending) == 1 else b"".join(pending)
        pending.clear()
        counts = self.counts(self._frame_db) if self.counts is not None and not self.mixed else None
        self._write_frame(payload, time_ms, counts)
        self.mixed = False

    def vouch(self, time_ms: int) -> None:
        """Write an empty frame that says how far the log is durable, if no frame says so yet.

        Done when idle and at a clean stop: without it a flipped bit in the very last frame looks like a torn
        tail.
        """
        if self._vouched < self.durable and not self.pending:
            self._write_frame(b"", time_ms, None)

    def _write_frame(self, payload: bytes, time_ms: int, counts: Counts | None) -> None:
        if self.failure is not None:
            raise self.failure
        length = len(payload)
        assert length <= PAYLOAD_BYTES_MAX
        needed = FRAME_HEADER_BYTES + length
        try:
            if self._offset + needed > self._segment.capacity:
                self._rotate(needed, time_ms)
            header = encode_frame_header(
                self._segment.salt, payload, self._frame_db, self.written, self.durable, time_ms, counts
            )
            done = self.disk.pwritev(self._segment.fd, (header, payload), self._offset)
            if done != needed:
                self._finish_short_write(header + payload, done)
        except OSError as error:
            raise self._fail("write", error) from error
        self._offset += needed
        self.written += length
        self._frame_db = self.db
        self._vouched = self.durable
        self.frames += 1
        self.frame_bytes += needed

    def _finish_short_write(self, data: bytes, done: int) -> None:
        write_fully(self.disk, self._segment.fd, data[done:], self._offset + done)

    def _rotate(self, needed: int, time_ms: int) -> None:
        """Go on in the prepared segment; it is the caller's frame that would not fit any more."""
        spare = self._spare
        self._spare = None
        if spare is None or spare.capacity < SEGMENT_HEADER_BYTES + needed:
            if spare is not None:
                self.disk.unlink(spare.path)
            capacity = max(self.segment_bytes, SEGMENT_HEADER_BYTES + needed)
            spare = segments.prepare_spare(self.disk, self.directory, self._next_number(), capacity)
        old = self._segment
        self._unsynced.append(old.fd)
        self._segment = segments.activate(
            self.disk, self.directory, spare, self.log_id, self.written, time_ms
        )
        self._offset = SEGMENT_HEADER_BYTES
        self._old.append(old)

    def _next_number(self) -> int:
        self._spares_made += 1
        return self._spares_made

    def _fail(self, what: str, error: OSError) -> StorageError:
        kind = DiskFullError if error.errno in (28, 122) else StorageError
        self.failure = kind(f"log {what} failed: {error.strerror or error}", FAILURE_HINT)
        return self.failure

    # -- durability ------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Make everything written durable, here and now.  Raises :class:`StorageError`; then it is final."""
        if self.durable < self.written:
            target = self.written
            self.finish_sync(target, self.sync_job()())

    def sync_job(self) -> Callable[[], OSError | None]:
        """A job for a worker that syncs what is written now; give its result to :meth:`finish_sync`.

        The job holds descriptors, not the log: it may run while frames are being written.
        """
        if self.failure is not None:
            raise self.failure
        self._sync_jobs += 1
        descriptors = (*self._unsynced, self._segment.fd)
        fdatasync = self.disk.fdatasync

        def job() -> OSError | None:
            try:
                for fd in descriptors:
                    fdatasync(fd)
            except OSError as error:
                return error
            return None

        return job

    def finish_sync(self, target: int, error: OSError | None) -> None:
        """Account for a finished job that was made when ``written`` was ``target``."""
        self._sync_jobs -= 1
        if error is not None:
            raise self._fail("sync", error)
        if self.failure is not None:
            raise self.failure
        self.syncs += 1
        self.durable = max(self.durable, target)
        current = self._segment.start
        if self._unsynced and target >= current and not self._sync_jobs:  # others hold the descriptors too
            self._close_unsynced()

    def _close_unsynced(self) -> None:
        for fd in self._unsynced:
            self.disk.close(fd)
        self._unsynced.clear()
        for old in self._old:
            old.fd = -1

    # -- room ------------------------------------------------------------------------------------------------

    @property
    def wants_spare(self) -> bool:
        """Whether a worker should run :meth:`spare_job` now."""
        return self._spare is None and self.failure is None

    def spare_job(self, recycled: str | None = None) -> Callable[[], Spare | OSError]:
        """A job for a worker that prepares the next segment; give its result to :meth:`finish_spare`."""
        number = self._next_number()

        def job() -> Spare | OSError:
            try:
                return segments.prepare_spare(self.disk, self.directory, number, self.segment_bytes, recycled)
            except OSError as error:
                return error

        return job

    def finish_spare(self, result: Spare | OSError) -> bool:
        """Take the prepared segment; False if the disk had no room for it."""
        if isinstance(result, OSError):
            return False
        if self._spare is not None:
            self.disk.unlink(result.path)
        else:
            self._spare = result
        return True

    @property
    def room(self) -> int:
        """Payload bytes that fit what is already on disk, whatever happens to the free space."""
        left = self._segment.capacity - self._offset
        spare = self._spare.capacity - SEGMENT_HEADER_BYTES if self._spare is not None else 0
        return max(left, spare, left + spare - FRAME_HEADER_BYTES) - FRAME_HEADER_BYTES

    def fits(self, payload_bytes: int) -> bool:
        """Whether one frame of ``payload_bytes`` fits what is already on disk."""
        needed = FRAME_HEADER_BYTES + payload_bytes
        if self._offset + needed <= self._segment.capacity:
            return True
        return self._spare is not None and self._spare.capacity >= SEGMENT_HEADER_BYTES + needed

    def reserve(self, payload_bytes: int) -> None:
        """Make sure that one frame of ``payload_bytes`` will fit, before anything depends on it.

        Raises :class:`DiskFullError` with nothing changed when the disk has no room.
        """
        if self.fits(payload_bytes):
            return
        needed = FRAME_HEADER_BYTES + payload_bytes
        capacity = max(
            min(self.segment_bytes, FIRST_SEGMENT_BYTES), SEGMENT_HEADER_BYTES + needed
        )  # a client waits
        try:
            made = segments.prepare_spare(self.disk, self.directory, self._next_number(), capacity)
        except OSError as error:
            raise DiskFullError(f"no room for {payload_bytes} bytes in the log: {error.strerror}") from error
        if self._spare is not None:
            self.disk.unlink(self._spare.path)
        self._spare = made

    def release(self, position: int, keep_bytes: int) -> str | None:
        """Remove segments that end at or before ``position`` and lie further back than ``keep_bytes``.

        Returns the path of one of them, not removed, for recycling; None if there is nothing to recycle.
        """
        found = segments.list_segments(self.disk, self.directory)
        recycled = None
        for (_, path), (end, _) in pairwise(found):
            if end > min(position, self.durable) or end > self.written - keep_bytes:
                break
            if recycled is None and self.disk.size(path) == self.segment_bytes:
                recycled = path
            else:
                self.disk.unlink(path)
        self._old = [old for old in self._old if old.fd >= 0]
        return recycled

    # -- the rest --------------------------------------------------------------------------------------------

    def close(self, time_ms: int) -> None:
        """Write, sync and vouch for everything, then close the files."""
        if self.failure is None:
            self.write(time_ms)
            self.sync()
            self.vouch(time_ms)
        for fd in (*self._unsynced, self._segment.fd):
            self.disk.close(fd)
        self._unsynced.clear()
        if self._spare is not None:
            self.disk.unlink(self._spare.path)
            self._spare = None

    def statistics(self) -> dict[str, int]:
        """Counters for INFO; bytes and counts since the log was opened."""
        return {
            "position": self.position,
            "written": self.written,
            "durable": self.durable,
            "frames": self.frames,
            "syncs": self.syncs,
            "frame_bytes": self.frame_bytes,
            "room": self.room,
            "segment_start": self._segment.start,
        }


def payload_of(effects: Sequence[Sequence[bytes]]) -> bytes:
    """Effects as log payload: RESP arrays of bulk strings."""
    pieces: list[bytes] = []
    for effect in effects:
        pieces.append(b"*%d\r\n" % len(effect))
        for word in effect:
            pieces.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(pieces)
