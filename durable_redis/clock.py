"""Clocks: what time it is, handed to whoever needs to know.

Nothing in the server asks the operating system for the time by itself; it is given a :class:`Clock`, so that
expiry, timeouts and intervals can be tested without waiting.  Wall time counts since 1970 and may jump when
the machine's clock is set; monotonic time only ever grows, has no meaning between processes, and is for
durations.

No sleeping here: waiting is the business of ``net/``.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two times a server needs."""

    def now_ms(self) -> int:
        """Wall clock: milliseconds since 1970-01-01 UTC."""

    def now_us(self) -> int:
        """Wall clock: microseconds since 1970-01-01 UTC, of the same clock as ``now_ms``."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, from an arbitrary start."""


class SystemClock:
    """The clocks of the operating system."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Wall clock in milliseconds."""
        return time.time_ns() // 1_000_000

    def now_us(self) -> int:
        """Wall clock in microseconds."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until a test moves it."""

    __slots__ = ("_monotonic_us", "_wall_us")

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._wall_us = now_ms * 1000
        self._monotonic_us = 0

    def now_ms(self) -> int:
        """Wall clock in milliseconds."""
        return self._wall_us // 1000

    def now_us(self) -> int:
        """Wall clock in microseconds."""
        return self._wall_us

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic_us / 1_000_000

    def advance_ms(self, duration_ms: float) -> None:
        """Let time pass on both clocks."""
        assert duration_ms >= 0, "time that passes does not go back; see set_wall_ms"
        passed_us = round(duration_ms * 1000)
        self._wall_us += passed_us
        self._monotonic_us += passed_us

    def set_wall_ms(self, now_ms: int) -> None:
        """Set the wall clock, forwards or backwards, as an operator or NTP does.

        Monotonic time is not touched.
        """
        self._wall_us = now_ms * 1000
