"""When keys expire: an index in the backend ordered by time, and a heap for what it does not know yet.

Every change of an expiry since the last checkpoint stands in ``heap``; the backend's index has the rest.
Both may hold times that no longer apply: a candidate is only a hint, the key itself decides.  So nothing is
searched and nothing is removed from the heap when an expiry changes, and a checkpoint empties it.
"""

from __future__ import annotations

from heapq import heappop, heappush

from storage.backends.base import Backend
from storage.records import expiry_range, parse_expiry_key

NEVER_MS = 1 << 62


class ExpiryIndex:
    """Candidates for expiry in order of time, from memory and from the backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.heap: list[tuple[int, int, bytes]] = []
        self.frozen: list[tuple[int, int, bytes]] = []
        self._scan_from = b"X"  # index entries before this one have been handed out since the last checkpoint
        self._backend_due_ms = 0  # no entry of the backend is due before this

    def add(self, expires_ms: int, space: int, key: bytes) -> None:
        """Note that a key expires at a time."""
        heappush(self.heap, (expires_ms, space, key))

    def due(self, now_ms: int, limit: int) -> list[tuple[int, int, bytes]]:
        """Up to ``limit`` candidates (expires_ms, space, key) whose time has come.

        Each is handed out once.
        """
        found: list[tuple[int, int, bytes]] = []
        for heap in (self.frozen, self.heap):
            while heap and heap[0][0] <= now_ms and len(found) < limit:
                found.append(heappop(heap))
        if len(found) < limit and self._backend_due_ms <= now_ms:
            found.extend(self._due_in_backend(now_ms, limit - len(found)))
        return found

    def _due_in_backend(self, now_ms: int, limit: int) -> list[tuple[int, int, bytes]]:
        _, stop = expiry_range(NEVER_MS)
        found: list[tuple[int, int, bytes]] = []
        for raw, _ in self.backend.scan(self._scan_from, stop, limit=limit + 1):
            expires_ms, space, _, key = parse_expiry_key(raw)
            if expires_ms > now_ms:
                self._backend_due_ms = expires_ms
                return found
            if len(found) == limit:
                return found
            found.append((expires_ms, space, key))
            self._scan_from = raw + b"\0"
        self._backend_due_ms = NEVER_MS
        return found

    def freeze(self) -> None:
        """A checkpoint begins: what it will write into the backend's index is set aside."""
        assert not self.frozen
        self.frozen, self.heap = self.heap, []

    def committed(self) -> None:
        """The checkpoint is in the backend."""
        self.frozen.clear()
        self._scan_from = b"X"
        self._backend_due_ms = 0

    def rolled_back(self) -> None:
        """The checkpoint failed: everything in it is new again."""
        for candidate in self.frozen:
            heappush(self.heap, candidate)
        self.frozen.clear()
