"""The picture of LATENCY GRAPH and the words of LATENCY DOCTOR."""

from __future__ import annotations

from durable_redis.commands.latency_report import WIDTH, draw, explain
from durable_redis.engine.latency import SAMPLES_MAX, LatencyEvents, LatencyMonitor

# Drawn by redis-server of the samples below.
PICTURE = """\
command - high 30 ms, low 5 ms (all time high 30 ms)
--------------------------------------------------------------------------------
..#..
..|o.
._||.
_|||o
.....
54321
sssss
""".replace(".", " ")


def events(*samples: tuple[int, int]) -> LatencyEvents:
    found = LatencyEvents()
    for seconds, milliseconds in samples:
        found.add(seconds, milliseconds)
    return found


def test_the_picture_is_redis_servers() -> None:
    found = events((100, 5), (101, 12), (102, 30), (103, 20), (104, 9))
    assert draw("command", found, 105) == PICTURE


def test_labels_count_in_larger_units() -> None:
    found = events((0, 5), (86_400, 6), (172_000, 7), (172_700, 8), (172_790, 9))
    rows = draw("command", found, 172_800).splitlines()[7:]
    assert ["".join(column).strip() for column in zip(*(row.ljust(5) for row in rows), strict=True)] == [
        "2d",
        "1d",
        "13m",
        "1m",
        "10s",
    ]


def test_more_samples_than_the_width_holds_are_drawn_below_each_other() -> None:
    found = events(*((second, second % 7) for second in range(WIDTH + 3)))
    rows = draw("command", found, WIDTH + 3).splitlines()
    assert "" in rows
    assert all(len(row) <= WIDTH for row in rows)
    assert {len(row) for row in rows[rows.index("") + 1 :]} == {3}


def test_of_a_second_the_worst_is_kept_and_old_samples_go() -> None:
    found = events((1, 5), (1, 9), (1, 7), (2, 3))
    assert list(found.samples) == [(1, 9), (2, 3)]
    for second in range(3, SAMPLES_MAX + 10):
        found.add(second, 1)
    assert len(found.samples) == SAMPLES_MAX
    assert found.worst_ms == 9


def test_what_the_doctor_says() -> None:
    latency = LatencyMonitor()
    assert "latency-monitor-threshold" in explain(latency)
    latency.threshold_ms = 10
    assert explain(latency) != explain(LatencyMonitor())
    latency.note("wal-sync", 9.9, 100)
    assert not latency.events
    latency.note("wal-sync", 20.7, 100)
    latency.note("wal-sync", 40.0, 110)
    text = explain(latency)
    assert "- wal-sync: in 2 seconds of 10, 30 ms on average (mean deviation 10 ms), 40 ms at worst." in text
    assert "appendfsync everysec" in text
    assert "checkpoint" not in text
