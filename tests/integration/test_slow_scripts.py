"""A script that does not end: others are answered BUSY, and can end it."""

from __future__ import annotations

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import Client, ErrorReply, Status
from tests.support.servers import ServerProcess, SubjectServer, subject_is_stand_in

pytestmark = pytest.mark.integration

BUSY = b"BUSY Redis is busy running a script. You can only call %b KILL or SHUTDOWN NOSAVE."
KILLED = b"ERR Script killed by user with SCRIPT KILL..."
UNKILLABLE = b"UNKILLABLE Sorry the script already executed write commands against the dataset."
ENDLESS = "while true do end"
ENDLESS_FUNCTION = "#!lua name=l\nredis.register_function('endless',function() while true do end end)"
ours_only = pytest.mark.skipif(subject_is_stand_in(), reason="redis-server behaves differently here")


def prepared(server: ServerProcess) -> tuple[Client, Client]:
    """Two connections to a server that calls a script slow after 20 ms."""
    one, other = server.client(), server.client()
    assert other.call("CONFIG", "SET", "busy-reply-threshold", "20") == b"OK"
    return one, other


def wait_busy(client: Client, kind: bytes = b"SCRIPT") -> None:
    """Return once the server says that it is busy; before it is, the reply is an ordinary one."""
    for _ in range(100_000):
        reply = client.call("GET", "nothing")
        if reply is not None:
            assert reply == BUSY % kind
            return
    raise AssertionError("the script does not run")


@pytest.mark.parametrize(
    "script",
    [
        ENDLESS,
        "while true do pcall(function() while true do end end) end",
        "while true do redis.pcall('get', 'x') end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do pcall(redis.call, 'nosuch') end",
    ],
)
def test_script_kill(script: str, server: SubjectServer) -> None:
    slow, other = prepared(server)
    with slow, other:
        slow.send("EVAL", script, "0")
        wait_busy(other)
        assert other.call("FUNCTION", "KILL") == BUSY % b"SCRIPT"
        assert other.call("SCRIPT", "KILL") == b"OK"
        reply = slow.read_reply()
        assert isinstance(reply, ErrorReply)
        assert reply.startswith(KILLED)
        assert slow.call("SET", "a", "1") == other.call("SET", "a", "2") == b"OK"
        assert other.call("SCRIPT", "KILL") == b"NOTBUSY No scripts in execution right now."


def test_what_is_allowed_meanwhile(server: SubjectServer) -> None:
    slow, other = prepared(server)
    with slow, other:
        slow.send("EVAL", ENDLESS, "0")
        wait_busy(other)
        assert other.call("HELLO", "3")
        assert other.call("AUTH", "default", "x") != BUSY % b"SCRIPT"
        assert other.call("MULTI") == b"OK"
        assert other.call("SET", "a", "1") == BUSY % b"SCRIPT"
        assert other.call("DISCARD") == b"OK"
        assert other.call("WATCH", "a") == b"OK"
        assert other.call("UNWATCH") == b"OK"
        assert other.call("RESET") == b"RESET"
        assert other.call("SHUTDOWN") == BUSY % b"SCRIPT"
        assert other.call("NOSUCH").startswith(b"ERR unknown command")
        other.send_raw(b"PING\r\n")  # inline, and in parts
        assert other.read_reply() == BUSY % b"SCRIPT"
        other.send_raw(b"*1\r\n$4\r\nPI")
        with server.client() as late:  # who comes now is let in
            assert late.call("PING") == BUSY % b"SCRIPT"
            other.send_raw(b"NG\r\n")
            assert other.read_reply() == BUSY % b"SCRIPT"
            # A pipeline of many, answered in order.
            late.send_raw(b"GET a\r\n" * 500 + b"SCRIPT KILL\r\n")
            assert {late.read_reply() for _ in range(500)} == {BUSY % b"SCRIPT"}
            assert late.read_reply() == b"OK"
        assert slow.read_reply().startswith(KILLED)


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_who_came_just_before_is_answered(appendfsync: str, start_server: StartServer) -> None:
    """Commands of the turn in which the script began, in any order: nobody waits for its end."""
    server = start_server(appendfsync=appendfsync, busy_reply_threshold="20")
    writes = 0
    with server.client() as slow, server.client() as other, server.client() as third:
        for number in range(30):
            third.send("INCR", "n")
            slow.send("EVAL", ENDLESS, "0")
            other.send("INCR", "n")
            replies = [third.read_reply(), other.read_reply()]
            writes += sum(type(reply) is int for reply in replies)
            assert all(reply == BUSY % b"SCRIPT" for reply in replies if type(reply) is not int)
            wait_busy(other)
            assert other.call("SCRIPT", "KILL") == b"OK", number
            assert slow.read_reply().startswith(KILLED)
        assert writes
        assert other.call("GET", "n") == b"%d" % writes
    server.kill9()
    server.start()
    with server.client() as client:
        assert client.call("GET", "n") == b"%d" % writes
        assert client.call("DBSIZE") == 1


