"""What the operator must hear: errors of the storage engine, each with a hint."""

from __future__ import annotations


class StorageError(Exception):
    """Something is wrong with files, disks or their content; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class DamagedError(StorageError):
    """Bytes are not what was written: a checksum or the format is violated."""


class LockedError(StorageError):
    """Another process has it."""


class DiskFullError(StorageError):
    """There is no space (ENOSPC) or no quota (EDQUOT)."""


class FormatError(StorageError):
    """Another version's files, or somebody else's."""
