"""The data directory: whose it is, what it holds, and that only one server uses it.

A directory without ``IDENTITY`` holds nothing and may be made into one; a directory with one is opened only
by the backend that wrote it, at the format that is written there.  Nothing is ever created beside foreign
files without saying so.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from storage.disk import Disk, read_file, write_atomically
from storage.errors import FormatError, LockedError, StorageError

FORMAT = 1
IDENTITY = "IDENTITY"
LOCK = "LOCK"
CREATING = "CREATING"  # is there from the beginning of the first start until IDENTITY is
PARTS = ("wal", "leveldb", "lmdb")


@dataclass(slots=True)
class Identity:
    """What ``IDENTITY`` says."""

    log_id: str
    backend: str
    created_ms: int
    format: int = FORMAT


class DirectoryLock:
    """Exclusive use of a data directory, by flock(2): it goes with the process, however that ends."""

    def __init__(self, path: str) -> None:
        """Take the lock.  Raises :class:`LockedError` if another process holds it."""
        try:
            os.makedirs(path, mode=0o750, exist_ok=True)
            self._fd = os.open(f"{path}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise StorageError(
                f"cannot use data directory {path}: {error.strerror}", "see option 'dir'"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise LockedError(
                f"data directory {path} is in use by another server", "see option 'dir'"
            ) from error

    def release(self) -> None:
        """Let others have the directory."""
        os.close(self._fd)


def open_directory(
    disk: Disk, path: str, backend: str, time_ms: int, foreign: Sequence[str] = ()
) -> tuple[Identity, bool]:
    """The identity of the directory and whether it was made just now.

    ``foreign`` names files of other servers: beside them no directory is made, lest somebody takes the empty
    server for the one that holds that data.  Raises :class:`FormatError` if there is one, if the directory is
    of another format, was made for another backend, or holds a log but no identity.
    """
    if disk.exists(f"{path}/{IDENTITY}"):
        identity = _read_identity(disk, path)
        if disk.exists(f"{path}/{CREATING}"):
            disk.unlink(f"{path}/{CREATING}")
        if identity.backend != backend:
            raise FormatError(
                f"data directory {path} was made with backend {identity.backend}, not {backend}",
                f"start with --backend {identity.backend}, or use another directory",
            )
        return identity, False
    present = set(disk.listdir(path))
    if CREATING in present:  # a first start that never came to its end: nobody was told of anything in it
        _clear(disk, path)
        present = set(disk.listdir(path))
    ours = sorted(present.intersection(PARTS))
    if any(disk.listdir(f"{path}/{name}") for name in ours):
        raise FormatError(
            f"data directory {path} holds {', '.join(ours)} but no {IDENTITY} file",
            "restore the file or use an empty directory; nothing has been changed",
        )
    theirs = [name for name in foreign if name in present]
    if theirs:
        raise FormatError(
            f"data directory {path} holds data of another server: {', '.join(theirs)}",
            "use another directory, see option 'dir'; those files have not been touched",
        )
    write_atomically(disk, path, CREATING, b"")
    return Identity(secrets.token_hex(20), backend, time_ms), True


def _clear(disk: Disk, path: str) -> None:
    """Remove what a first start has made so far."""
    present = disk.listdir(path)
    for part in PARTS:
        if part in present:
            for name in disk.listdir(f"{path}/{part}"):
                disk.unlink(f"{path}/{part}/{name}")


def write_identity(disk: Disk, path: str, identity: Identity) -> None:
    """Declare the directory complete; the last step of making one."""
    text = json.dumps(
        {
            "format": identity.format,
            "log_id": identity.log_id,
            "backend": identity.backend,
            "created_ms": identity.created_ms,
        },
        indent=1,
    )
    write_atomically(disk, path, IDENTITY, text.encode() + b"\n")
    disk.unlink(f"{path}/{CREATING}")


def _read_identity(disk: Disk, path: str) -> Identity:
    hint = "restore the file from a backup; nothing has been changed"
    try:
        found = json.loads(read_file(disk, f"{path}/{IDENTITY}"))
        identity = Identity(found["log_id"], found["backend"], found["created_ms"], found["format"])
        bytes.fromhex(identity.log_id)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}/{IDENTITY} is not readable: {error}", hint) from error
    if identity.format != FORMAT:
        raise FormatError(
            f"data directory {path} has format {identity.format}, this server knows {FORMAT}",
            "use the version that wrote it",
        )
    return identity
