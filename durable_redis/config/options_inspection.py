"""Options of what the server keeps about its own work: slow commands, latencies."""

from __future__ import annotations

from typing import Final

from durable_redis.config.kinds import LONG_MAX, Boolean, Integer
from durable_redis.config.option import Option, in_group
from durable_redis.config.special import Percentiles

PERCENTILES: Final = "latency-tracking-info-percentiles"

INSPECTION: Final = in_group(
    "inspection",
    Option(
        "slowlog-log-slower-than",
        Integer(-1, LONG_MAX),
        "10000",
        "Microseconds from which on SLOWLOG keeps a command; -1 for none, 0 for all. Below 100 every "
        "command has to be timed by itself, which costs throughput.",
    ),
    Option(
        "slowlog-max-len",
        Integer(0, LONG_MAX),
        "128",
        "How many commands SLOWLOG keeps; the oldest make room. Each takes some kilobytes at most.",
    ),
    Option(
        "latency-monitor-threshold",
        Integer(0, LONG_MAX),
        "0",
        "Milliseconds from which on LATENCY keeps an event that held up clients; 0 for none. Kinds of "
        "events: command, fast-command, expire-cycle, eviction-cycle, wal-sync, checkpoint, loop.",
    ),
    Option(
        "latency-tracking",
        Boolean(),
        "yes",
        "Keep how long the calls of each command took, for INFO latencystats and LATENCY HISTOGRAM.",
    ),
    Option(
        PERCENTILES,
        Percentiles(PERCENTILES),
        "50 99 99.9",
        "Percentiles that INFO latencystats shows of each command.",
    ),
)
