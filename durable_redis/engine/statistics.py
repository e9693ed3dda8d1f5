"""Counters that INFO shows.  Plain attributes: whoever has the fact adds to it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

RATE_SAMPLES = 16


@dataclass(slots=True)
class Statistics:
    """What has happened since the start or CONFIG RESETSTAT; rates are over the last 16 samples of 100 ms."""

    connections: int = 0
    commands: int = 0
    keyspace_reads: int = 0
    rejected_connections: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    protocol_errors: int = 0
    error_replies: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    turns: int = 0
    turn_pause_seconds_max: float = 0.0
    turn_seconds_notable: float = 0.0  # who hears of turns of the loop wants to hear of longer ones only
    checkpoints: int = 0
    checkpoint_failures: int = 0
    checkpoint_keys: int = 0
    checkpoint_ms: float = 0.0
    sync_ms: float = 0.0
    output_limit_disconnections: int = 0
    evicted_clients: int = 0
    query_limit_disconnections: int = 0
    timeouts: int = 0
    reads: int = 0
    writes: int = 0
    expire_seconds: float = 0.0
    expire_cuts: int = 0  # slices that ended while more keys were due
    exceeded_since: float | None = None  # monotonic; None while the data fits ``maxmemory``
    exceeded_seconds: float = 0.0  # of the times that are over
    expired_keys_before: int = 0
    expired_fields_before: int = 0
    evicted_keys_before: int = 0
    freed_objects_before: int = 0
    _samples: deque[tuple[float, int, int, int]] = field(default_factory=lambda: deque(maxlen=RATE_SAMPLES))

    def sample(self, monotonic: float) -> None:
        """Note the counters now, for the rates."""
        self._samples.append((monotonic, self.commands, self.input_bytes, self.output_bytes))

    def rates(self) -> tuple[float, float, float]:
        """Commands, input bytes and output bytes per second."""
        if len(self._samples) < 2:
            return 0.0, 0.0, 0.0
        first, last = self._samples[0], self._samples[-1]
        seconds = max(last[0] - first[0], 1e-3)
        return (last[1] - first[1]) / seconds, (last[2] - first[2]) / seconds, (last[3] - first[3]) / seconds

    def note_exceeded(self, exceeded: bool, monotonic: float) -> None:
        """Note whether the data is above ``maxmemory`` now."""
        if exceeded and self.exceeded_since is None:
            self.exceeded_since = monotonic
        elif not exceeded and self.exceeded_since is not None:
            self.exceeded_seconds += monotonic - self.exceeded_since
            self.exceeded_since = None

    def exceeded_ms(self, monotonic: float) -> tuple[int, int]:
        """How long the data has been above ``maxmemory``, and how long it was in all, in milliseconds."""
        current = 0.0 if self.exceeded_since is None else monotonic - self.exceeded_since
        return int(current * 1000), int((self.exceeded_seconds + current) * 1000)

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        fresh = Statistics()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
