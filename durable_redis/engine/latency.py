"""Events that held the loop up, for LATENCY: what happened, when, and for how many milliseconds.

Of each kind of event the latest SAMPLES_MAX seconds with one are kept, the worst of each second.  Whoever
takes time calls :meth:`LatencyMonitor.note`; below ``latency-monitor-threshold`` nothing is kept, and with a
threshold of 0 nothing at all.

The kinds of Redis that exist here have Redis's names: ``command`` and ``fast-command`` (by the flag in the
command table), ``expire-cycle``, ``eviction-cycle``.  Our own are ``wal-sync`` (the log was made durable, in
the loop or beside it), ``loop`` (a whole turn: what a client may have had to wait for), and the steps of
background work between two batches under the task's name: ``checkpoint``, ``sweep``, ``bury``, ``spare``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

SAMPLES_MAX: Final = 160


@dataclass(slots=True)
class LatencyEvents:
    """The events of one kind; samples are pairs of seconds since 1970 and milliseconds, the oldest first."""

    samples: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))
    worst_ms: int = 0

    def add(self, time_seconds: int, milliseconds: int) -> None:
        """Keep a sample; of one second only the worst."""
        self.worst_ms = max(self.worst_ms, milliseconds)
        if self.samples and self.samples[-1][0] == time_seconds:
            milliseconds = max(milliseconds, self.samples.pop()[1])
        self.samples.append((time_seconds, milliseconds))


class LatencyMonitor:
    """The events of one server by kind."""

    def __init__(self) -> None:
        self.threshold_ms = 0  # 0 is off
        self.events: dict[str, LatencyEvents] = {}

    def note(self, kind: str, milliseconds: float, time_seconds: int) -> None:
        """Something took that long."""
        whole = int(milliseconds)
        if self.threshold_ms and whole >= self.threshold_ms:
            self.events.setdefault(kind, LatencyEvents()).add(time_seconds, whole)

    def reset(self, kinds: list[str]) -> int:
        """Forget events of these kinds, or all; how many kinds that were."""
        known = [kind for kind in kinds or list(self.events) if self.events.pop(kind, None) is not None]
        return len(known)
