"""Latency samples as text for people: the picture of LATENCY GRAPH and the words of LATENCY DOCTOR.

The picture has redis-server's form: a line of figures, then a column a sample, four lines high, from the
least to the greatest of them, and under each column how long ago it was.  The words are our own, since what
holds this server up, and what helps, is not what holds up Redis.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durable_redis.engine.latency import LatencyEvents, LatencyMonitor

WIDTH: Final = 80
HEIGHT: Final = 4
_TIPS: Final = "_o#"  # a column ends in one of them, so a line of the picture has three steps
_OFF: Final = (
    "No latencies are kept. CONFIG SET latency-monitor-threshold <milliseconds> has them kept from so many "
    "milliseconds on.\n"
)
_QUIET: Final = "No event has taken as long as latency-monitor-threshold.\n"
_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "command": "SLOWLOG GET names the slow commands. Commands over whole collections or all keys take "
        "longer the more there is: read in parts with SCAN, HSCAN, SSCAN and ZSCAN.",
        "fast-command": "Commands that should be quick were not: a key had to be read from the disk, or "
        "another process had the processor. INFO memory has cache_cold_reads.",
        "wal-sync": "The disk takes long to make the log durable, and writers wait for it. A quicker disk "
        "helps; appendfsync everysec does not wait, and may lose a second of writes.",
        "checkpoint": "Steps of the checkpoint are long: very large values are written in one piece.",
        "expire-cycle": "Many keys expire at once: spread their times.",
        "eviction-cycle": "Keys are evicted while clients wait: give more to maxmemory, or write less.",
        "loop": "A turn of the loop is all that was executed at once, and the sync of it: pipelines and long "
        "commands of one client are waited for by all.",
    }
)


def draw(kind: str, event: LatencyEvents, now_seconds: int) -> str:
    """The picture of an event's samples."""
    values = [milliseconds for _, milliseconds in event.samples]
    low, high = min(values), max(values)
    lines = [f"{kind} - high {high} ms, low {low} ms (all time high {event.worst_ms} ms)", "-" * WIDTH]
    columns = [
        _column(milliseconds - low, high - low) + " " + _ago(now_seconds - seconds)
        for seconds, milliseconds in event.samples
    ]
    for begin in range(0, len(columns), WIDTH):
        if begin:
            lines.append("")
        rows = zip_longest(*columns[begin : begin + WIDTH], fillvalue=" ")
        lines.extend(map("".join, rows))
    return "\n".join(lines) + "\n"


def _column(above: int, span: int) -> str:
    """A sample's characters from top to bottom; ``above`` is how far it is above the least one."""
    steps = HEIGHT * len(_TIPS)
    step = min(above * steps // (span or 1), steps - 1)
    full, tip = divmod(step, len(_TIPS))
    return " " * (HEIGHT - full - 1) + _TIPS[tip] + "|" * full


def _ago(seconds: int) -> str:
    for unit, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{seconds // unit}{letter}"
    return f"{max(seconds, 0)}s"


def explain(latency: LatencyMonitor) -> str:
    """What the samples say, and what may help."""
    if not latency.events:
        return _QUIET if latency.threshold_ms else _OFF
    lines = ["These events took long:", ""]
    for kind, event in latency.events.items():
        lines.append(_figures(kind, event))
    lines += ["", "What may help:", ""]
    lines += [f"- {kind}: {_ADVICE[kind]}" for kind in latency.events if kind in _ADVICE]
    lines.append("- LATENCY HISTORY and LATENCY GRAPH show when it was; INFO durability has the log's times.")
    return "\n".join(lines) + "\n"


def _figures(kind: str, event: LatencyEvents) -> str:
    values = [milliseconds for _, milliseconds in event.samples]
    mean = sum(values) / len(values)
    deviation = sum(abs(value - mean) for value in values) / len(values)
    span = event.samples[-1][0] - event.samples[0][0]
    seconds = f"{len(values)} seconds of {max(span, 1)}" if len(values) > 1 else "1 second"
    return (
        f"- {kind}: in {seconds}, {mean:.0f} ms on average (mean deviation {deviation:.0f} ms), "
        f"{event.worst_ms} ms at worst."
    )
