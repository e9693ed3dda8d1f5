"""Looking at what the server does: SLOWLOG, LATENCY, MONITOR and the times of INFO latencystats.

The engine times each command that comes through its gates.  :attr:`Inspection.notable_us` is the shortest
time that anybody wants to hear of, so a command in which nobody is interested costs one comparison.

The hot path times nothing but samples, and what it executes takes a few microseconds.  So it is in nobody's
way as long as only longer times are asked for; else :attr:`Inspection.closes_hot_path`, and every command
goes through the gates.  Histograms take the hot path's commands by weight: as many as were called, as long as
the latest samples.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from durable_redis.clock import Clock
from durable_redis.commands.context import Wait
from durable_redis.commands.redaction import shown_argv
from durable_redis.commands.session import Client
from durable_redis.commands.table import Command, Flag
from durable_redis.config.config import Config
from durable_redis.engine.fast import READS_OF_KEYS, FastCalls
from durable_redis.engine.latency import LatencyMonitor
from durable_redis.engine.monitors import HIDDEN, Monitors
from durable_redis.engine.slowlog import NO_ADDRESS, SlowLog
from durable_redis.engine.statistics import Statistics

HOT_PATH_US_MAX: Final = 100  # what a command of the hot path may be said never to take
SLOWER_THAN: Final = "slowlog-log-slower-than"
SLOW_LOG_LENGTH: Final = "slowlog-max-len"
LATENCY_THRESHOLD: Final = "latency-monitor-threshold"
LATENCY_TRACKING: Final = "latency-tracking"


class Inspection:
    """What is known of the commands of one server."""

    def __init__(self, clock: Clock, pushed: set[Client]) -> None:
        """``pushed`` takes the clients that were sent something unasked."""
        self.slow_log = SlowLog()
        self.latency = LatencyMonitor()
        self.monitors = Monitors(pushed)
        self.tracking = True  # whether calls are counted by how long they took
        self.notable_us = math.inf
        self.on_change: Callable[[], None] = _nothing
        self._slower_than_us = -1
        self._clock = clock
        self._untimed: dict[str, int] = {}  # calls of the hot path before the first sample of their command

    def follow(self, config: Config, statistics: Statistics) -> None:
        """Do what the options say, now and when they change."""

        def apply(*_: object) -> None:
            self._slower_than_us = config.get_int(SLOWER_THAN)
            self.slow_log.length_max = config.get_int(SLOW_LOG_LENGTH)
            self.slow_log.trim()
            self.latency.threshold_ms = config.get_int(LATENCY_THRESHOLD)
            statistics.turn_seconds_notable = 0.0  # the next turn works it out
            self.tracking = config.get_bool(LATENCY_TRACKING)
            self._changed()

        for name in (SLOWER_THAN, SLOW_LOG_LENGTH, LATENCY_THRESHOLD, LATENCY_TRACKING):
            config.on_change(name, apply)
        apply()

    def _changed(self) -> None:
        slow = self._slower_than_us if self._logs else math.inf
        late = self.latency.threshold_ms * 1000 or math.inf
        self.notable_us = -1 if self.monitors.clients else min(slow, late)
        self.on_change()

    @property
    def _logs(self) -> bool:
        return self._slower_than_us >= 0 and self.slow_log.length_max > 0

    @property
    def closes_hot_path(self) -> bool:
        """Whether commands of the hot path would have to be seen one by one."""
        return self.notable_us < HOT_PATH_US_MAX

    # -- commands --------------------------------------------------------------------------------------------

    def timed(
        self, client: Client, command: Command, argv: list[bytes], started: float, source: str = ""
    ) -> None:
        """A command that began at ``started`` (``time.perf_counter``) has been executed, or waits now.

        ``source`` is ``SCRIPT_SOURCE`` for what a script calls in the client's name.
        """
        usec = (time.perf_counter() - started) * 1e6
        command.usec += usec
        if client.wait is not None:
            client.wait.call = command, argv, usec
        elif self.tracking:
            command.latencies.add(usec)
        if usec >= self.notable_us:
            self.executed(client, command, argv, usec, source)

    def executed(
        self, client: Client, command: Command, argv: list[bytes], usec: float, source: str = ""
    ) -> None:
        """A command took at least ``notable_us``: show it, and keep it if it was slow."""
        if self.monitors.clients and not command.flags & HIDDEN:
            self.show(client, shown_argv(command.name, argv), source)
        self.note("fast-command" if command.flags & Flag.FAST else "command", usec / 1000)
        if client.wait is None:
            self._finished(client, command, argv, usec, source)

    def show(self, client: Client, argv: list[bytes], source: str = "") -> None:
        """Show the monitors a command, whatever its flags: a script before what it calls, a refused EXEC."""
        if self.monitors.clients:
            self.monitors.show(argv, client.db.index, source or client.source, self._clock.now_us())

    def _finished(
        self, client: Client, command: Command, argv: list[bytes], usec: float, source: str = ""
    ) -> None:
        """A command has come to its end, be it after waiting: keep it if it was slow."""
        if self._logs and usec >= self._slower_than_us and not command.flags & Flag.SKIP_SLOWLOG:
            words = shown_argv(command.name, argv)
            seconds = self._clock.now_ms() // 1000
            if source:
                self.slow_log.add(words, int(usec), seconds, NO_ADDRESS, b"")
            else:
                self.slow_log.add(words, int(usec), seconds, client.address, client.name)

    def served(self, client: Client, wait: Wait, usec: float) -> None:
        """A command that waited has got what it waited for, which took so long on top."""
        assert wait.call is not None
        command, argv, before = wait.call
        command.usec += usec
        if self.tracking:
            command.latencies.add(before + usec)
        self._finished(client, command, argv, before + usec)

    def count(self, taken: Iterable[FastCalls], commands: dict[str, Command], statistics: Statistics) -> None:
        """Add what the hot path has counted to the command table and to the statistics."""
        for name, calls, usec, samples in taken:
            command = commands[name]
            statistics.commands += calls
            command.calls += calls
            command.usec += usec
            self.sampled(command, calls, samples)
            if name in READS_OF_KEYS:
                statistics.keyspace_reads += calls

    def sampled(self, command: Command, calls: int, samples: Sequence[float]) -> None:
        """The hot path has executed a command so often, and the latest samples say how long it took."""
        if not self.tracking:
            return
        if samples:
            command.latencies.add_sampled(calls + self._untimed.pop(command.name, 0), samples)
        else:
            self._untimed[command.name] = self._untimed.get(command.name, 0) + calls

    def forget_untimed(self) -> None:
        """CONFIG RESETSTAT: calls that no sample speaks for yet are not to be counted any more."""
        self._untimed.clear()

    # -- everything else -------------------------------------------------------------------------------------

    def note(self, kind: str, milliseconds: float) -> None:
        """Something took that long: see ``latency.py`` for the kinds."""
        if self.latency.threshold_ms:
            self.latency.note(kind, milliseconds, self._clock.now_ms() // 1000)

    def turned(self, seconds: float, statistics: Statistics) -> None:
        """A turn of the loop took longer than ``statistics.turn_seconds_notable``."""
        worst = statistics.turn_pause_seconds_max = max(statistics.turn_pause_seconds_max, seconds)
        self.note("loop", seconds * 1000)
        threshold_ms = self.latency.threshold_ms
        statistics.turn_seconds_notable = min(worst, threshold_ms / 1000) if threshold_ms else worst

    def watch(self, client: Client) -> None:
        """MONITOR: the client sees every command from the next one on."""
        self.monitors.add(client)
        self._changed()

    def leave(self, client: Client) -> None:
        """The client leaves, or begins anew."""
        if client.is_monitor:
            self.monitors.remove(client)
            self._changed()


def _nothing() -> None:
    """Nobody wants to know."""
