"""Opening a log after a stop of any kind: find its true end, tell a torn tail from damage, replay, go on.

The rule is in ``storage/FORMAT.md``: the first place that is not a frame ends the log, unless something
behind it, or the backend's checkpoint, says that the log was durable further than that.  Then it is damage,
and damage never yields a guess: nothing is changed and nothing is opened.  A torn tail is cut and synced
before anything is appended, and nothing is taken from the log that is not on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from storage.disk import Disk, read_file
from storage.errors import DamagedError
from storage.wal.frame import (
    SEGMENT_HEADER_BYTES,
    Frame,
    SegmentHeader,
    decode_segment_header,
    frames,
    vouched_behind,
)
from storage.wal.segments import list_segments

DAMAGE_HINT = "restore the log from a backup or a follower; nothing has been changed"


@dataclass(slots=True)
class LogEnd:
    """Where the log ends and what selecting state it ends in; ``cut_bytes`` of torn tail were found."""

    position: int
    db: int
    time_ms: int
    cut_bytes: int


class LogReader:
    """The frames of a closed log, in order, from a position on; :attr:`end` is known after the last one."""

    def __init__(self, disk: Disk, directory: str, log_id: bytes, start: int, db: int = 0) -> None:
        self.disk = disk
        self.directory = directory
        self.log_id = log_id
        self.start = start
        self.position = start
        self.db = db
        self.time_ms = 0
        self._torn: list[tuple[str, int]] = []  # what to cut: path and length, 0 = remove
        self.cut_bytes = 0

    def frames(self) -> Iterator[Frame]:
        """Each frame at or behind ``start``.

        Raises :class:`DamagedError` where acknowledged data is unreadable.
        """
        listed = list_segments(self.disk, self.directory)
        first = max((n for n, (begin, _) in enumerate(listed) if begin <= self.start), default=None)
        if first is None:
            if listed:
                raise DamagedError(
                    f"the log begins at {listed[0][0]}, but is needed from position {self.start}", DAMAGE_HINT
                )
            if self.start:
                raise DamagedError(f"the log is missing; it is needed from {self.start}", DAMAGE_HINT)
            return
        for number in range(first, len(listed)):
            begin, path = listed[number]
            stop = listed[number + 1][0] if number + 1 < len(listed) else None
            self._settle(path)
            raw = read_file(self.disk, path)
            header = self._header(raw, path, begin)
            position, offset = begin, SEGMENT_HEADER_BYTES
            if header is not None:
                for frame in frames(raw, header.salt, begin, stop):
                    position, offset = frame.end, frame.end_offset
                    if frame.position >= self.start:
                        self._took(frame)
                        yield frame
                    elif position > self.start:
                        raise DamagedError(f"checkpoint at {self.start} lies inside a frame", DAMAGE_HINT)
            if position == stop:
                continue
            self._check_tail(raw, header, offset, position, listed[number + 1 :])
            self._torn = [(path, offset if header is not None else 0)]
            self._torn += [(later, 0) for _, later in listed[number + 1 :]]
            if header is not None and raw[offset:].strip(b"\0"):
                self.cut_bytes = len(raw) - offset
            break
        if self.position < self.start or (not self.time_ms and position < self.start):
            raise DamagedError(
                f"the log ends at {position}, before the checkpoint at {self.start}", DAMAGE_HINT
            )

    def _settle(self, path: str) -> None:
        """Let the file be on disk as it will be read.

        After a kill its end may be in the page cache only: what is built on it must not be lost without it.
        After a failed sync pages may be cached that the kernel has given up writing and calls clean: no later
        sync would write them, so they must not be believed.
        """
        fd = self.disk.open(path)
        try:
            self.disk.fsync(fd)
            self.disk.drop_cache(fd)
        finally:
            self.disk.close(fd)

    def _took(self, frame: Frame) -> None:
        self.position = frame.end
        self.time_ms = frame.time_ms

    def _header(self, raw: bytes, path: str, begin: int) -> SegmentHeader | None:
        header = decode_segment_header(raw, path)
        if header is not None and header.log_id != self.log_id:
            raise DamagedError(f"log segment {path} belongs to another log", DAMAGE_HINT)
        if header is not None and header.start != begin:
            raise DamagedError(
                f"log segment {path} begins at {header.start}, not as its name says", DAMAGE_HINT
            )
        return header

    def _check_tail(
        self,
        raw: bytes,
        header: SegmentHeader | None,
        offset: int,
        position: int,
        later: list[tuple[int, str]],
    ) -> None:
        """Raise unless everything from ``position`` on was never known to be durable."""
        vouched = vouched_behind(raw, header.salt, offset, position) if header is not None else 0
        for begin, path in later:
            content = read_file(self.disk, path)
            found = self._header(content, path, begin)
            if found is not None:
                vouched = max(vouched, vouched_behind(content, found.salt, SEGMENT_HEADER_BYTES, begin))
        vouched = max(vouched, self.start)
        if vouched > position:
            raise DamagedError(
                f"the log is unreadable at position {position}, but was durable up to {vouched}", DAMAGE_HINT
            )

    def cut_torn_tail(self) -> None:
        """Remove what lies behind the last good frame, durably.  Call after :meth:`frames` has ended."""
        for path, length in reversed(self._torn):
            if length:
                fd = self.disk.open(path)
                try:
                    self.disk.truncate(fd, length)
                    self.disk.fsync(fd)
                finally:
                    self.disk.close(fd)
            else:
                self.disk.unlink(path)
        if self._torn:
            self.disk.sync_directory(self.directory)
        self._torn.clear()
