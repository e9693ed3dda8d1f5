"""The file operations that the log needs, as an object.

The log never calls ``os`` itself: it is given a :class:`Disk`, so that tests can give it one that forgets
what was not synced, tears writes, fails a sync, or is full.  Methods are thin on purpose; ``pwritev`` and
``fdatasync`` are called once per group commit.  Errors are the ``OSError`` of the operating system;
translation happens in the log.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

ZEROS = bytes(1 << 20)


class Disk(Protocol):
    """File operations by path and descriptor; offsets and sizes in bytes."""

    def open(self, path: str, *, create: bool = False) -> int:
        """Open for reading and writing; a new descriptor."""

    def close(self, fd: int) -> None:
        """Give a descriptor back."""

    def pwritev(self, fd: int, buffers: Sequence[bytes], offset: int) -> int:
        """Write at an offset; bytes written, which may be fewer."""

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        """Read up to ``length`` bytes at an offset."""

    def fdatasync(self, fd: int) -> None:
        """Make what was written to the file durable."""

    def fsync(self, fd: int) -> None:
        """Make the file and its metadata durable."""

    def drop_cache(self, fd: int) -> None:
        """Forget what is cached of the file and not waiting to be written: it is read from the disk next."""

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file, or extend it with zeros."""

    def size(self, path: str) -> int:
        """Size of a file."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    def listdir(self, path: str) -> list[str]:
        """Names in a directory."""

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents; it may exist."""

    def rename(self, source: str, target: str) -> None:
        """Put a file in another's place."""

    def unlink(self, path: str) -> None:
        """Remove a file."""

    def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable."""

    def free_bytes(self, path: str) -> int:
        """Bytes that may still be written on the file system of ``path``."""


class RealDisk:
    """The operating system's files."""

    pwritev = staticmethod(os.pwritev)
    pread = staticmethod(os.pread)
    fdatasync = staticmethod(os.fdatasync)
    fsync = staticmethod(os.fsync)
    truncate = staticmethod(os.ftruncate)
    close = staticmethod(os.close)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    exists = staticmethod(os.path.exists)
    size = staticmethod(os.path.getsize)
    listdir = staticmethod(os.listdir)

    def open(self, path: str, *, create: bool = False) -> int:
        """Open for reading and writing; the descriptor is not inherited."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o640)

    def drop_cache(self, fd: int) -> None:
        """Forget the file's clean pages."""
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def mkdir(self, path: str) -> None:
        """Make the directory and its parents; it may exist."""
        os.makedirs(path, mode=0o750, exist_ok=True)

    def sync_directory(self, path: str) -> None:
        """Make renames, creations and removals in ``path`` durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def free_bytes(self, path: str) -> int:
        """Bytes that this process may still write on the file system of ``path``."""
        facts = os.statvfs(path)
        return facts.f_bavail * facts.f_frsize


def read_file(disk: Disk, path: str) -> bytes:
    """The whole content of a file."""
    fd = disk.open(path)
    try:
        size = disk.size(path)
        pieces = []
        offset = 0
        while offset < size:
            piece = disk.pread(fd, min(size - offset, 1 << 26), offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)
    finally:
        disk.close(fd)


def write_fully(disk: Disk, fd: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` at ``offset``; a short write is continued, an error is raised."""
    view = data
    while view:
        written = disk.pwritev(fd, (view,), offset)
        offset += written
        view = view[written:]


def write_atomically(disk: Disk, directory: str, name: str, data: bytes) -> None:
    """Put a small file in place: write new, sync, rename, sync the directory.

    All or nothing after a crash.
    """
    temporary = f"{directory}/{name}.tmp"
    fd = disk.open(temporary, create=True)
    try:
        disk.truncate(fd, 0)
        write_fully(disk, fd, data, 0)
        disk.fsync(fd)
    finally:
        disk.close(fd)
    disk.rename(temporary, f"{directory}/{name}")
    disk.sync_directory(directory)
