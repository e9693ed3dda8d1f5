"""MONITOR against redis-server: which commands a monitor sees, in what words and in which order."""

from __future__ import annotations

import pytest

from tests.support.client import ErrorReply, Map
from tests.support.servers import OracleServer, SubjectServer
from tests.support.watching import SCRIPTS, watched

pytestmark = pytest.mark.differential

SCENARIOS = {
    "who and where": """
        a: SET k v
        b: get k
        a: SELECT 3
        a: GeT k
        b: PING
        a: SELECT 99
        a: RESET
        b: QUIT
    """,
    "words that are hard to show": r"""
        a: SET "a b" 'c"d'
        a: SET a\\b ""
        a: ECHO "line\nnew"
        a: ECHO 'häßlich'
    """,
    "errors": """
        a: NOSUCH command
        a: SET k
        a: CONFIG
        a: CONFIG NOSUCH
        a: SET text x
        a: INCR text
        a: LPUSH text x
        a: OBJECT NOSUCH
    """,
    "what administers is not shown": """
        a: CONFIG GET port
        a: CLIENT LIST
        a: CLIENT ID
        a: CLIENT SETNAME me
        a: DEBUG SLEEP 0
        a: SLOWLOG LEN
        a: LATENCY LATEST
        a: ACL WHOAMI
        a: ACL LIST
        a: COMMAND COUNT
        a: INFO server
        a: MEMORY USAGE k
        a: BGSAVE x
        a: ROLE
        a: LASTSAVE
    """,
    "secrets": """
        a: AUTH password
        a: AUTH user password
        a: HELLO 2
        a: HELLO 2 AUTH default password
        a: HELLO 2 SETNAME x AUTH default password
        a: HELLO 2 auth default password setname x
        a: ACL SETUSER bob on >password ~*
        a: MULTI
        a: AUTH password
        a: HELLO 2 AUTH default password
        a: EXEC
    """,
    "transactions": """
        a: WATCH k
        a: MULTI
        a: SET k 1
        b: SET other 1
        a: CONFIG GET port
        a: INCR k
        a: EXEC
        a: MULTI
        a: SET k 2
        a: DISCARD
        a: MULTI
        a: NOSUCH
        a: EXEC
        a: WATCH k
        b: SET k 3
        a: MULTI
        a: GET k
        a: EXEC
        a: EXEC
        a: EXEC x
        a: DISCARD
    """,
    "scripts": SCRIPTS,
    "messages": """
        a: SUBSCRIBE c
        b: PUBLISH c m
        a: PING
        a: UNSUBSCRIBE c
        b: SPUBLISH c m
    """,
    "waiting": """
        a: BLPOP none 0.01
        a: RPUSH list 1
        a: BLPOP list 0
        a: WAIT 0 0
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_monitor_sees(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = watched(oracle, SCENARIOS[name], protocol)
    assert expected
    assert watched(subject, SCENARIOS[name], protocol) == expected


def test_every_byte(oracle: OracleServer, subject: SubjectServer) -> None:
    seen = []
    for server in (oracle, subject):
        with server.client() as monitor, server.client() as client:
            monitor.call("MONITOR")
            client.call("SET", bytes(range(256)), b"")
            seen.append(monitor.read_reply().split(b'"', 1)[1])
    assert seen[0] == seen[1]


IN_MONITOR = (
    "PING",
    "MONITOR",
    "GET k",
    "SET k v",
    "PUBLISH c m",
    "DBSIZE",
    "KEYS *",
    "ECHO x",
    "MULTI",
    "GET k",
    "PING",
    "EXEC",
    "SUBSCRIBE c",
    "UNSUBSCRIBE c",
    "CLIENT REPLY OFF",
    "PING",
    "CLIENT REPLY ON",
    "HELLO 3",
    "PING",
    "RESET",
    "GET k",
    "MONITOR",
)


def test_what_a_monitor_may_do(oracle: OracleServer, subject: SubjectServer) -> None:
    """Like a replica it leaves keys alone, and it sees itself."""
    seen = []
    for server in (oracle, subject):
        with server.client() as monitor:
            assert monitor.call("MONITOR") == b"OK"
            for line in IN_MONITOR:
                monitor.send(*line.split())
                monitor.send("CLIENT", "NO-SUCH")
            found = []
            while len(found) < 1 or found[-1] != b"OK" or found.count(b"RESET") == 0:
                reply = monitor.read_reply()
                if isinstance(reply, ErrorReply) and "NO-SUCH" in reply.text:
                    continue
                found.append(reply)
            seen.append([_without_origin(reply) for reply in found])
    assert seen[1] == seen[0]


def _without_origin(reply: object) -> object:
    if isinstance(reply, bytes) and b"] " in reply:
        return bytes(reply).split(b"] ", 1)[1]
    if isinstance(reply, Map):
        return sorted(reply.as_dict())
    return reply


def test_no_monitor_in_a_transaction(oracle: OracleServer, subject: SubjectServer) -> None:
    for server in (oracle, subject):
        with server.client() as client:
            replies = [client.call(word) for word in ("MULTI", "MONITOR", "EXEC")]
            assert [reply.text for reply in replies[2]] == [
                "ERR MONITOR isn't allowed for DENY BLOCKING client"
            ]
            assert client.call("SET", "k", "v") == b"OK"


def test_a_password_is_hidden_whatever_is_wrong_with_the_command(subject: SubjectServer) -> None:
    """redis-server shows the words of an AUTH that has too many."""
    seen = watched(subject, "a: AUTH user pass word")
    assert seen == [b'[0 a] "AUTH" "(redacted)" "(redacted)" "(redacted)"']


def test_lists_and_kills(oracle: OracleServer, subject: SubjectServer) -> None:
    """A monitor has the flag O and is of the kind normal."""
    for server in (oracle, subject):
        with server.client() as monitor, server.client() as client:
            number = monitor.call("CLIENT", "ID")
            monitor.call("MONITOR")
            assert b"flags=O" in client.call("CLIENT", "LIST", "ID", number)
            assert b"flags=O" in client.call("CLIENT", "LIST", "TYPE", "normal")
            assert client.call("CLIENT", "KILL", "TYPE", "replica") == 0
            assert client.call("CLIENT", "KILL", "TYPE", "normal", "ID", number) == 1
            monitor.read_until_closed()
            assert client.call("SET", "k", "v") == b"OK"


def test_a_monitor_that_does_not_read_is_cut(subject: SubjectServer) -> None:
    """What it has not taken is beyond the limit of subscribers, who get unasked what they get as well."""
    with subject.client() as monitor, subject.client() as client:
        client.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
        number = monitor.call("CLIENT", "ID")
        monitor.call("MONITOR")
        for _ in range(200):
            client.pipeline([("ECHO", "x" * 1000)] * 100)
            if client.call("CLIENT", "LIST", "ID", number) == b"":
                break
        else:
            pytest.fail("the monitor is still there")
        assert client.call("PING") == b"PONG"


def test_the_hot_path_is_open_again(subject: SubjectServer) -> None:
    """Commands are counted the same way while a monitor looks and afterwards."""
    with subject.client() as client:
        client.call("CONFIG", "RESETSTAT")
        for _ in range(2):
            with subject.client() as monitor:
                monitor.call("MONITOR")
                client.pipeline([("SET", "k", "v")] * 10)
            client.pipeline([("SET", "k", "v")] * 10)
        text = client.call("INFO", "commandstats")
        assert b"cmdstat_set:calls=40," in text