def test_function_kill(server: SubjectServer) -> None:
    slow, other = prepared(server)
    with slow, other:
        assert other.call("FUNCTION", "LOAD", "REPLACE", ENDLESS_FUNCTION) == b"l"
        slow.send("FCALL", "endless", "1", "key")
        wait_busy(other, b"FUNCTION")
        assert other.call("SCRIPT", "KILL") == BUSY % b"FUNCTION"
        running = other.call("FUNCTION", "STATS")[1]
        assert running[:4] == [b"name", b"endless", b"command", [b"FCALL", b"endless", b"1", b"key"]]
        assert other.call("FUNCTION", "KILL") == b"OK"
        assert slow.read_reply().startswith(KILLED)
        assert other.call("FUNCTION", "STATS")[1] is None
        assert other.call("FUNCTION", "FLUSH") == b"OK"


def test_a_script_that_has_written_is_not_killed(server: SubjectServer) -> None:
    slow, other = prepared(server)
    script = (
        "redis.call('set','half','done') local t=redis.call('time') "
        "repeat local n=redis.call('time') until n[1]-t[1] > 1 return 'whole'"
    )
    with slow, other:
        slow.send("EVAL", script, "0")
        wait_busy(other)
        assert other.call("SCRIPT", "KILL").startswith(UNKILLABLE)
        assert slow.read_reply() == b"whole"
        assert other.call("GET", "half") == b"done"


def test_others_go_on_where_they_were(server: SubjectServer) -> None:
    """Commands in one chunk with the script, and clients that wait or have more to send."""
    slow, other = prepared(server)
    with slow, other, server.client() as waiting:
        waiting.send("BLPOP", "list", "0")
        while b"blocked_clients:1\r" not in other.call("INFO", "clients"):
            pass
        script = "local t=redis.call('time') repeat local n=redis.call('time') until n[1]-t[1] > 1 return 1"
        slow.send_raw(
            b"SET before 1\r\n"
            + b"*3\r\n$4\r\nEVAL\r\n$%d\r\n%b\r\n$1\r\n0\r\n" % (len(script), script.encode())
            + b"*2\r\n$3\r\nGET\r\n$6\r\nbefore\r\n"
        )
        wait_busy(other)
        assert slow.read_reply() == Status(b"OK")
        assert slow.read_reply() == 1
        assert slow.read_reply() == b"1"
        assert other.call("RPUSH", "list", "x") == 1
        assert waiting.read_reply() == [b"list", b"x"]


@ours_only
@pytest.mark.parametrize("writes", [False, True])
def test_shutdown_nosave(writes: bool, start_server: StartServer) -> None:
    """The server stops; of a script that was stopped half-way nothing is left, and nothing else is lost."""
    server = start_server(busy_reply_threshold="20")
    slow, other = server.client(), server.client()
    with slow, other:
        assert other.call("SET", "kept", "1") == b"OK"
        slow.send("EVAL", ("redis.call('set','half','x') " if writes else "") + ENDLESS, "0")
        wait_busy(other)
        other.send("SHUTDOWN", "NOSAVE")
        assert server.wait_exit() == 0
    server.start()
    with server.client() as client:
        assert client.call("MGET", "kept", "half") == [b"1", None]


def test_a_library_that_does_not_end_is_not_loaded(server: SubjectServer) -> None:
    with server.client() as client:
        reply = client.call("FUNCTION", "LOAD", "#!lua name=e\nwhile true do end")
        assert reply.startswith(b"ERR Error registering functions: ")
        assert b"FUNCTION LOAD timeout" in reply
        assert client.call("FUNCTION", "LIST") == []
