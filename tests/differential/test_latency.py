"""LATENCY and INFO latencystats against redis-server: form and counts, since durations are each server's own.

Events of our own (``loop`` comes with each slow command) are left out of the comparison.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from tests.support.client import Map
from tests.support.servers import OracleServer, ServerProcess, SubjectServer
from tests.support.watching import calls

pytestmark = pytest.mark.differential

OWN_EVENTS = (b"loop", b"wal-sync", b"checkpoint")
SLOW_MS = 20

CALLS = (
    "LATENCY LATEST",
    "LATENCY LATEST x",
    "LATENCY HISTORY",
    "LATENCY HISTORY command",
    "LATENCY GRAPH",
    "LATENCY GRAPH command",
    "LATENCY GRAPH nosuch",
    "LATENCY DOCTOR x",
    "LATENCY RESET",
    "LATENCY RESET nosuch command",
    "LATENCY HISTOGRAM nosuch",
    "LATENCY HISTOGRAM client|nosuch",
    "LATENCY HISTOGRAM nosuch|id",
    "LATENCY HELP x",
    "LATENCY NOSUCH",
    "CONFIG SET latency-monitor-threshold -1",
    "CONFIG SET latency-tracking x",
)


@pytest.mark.parametrize("protocol", [2, 3])
def test_calls(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    replies = [calls(server, protocol, ("LATENCY RESET",), CALLS) for server in (oracle, subject)]
    assert list(zip(CALLS, replies[1], strict=True)) == list(zip(CALLS, replies[0], strict=True))


def _foreign(events: list[Any]) -> list[Any]:
    return [event for event in events if event[0] not in OWN_EVENTS]


def test_a_slow_command_is_an_event(oracle: OracleServer, subject: SubjectServer) -> None:
    found: list[list[Any]] = []
    for server in (oracle, subject):
        with server.client() as client:
            client.call("LATENCY", "RESET")
            client.call("CONFIG", "SET", "latency-monitor-threshold", SLOW_MS)
            client.call("DEBUG", "SLEEP", str(SLOW_MS / 1000))
            ((event, seconds, latest, worst),) = _foreign(client.call("LATENCY", "LATEST"))
            assert latest == worst >= SLOW_MS
            assert client.call("LATENCY", "HISTORY", "command") == [[seconds, latest]]
            picture = client.call("LATENCY", "GRAPH", "command")
            assert b"all time high %d ms" % worst in picture
            shape = re.sub(rb"\d+", b"N", picture)
            assert b"command" in client.call("LATENCY", "DOCTOR")
            gone = client.call("LATENCY", "RESET", "command", "nosuch")
            found.append([event, shape, type(picture), gone, _foreign(client.call("LATENCY", "LATEST"))])
            client.call("LATENCY", "RESET")
    assert found[1] == found[0]


def test_nothing_is_kept_below_the_threshold(oracle: OracleServer, subject: SubjectServer) -> None:
    for server in (oracle, subject):
        with server.client() as client:
            client.call("LATENCY", "RESET")
            client.call("DEBUG", "SLEEP", "0.005")
            client.call("CONFIG", "SET", "latency-monitor-threshold", 60_000)
            client.call("DEBUG", "SLEEP", "0.005")
            assert client.call("LATENCY", "LATEST") == []


LIMITS = (
    0,
    1,
    2,
    4,
    8,
    16,
    33,
    66,
    132,
    264,
    528,
    1056,
    2113,
    4227,
    8454,
    16909,
    33818,
    67637,
    135274,
    270549,
)

SCENARIO = (
    "SET k 1",
    "GET k",
    "GET k",
    "INCR k",
    "LPUSH k x",
    "SET k",
    "NOSUCH",
    "MGET k k",
    "CLIENT ID",
    "CLIENT GETNAME",
    "MULTI",
    "INCR k",
    "INCR k",
    "MGET k",
    "EXEC",
    "BLPOP none 0.01",
    "CONFIG GET port",
    "CONFIG NOSUCH",
    "SELECT 99",
    "PING",
)


def _histograms(server: ServerProcess, protocol: int, *names: str) -> dict[bytes, int]:
    """Calls by command; what the distributions have in common is checked."""
    with server.client() as client:
        client.call("HELLO", protocol)
        # Each call of the hot path is timed by itself then, as all others are.
        client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
        client.call("CONFIG", "RESETSTAT")
        for line in SCENARIO:
            client.call(*line.split())
        reply = client.call("LATENCY", "HISTOGRAM", *names)
        assert isinstance(reply, Map) is (protocol == 3)
        found = {}
        for name, facts in _pairs(reply):
            facts = dict(_pairs(facts))
            spread = _pairs(facts[b"histogram_usec"])
            limits = [limit for limit, _ in spread]
            counts = [count for _, count in spread]
            assert set(limits) <= set(LIMITS), limits
            assert limits == sorted(limits)
            assert all(before < after for before, after in itertools.pairwise(counts))
            assert counts[-1] == facts[b"calls"]
            found[name] = facts[b"calls"]
        text = client.call("INFO", "latencystats")
        if not names:
            shown = set(
                re.findall(
                    rb"latency_percentiles_usec_(.*):p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}\r\n",
                    text,
                )
            )
            assert shown == found.keys() | {b"latency|histogram"}
        return found


def _pairs(reply: Any) -> list[tuple[Any, Any]]:
    if isinstance(reply, Map):
        return list(reply.as_dict().items())
    return list(zip(reply[::2], reply[1::2], strict=True))


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    "names", [(), ("get", "SET"), ("client",), ("client|id", "config", "nosuch", "blpop"), ("exec", "incr")]
)
def test_histograms_count_calls(
    names: tuple[str, ...], protocol: int, oracle: OracleServer, subject: SubjectServer
) -> None:
    expected = _histograms(oracle, protocol, *names)
    assert expected
    assert _histograms(subject, protocol, *names) == expected


@pytest.mark.parametrize("percentiles", ["", "0 100", "50", "99.95 12.345678 0.000001 7"])
def test_percentiles(percentiles: str, oracle: OracleServer, subject: SubjectServer) -> None:
    shapes = []
    for server in (oracle, subject):
        with server.client() as client:
            client.call("CONFIG", "SET", "latency-tracking-info-percentiles", percentiles)
            client.call("CONFIG", "RESETSTAT")
            client.call("MGET", "k")
            text = client.call("INFO", "latencystats")
            shapes.append(re.search(rb"_mget:(.*)\r", re.sub(rb"=\d+\.\d{3}", b"=N", text)))
    assert shapes[0] is not None
    assert shapes[1] is not None
    assert shapes[1].group(1) == shapes[0].group(1)


def test_tracking_is_switched(oracle: OracleServer, subject: SubjectServer) -> None:
    found = []
    for server in (oracle, subject):
        with server.client() as client:
            client.call("CONFIG", "RESETSTAT")
            client.call("MGET", "k")
            client.call("CONFIG", "SET", "latency-tracking", "no")
            client.call("MGET", "k")
            replies = [client.call("INFO", "latencystats"), client.call("LATENCY", "HISTOGRAM", "mget")[1][1]]
            client.call("CONFIG", "SET", "latency-tracking", "yes")
            client.call("MGET", "k")
            found.append([*replies, client.call("LATENCY", "HISTOGRAM", "mget")[1][1]])
    assert found[1] == found[0]


def test_the_hot_path_is_counted_by_sample(subject: SubjectServer) -> None:
    """All calls are in the histogram, some later than at once: the first ones have no sample yet."""
    with subject.client() as client:
        client.call("CONFIG", "RESETSTAT")
        for _ in range(100):
            client.pipeline([("SET", "k", "v")] * 10)
        calls = 0
        while calls < 1000:
            client.call("SET", "k", "v")
            reply = client.call("LATENCY", "HISTOGRAM", "set")
            calls = reply[1][1] if reply else 0
        text = client.call("INFO", "commandstats")
        assert b"cmdstat_set:calls=%d," % calls in text
