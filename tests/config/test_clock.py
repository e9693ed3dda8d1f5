"""The clocks: the manual one moves only when told, the system's agree with each other."""

from __future__ import annotations

import pytest

from durable_redis.clock import Clock, ManualClock, SystemClock


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(1_000)
    assert (clock.now_ms(), clock.now_us(), clock.monotonic()) == (1_000, 1_000_000, 0.0)
    assert (clock.now_ms(), clock.monotonic()) == (1_000, 0.0)


def test_time_passes_on_both() -> None:
    clock = ManualClock(1_000)
    clock.advance_ms(250.5)
    assert (clock.now_ms(), clock.now_us(), clock.monotonic()) == (1_250, 1_250_500, 0.2505)


def test_setting_the_wall_clock_leaves_monotonic_time_alone() -> None:
    clock = ManualClock(5_000)
    clock.advance_ms(10)
    clock.set_wall_ms(1)
    assert (clock.now_ms(), clock.monotonic()) == (1, 0.01)


def test_time_does_not_pass_backwards() -> None:
    with pytest.raises(AssertionError):
        ManualClock().advance_ms(-1)


def test_the_system_clock_tells_one_time_in_two_units() -> None:
    clock: Clock = SystemClock()
    before, between, after = clock.now_ms(), clock.now_us() // 1000, clock.now_ms()
    assert before <= between <= after
    assert clock.monotonic() <= clock.monotonic()
