"""A backend in memory whose commits are steps of a :class:`SimDisk`: all of a batch survives, or nothing."""

from __future__ import annotations

from collections.abc import Sequence

from sortedcontainers import SortedDict

from tests.support.simdisk import SimDisk


class SimBackend:
    """What was committed is in ``committed``, which outlives the crash."""

    name = "simulated"

    def __init__(self, disk: SimDisk, committed: dict[bytes, bytes]) -> None:
        self.disk = disk
        self.committed = committed
        self.records: SortedDict = SortedDict(committed)

    def get(self, key: bytes) -> bytes | None:
        return self.records.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, *, limit: int, bytes_max: int = 1 << 20, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        found = []
        for key in self.records.irange(start, stop, (True, False), reverse):
            found.append((key, self.records[key]))
            if len(found) == limit:
                break
        return found

    def batch(self) -> SimBatch:
        return SimBatch(self)

    def close(self) -> None:
        pass


class SimBatch:
    """Staged changes; nothing is visible before the commit."""

    def __init__(self, backend: SimBackend) -> None:
        self.backend = backend
        self.staged: list[tuple[bytes, bytes | None]] = []
        self.begun = False

    def begin(self) -> None:
        self.begun = True

    def put(self, key: bytes, value: bytes) -> None:
        assert self.begun
        self.staged.append((key, value))

    def delete(self, key: bytes) -> None:
        assert self.begun
        self.staged.append((key, None))

    def commit(self) -> None:
        late = self.backend.disk._crash_soon()
        if not late:
            self.backend.disk._step()
        for target in (self.backend.committed, self.backend.records):
            for key, value in self.staged:
                if value is None:
                    target.pop(key, None)
                else:
                    target[key] = value
        if late:
            self.backend.disk._step()

    def abort(self) -> None:
        self.staged.clear()
