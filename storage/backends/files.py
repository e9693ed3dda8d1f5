"""What backends do with files beside their engines: lasting directories, sizes, room, and ``errno``.

An engine syncs its own files, but neither engine syncs the directory that it was put in.
"""

from __future__ import annotations

import errno
import os

from storage.errors import DiskFullError, StorageError

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_FULL_HINT = "free space on the file system (or raise the quota); writing resumes by itself"
PROBE_NAME = "probe.tmp"


def os_failure(error: OSError, doing: str) -> StorageError:
    """The storage error for an ``OSError`` that happened while ``doing`` something."""
    message = f"{doing}: {error.strerror or error}"
    if error.errno in DISK_FULL_ERRNOS:
        return DiskFullError(message, DISK_FULL_HINT)
    return StorageError(message, "see that the directory exists and is writable")


def prepare_directory(path: str) -> None:
    """Make a directory and its parents, durably; it may exist.  Raises :class:`StorageError`."""
    missing = []
    parent = os.path.abspath(path)
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        missing.append(parent)
        parent = os.path.dirname(parent)
    try:
        for directory in reversed(missing):
            os.mkdir(directory, 0o750)
            sync_directory(os.path.dirname(directory))
    except OSError as error:
        raise os_failure(error, f"cannot make directory {path}") from error


def sync_directory(path: str) -> None:
    """Make what was created, renamed or removed in ``path`` durable.  Raises ``OSError``."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: str) -> None:
    """Make the content of a file durable.  Raises ``OSError``."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def disk_bytes(path: str) -> int:
    """What the files of a directory occupy; holes do not count, files that vanish meanwhile neither."""
    total = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                try:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                except FileNotFoundError:
                    pass
    except FileNotFoundError:
        pass
    return total


def require_room(path: str, needed_bytes: int) -> None:
    """See that ``needed_bytes`` can be written in ``path``.

    It reserves them in a file and removes it, because free space by statvfs(2) says nothing of quotas.
    Raises :class:`DiskFullError`, or :class:`StorageError` if the directory cannot be written for another
    reason.
    """
    probe = f"{path}/{PROBE_NAME}"
    try:
        fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(fd, 0, needed_bytes)
        finally:
            os.close(fd)
            os.unlink(probe)
    except OSError as error:
        raise os_failure(error, f"no room for {needed_bytes} bytes in {path}") from error
