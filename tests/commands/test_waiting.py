"""WAIT and WAITAOF: whom they wait for, and the texts of their errors."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.commands import waiting
from durable_redis.commands.context import PENDING, Wait
from tests.support.fake_engine import NOW_MS
from tests.support.fake_server import FakeServer

NOT_AN_INTEGER = "-ERR value is not an integer or out of range"
BAD_TIMEOUT = "-ERR timeout is not an integer or out of range"


@pytest.fixture
def server() -> FakeServer:
    server = FakeServer([waiting])
    server.log.position = server.log.durable = 100
    return server


def wait(server: FakeServer, line: str) -> Wait:
    reply = server.say(line)
    assert isinstance(reply, Wait), reply
    return reply


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("WAIT x 0", NOT_AN_INTEGER),
        ("WAIT x y", NOT_AN_INTEGER),
        ("WAIT 99999999999999999999 0", NOT_AN_INTEGER),
        ("WAIT 0 -1", "-ERR timeout is negative"),
        ("WAIT 0 x", BAD_TIMEOUT),
        ("WAIT 0 1.5", BAD_TIMEOUT),
        ("WAIT 0 9223372036854775808", BAD_TIMEOUT),
        ("WAIT", "-ERR wrong number of arguments for 'wait' command"),
        ("WAITAOF x 0 0", NOT_AN_INTEGER),
        ("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF -1 0 0", "-ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF 1 -1 0", "-ERR value is out of range, must be positive"),
        ("WAITAOF 1 x 0", "-ERR value is out of range, must be positive"),
        ("WAITAOF 1 0 -1", "-ERR timeout is negative"),
        ("WAITAOF 1 0 x", BAD_TIMEOUT),
        ("WAITAOF 1 0", "-ERR wrong number of arguments for 'waitaof' command"),
    ],
)
def test_errors(server: FakeServer, line: str, error: str) -> None:
    assert server.say(line) == error
    assert server.syncs_requested == 0


@pytest.mark.parametrize("wanted", [0, -1])
def test_wait_for_no_replica_is_over_at_once(server: FakeServer, wanted: int) -> None:
    assert wait(server, f"WAIT {wanted} 0").poll() == 0


def test_wait_for_a_replica(server: FakeServer) -> None:
    waits = wait(server, "WAIT 1 50")
    assert waits.deadline_ms == NOW_MS + 50
    assert waits.unblockable
    assert waits.poll() is PENDING
    assert waits.on_timeout() == 0
    server.acks = 2
    assert waits.poll() == 2


def test_a_timeout_of_zero_is_none(server: FakeServer) -> None:
    assert wait(server, "WAIT 1 0").deadline_ms == 0
    assert wait(server, "WAITAOF 0 1 0").deadline_ms == 0
    assert wait(server, "WAIT 1 9223372036854775807").deadline_ms == NOW_MS + 2**63 - 1


@pytest.mark.parametrize(
    ("wanted", "durable", "syncs", "reply"),
    [
        ("1 0", 100, 0, [1, 0]),
        ("0 0", 100, 0, [1, 0]),
        ("0 0", 99, 0, [0, 0]),
        ("1 0", 99, 1, PENDING),
        ("0 1", 100, 0, PENDING),
    ],
)
def test_waitaof(server: FakeServer, wanted: str, durable: int, syncs: int, reply: Any) -> None:
    server.log.durable = durable
    assert wait(server, f"WAITAOF {wanted} 0").poll() == reply
    assert server.syncs_requested == syncs


def test_waitaof_is_over_when_the_log_is_durable_up_to_the_call(server: FakeServer) -> None:
    server.log.durable = 50
    waits = wait(server, "WAITAOF 1 0 1000")
    server.log.position = 200  # written later, by whomever: not waited for
    server.log.durable = 99
    assert waits.poll() is PENDING
    assert waits.on_timeout() == [0, 0]
    server.log.durable = 100
    assert waits.poll() == [1, 0]


def test_waitaof_for_disk_and_replica(server: FakeServer) -> None:
    server.log.durable = 0
    waits = wait(server, "WAITAOF 1 1 1000")
    server.acks = 1
    assert waits.poll() is PENDING
    assert waits.on_timeout() == [0, 1]
    server.log.durable = 100
    assert waits.poll() == [1, 1]
