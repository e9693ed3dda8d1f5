"""SLOWLOG against redis-server: what is kept of which commands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import ErrorReply
from tests.support.servers import OracleServer, ServerProcess, SubjectServer
from tests.support.watching import SCRIPTS, Cast, calls

pytestmark = pytest.mark.differential

SCENARIOS = {
    "who": """
        a: SET k v
        a: CLIENT SETNAME me
        a: get k
        b: GET k
        a: CLIENT SETNAME ""
        a: PING
    """,
    "errors": """
        a: NOSUCH command
        a: SET k
        a: SET text x
        a: INCR text
        a: CONFIG NOSUCH
        a: HELLO 9
    """,
    "transactions": """
        a: MULTI
        a: SET k 1
        a: INCR k
        a: AUTH password
        a: EXEC
        a: MULTI
        a: DISCARD
        a: WATCH k
    """,
    "secrets": """
        a: AUTH password
        a: AUTH user password
        a: HELLO 2 AUTH default password SETNAME x
        a: ACL SETUSER bob on >password ~*
        a: ACL DELUSER bob
        a: ACL GETUSER bob
        a: CONFIG SET requirepass password
        a: CONFIG SET requirepass ""
        a: CONFIG GET requirepass
    """,
    "scripts": SCRIPTS,
    "waiting": """
        a: BLPOP none 0.01
        a: RPUSH list 1
        a: BLPOP list 0
    """,
    "other commands": """
        a: CONFIG GET port
        a: CLIENT ID
        a: SLOWLOG LEN
        a: SUBSCRIBE c
        a: UNSUBSCRIBE c
        a: SELECT 3
        a: OBJECT HELP
    """,
}


def kept(server: ServerProcess, scenario: str, protocol: int) -> list[Any]:
    """The entries that a scenario leaves, the oldest first, and the errors of its replies."""
    cast = Cast(server, protocol)
    try:
        with server.client() as admin:
            for name in "ab":
                cast.client(name)
            admin.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
            admin.call("SLOWLOG", "RESET")
            replies = cast.perform(scenario)
            entries = admin.call("SLOWLOG", "GET", "-1")[::-1]
            admin.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
            now = int(admin.call("TIME")[0])
    finally:
        cast.close()
    numbers = [entry[0] for entry in entries]
    assert numbers == list(range(numbers[0], numbers[0] + len(entries)))
    found: list[Any] = []
    for _, seconds, usec, argv, address, name in entries[1:]:  # without SLOWLOG RESET itself
        assert now - 60 <= seconds <= now
        assert usec >= 0
        found.append((argv, cast.names.get(address.decode(), address), name))
    return [*found, [reply for reply in replies if isinstance(reply, ErrorReply)]]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_kept(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = kept(oracle, SCENARIOS[name], protocol)
    assert len(expected) > 1
    assert repr(kept(subject, SCENARIOS[name], protocol)) == repr(expected)


@pytest.mark.parametrize("words", [31, 32, 33, 40])
@pytest.mark.parametrize("length", [127, 128, 129, 5000])
def test_long_commands(words: int, length: int, oracle: OracleServer, subject: SubjectServer) -> None:
    found = []
    for server in (oracle, subject):
        with server.client() as client:
            client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
            client.call("MGET", "x" * length, *map(str, range(words - 2)))
            found.append(client.call("SLOWLOG", "GET", "1")[0][3])
    assert found[0] == found[1]


def test_a_command_that_waited_is_kept_when_it_is_served(
    oracle: OracleServer, subject: SubjectServer
) -> None:
    found = []
    for server in (oracle, subject):
        with server.client() as waiting, server.client() as client:
            client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
            number = waiting.call("CLIENT", "ID")
            client.call("SLOWLOG", "RESET")
            waiting.send("BLPOP", "none", "0")
            while b"flags=b" not in client.call("CLIENT", "LIST", "ID", number):
                pass
            client.call("SLOWLOG", "RESET")
            client.call("RPUSH", "none", "x")
            waiting.read_reply()
            found.append([entry[3] for entry in client.call("SLOWLOG", "GET")])
    assert found[0] == found[1]
    assert len(found[0]) == 3


CALLS = (
    "SLOWLOG GET 1 2",
    "SLOWLOG GET x",
    "SLOWLOG GET -2",
    "SLOWLOG GET 99999999999999999999",
    "SLOWLOG GET 0",
    "SLOWLOG LEN x",
    "SLOWLOG RESET x",
    "SLOWLOG HELP x",
    "SLOWLOG LEN",
    "SLOWLOG RESET",
    "CONFIG SET slowlog-log-slower-than -2",
    "CONFIG SET slowlog-max-len -1",
    "CONFIG SET slowlog-log-slower-than 0",
    "CONFIG SET slowlog-max-len 3",
    *["ECHO x"] * 5,
    "SLOWLOG LEN",
    "CONFIG SET slowlog-max-len 2",
    "SLOWLOG LEN",
    "CONFIG SET slowlog-max-len 0",
    "SLOWLOG LEN",
    "SLOWLOG GET",
    "CONFIG SET slowlog-max-len 20",
    "CONFIG SET slowlog-log-slower-than 1000000",
    *["ECHO x"] * 5,
    "SLOWLOG LEN",
    "CONFIG SET slowlog-log-slower-than -1",
    *["ECHO x"] * 5,
    "SLOWLOG LEN",
)


@pytest.mark.parametrize("protocol", [2, 3])
def test_calls(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    replies = [
        calls(
            server,
            protocol,
            (
                "CONFIG SET slowlog-log-slower-than -1",
                "SLOWLOG RESET",
            ),
            CALLS,
        )
        for server in (oracle, subject)
    ]
    assert list(zip(CALLS, replies[1], strict=True)) == list(zip(CALLS, replies[0], strict=True))


def test_ten_entries_unasked(oracle: OracleServer, subject: SubjectServer) -> None:
    for server in (oracle, subject):
        with server.client() as client:
            client.call("CONFIG", "SET", "slowlog-log-slower-than", "0")
            client.pipeline([("ECHO", "x")] * 30)
            assert len(client.call("SLOWLOG", "GET")) == 10
            assert len(client.call("SLOWLOG", "GET", "12")) == 12
