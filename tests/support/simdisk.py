"""A disk that knows what was synced, and can crash, tear, fail and be full.

Every call counts as one step.  At step ``crash_at`` the call raises :class:`Crash`, before or after it took
effect; then :meth:`SimDisk.after_crash` gives a disk as the next start might find it: what was synced is
there, and of what was not, an arbitrary part (each write whole, torn or missing; each change of a directory
in order up to some point).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field


class Crash(Exception):
    """The power went."""


@dataclass
class File:
    """Content as programs see it, as it surely is on disk, and the writes between the two."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: truncation


@dataclass
class SimDisk:
    """An in-memory :class:`storage.disk.Disk`."""

    seed: int = 0
    crash_at: int = -1
    fail_sync_at: int = -1
    keeps_failed_pages: bool = False  # as ext4 does: readable still, but never written
    capacity: int = 1 << 40
    files: dict[str, File] = field(default_factory=dict)
    durable_names: dict[str, File] = field(default_factory=dict)
    name_changes: list[tuple[str, str, File | None]] = field(default_factory=list)
    descriptors: dict[int, File] = field(default_factory=dict)
    steps: int = 0
    syncs: int = 0
    next_fd: int = 100

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.crash_at:
            raise Crash

    def _crash_soon(self) -> bool:
        """Half of the crashes come after the call took effect."""
        return self.steps + 1 == self.crash_at and self.crash_at % 2 == 0

    # -- Disk ------------------------------------------------------------------------------------------------

    def open(self, path: str, *, create: bool = False) -> int:
        self._step()
        if path not in self.files:
            if not create:
                raise FileNotFoundError(2, "No such file", path)
            self._name(path, File())
        self.next_fd += 1
        self.descriptors[self.next_fd] = self.files[path]
        return self.next_fd

    def close(self, fd: int) -> None:
        del self.descriptors[fd]

    def pwritev(self, fd: int, buffers: Sequence[bytes], offset: int) -> int:
        data = b"".join(buffers)
        file = self.descriptors[fd]
        late = self._crash_soon()
        if not late:
            self._step()
        grown = max(0, offset + len(data) - len(file.data))
        if sum(len(f.data) for f in self.files.values()) + grown > self.capacity:
            raise OSError(28, "No space left on device")
        if len(file.data) < offset:
            file.data.extend(bytes(offset - len(file.data)))
        file.data[offset : offset + len(data)] = data
        file.unsynced.append((offset, data))
        if late:
            self._step()
        return len(data)

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return bytes(self.descriptors[fd].data[offset : offset + length])

    def fdatasync(self, fd: int) -> None:
        late = self._crash_soon()
        if not late:
            self._step()
        file = self.descriptors[fd]
        self.syncs += 1
        if self.syncs == self.fail_sync_at:
            file.durable = self._partly(file)
            if not self.keeps_failed_pages:
                file.data = bytearray(file.durable)  # the kernel dropped what it could not write
            file.unsynced.clear()  # in any case it does not try again
            raise OSError(5, "Input/output error")
        file.durable = self._partly(file, written=True)
        file.unsynced.clear()
        if late:
            self._step()

    fsync = fdatasync

    def drop_cache(self, fd: int) -> None:
        file = self.descriptors[fd]
        file.data = bytearray(self._partly(file, written=True))

    def truncate(self, fd: int, length: int) -> None:
        self._step()
        file = self.descriptors[fd]
        del file.data[length:]
        file.data.extend(bytes(length - len(file.data)))
        file.unsynced.append((length, None))

    def size(self, path: str) -> int:
        return len(self.files[path].data)

    def exists(self, path: str) -> bool:
        return path in self.files

    def listdir(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        return [
            name[len(prefix) :]
            for name in self.files
            if name.startswith(prefix) and "/" not in name[len(prefix) :]
        ]

    def mkdir(self, path: str) -> None:
        pass

    def rename(self, source: str, target: str) -> None:
        self._step()
        file = self.files.pop(source)
        self.name_changes.append((source, target, file))
        self.files[target] = file

    def unlink(self, path: str) -> None:
        self._step()
        del self.files[path]
        self.name_changes.append((path, "", None))

    def sync_directory(self, path: str) -> None:
        late = self._crash_soon()
        if not late:
            self._step()
        self.durable_names = dict(self.files)
        self.name_changes.clear()
        if late:
            self._step()

    def free_bytes(self, path: str) -> int:
        return self.capacity - sum(len(f.data) for f in self.files.values())

    def put(self, path: str, content: bytes | bytearray) -> None:
        """Let a file hold something else, on disk too: damage that no program did."""
        self.files[path] = self.durable_names[path] = File(bytearray(content), bytes(content))

    def _name(self, path: str, file: File) -> None:
        self.files[path] = file
        self.name_changes.append(("", path, file))

    # -- crash -----------------------------------------------------------------------------------------------

    def after_crash(self, seed: int) -> SimDisk:
        """The disk as the next start finds it."""
        rng = random.Random(seed)
        names = dict(self.durable_names)
        for source, target, file in self.name_changes[: rng.randint(0, len(self.name_changes))]:
            if source:
                names.pop(source, None)
            if target:
                assert file is not None
                names[target] = file
        survivor = SimDisk(seed)
        for path, file in names.items():
            content = self._partly(file, rng)
            survivor.files[path] = File(bytearray(content), content)
        survivor.durable_names = dict(survivor.files)
        return survivor

    def after_kill(self) -> SimDisk:
        """The same disk as the next process finds it: nothing that was written is gone."""
        self.descriptors.clear()
        self.crash_at = self.fail_sync_at = -1
        return self

    def _partly(self, file: File, rng: random.Random | None = None, *, written: bool = False) -> bytes:
        """What is on disk when some of what is not synced is there too; all of it if it was ``written``."""
        rng = rng or random.Random(self.seed)
        data = bytearray(file.durable)
        mode = "all" if written else rng.choice(("none", "all", "prefix", "some"))
        kept = rng.randint(0, len(file.unsynced))
        for number, (offset, piece) in enumerate(file.unsynced):
            if (
                mode == "none"
                or (mode == "prefix" and number >= kept)
                or (mode == "some" and rng.random() < 0.5)
            ):
                continue
            if piece is None:
                del data[offset:]
                data.extend(bytes(offset - len(data)))
                continue
            if mode != "all" and rng.random() < 0.3:
                piece = piece[: rng.randint(0, len(piece))]
            if len(data) < offset:
                data.extend(bytes(offset - len(data)))
            data[offset : offset + len(piece)] = piece
        return bytes(data)
