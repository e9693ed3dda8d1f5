"""AUTH, HELLO, SELECT and RESET: replies and error texts as redis-server 7.0.15 gives them."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.commands import client, client_list, connection, databases, strings
from durable_redis.commands.session import REPLY_OFF, REPLY_ON, REPLY_SKIP
from tests.support.fake_server import FakeServer

MODULES = (client, client_list, connection, databases, strings)
WRONGPASS = "-WRONGPASS invalid username-password pair or user is disabled."
SYNTAX = "-ERR syntax error"
NOT_AN_INTEGER = "-ERR value is not an integer or out of range"
NO_PASSWORD = (
    "-ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NOAUTH_HELLO = (
    "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version "
    "at the same time"
)
BAD_NAME = "-ERR Client names cannot contain spaces, newlines or special characters."


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(MODULES)


@pytest.fixture
def guarded() -> FakeServer:
    return FakeServer(MODULES, {"requirepass": "sekret"})


def check(server: FakeServer, *steps: tuple[str, Any]) -> None:
    for line, expected in steps:
        assert server.say(line) == expected, line


def hello_reply(protocol: int) -> dict[bytes, Any]:
    return {
        b"server": b"redis",
        b"version": b"7.0.15",
        b"proto": protocol,
        b"id": 1,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def test_ping_and_echo(server: FakeServer) -> None:
    check(
        server,
        ("PING", "+PONG"),
        ("PING hi", b"hi"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("ECHO hi", b"hi"),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command"),
    )


def test_select(server: FakeServer) -> None:
    check(
        server,
        ("SELECT x", NOT_AN_INTEGER),
        ("SELECT 1.5", NOT_AN_INTEGER),
        ("SELECT 99999999999999999999", NOT_AN_INTEGER),
        ("SELECT 4294967296", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("SELECT 16", "-ERR DB index is out of range"),
        ("SELECT -1", "-ERR DB index is out of range"),
    )
    assert server.client.db.index == 0
    check(server, ("SET a 1", "+OK"), ("SELECT 15", "+OK"), ("GET a", None), ("SET a 2", "+OK"))
    assert server.client.db is server.context.db is server.keyspace.database(15)
    check(server, ("SELECT 0", "+OK"), ("GET a", b"1"))


def test_quit_closes_after_the_reply(server: FakeServer) -> None:
    assert server.say("QUIT now") == "+OK"
    assert server.client.closing
    assert server.killed == []


# -- AUTH ----------------------------------------------------------------------------------------------------


def test_auth_without_a_password_configured(server: FakeServer) -> None:
    check(
        server,
        ("AUTH x", NO_PASSWORD),
        ("AUTH default x", "+OK"),
        ("AUTH foo x", WRONGPASS),
        ("AUTH a b c", SYNTAX),
        ("AUTH", "-ERR wrong number of arguments for 'auth' command"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "AUTH wrong",
        "AUTH ''",
        "AUTH sekret2",
        "AUTH sekre",
        "AUTH default no",
        "AUTH foo sekret",
        "AUTH DEFAULT sekret",
    ],
)
def test_wrong_passwords_and_users(guarded: FakeServer, line: str) -> None:
    assert guarded.say(line) == WRONGPASS
    assert not guarded.client.authenticated
    assert guarded.refreshed == []


@pytest.mark.parametrize("line", ["AUTH sekret", "auth default sekret", "HELLO 3 AUTH default sekret"])
def test_the_right_password_lets_the_client_in_for_good(guarded: FakeServer, line: str) -> None:
    assert not str(guarded.say(line)).startswith("-")
    assert guarded.client.authenticated
    assert guarded.refreshed
    assert guarded.say("AUTH wrong") == WRONGPASS
    assert guarded.client.authenticated


def test_a_password_may_be_any_text() -> None:
    server = FakeServer(MODULES, {"requirepass": "pässwörd"})
    assert server.run("AUTH", "pässwörd".encode("latin-1")) != "OK"
    assert server.run("AUTH", "pässwörd".encode()) == "OK"


# -- HELLO ---------------------------------------------------------------------------------------------------


def test_hello(server: FakeServer) -> None:
    assert server.say("HELLO") == hello_reply(2)
    assert server.say("HELLO 3") == hello_reply(3)
    assert server.client.protocol == 3
    assert server.refreshed[-1] == 1
    assert server.say("HELLO") == hello_reply(3)
    assert server.say("HELLO 2 AUTH default x SETNAME ab") == hello_reply(2)
    check(server, ("CLIENT GETNAME", b"ab"), ("HELLO 2 SETNAME ''", hello_reply(2)), ("CLIENT GETNAME", None))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x", "-ERR Protocol version is not an integer or out of range"),
        ("2.0", "-ERR Protocol version is not an integer or out of range"),
        ("99999999999999999999", "-ERR Protocol version is not an integer or out of range"),
        ("AUTH default x", "-ERR Protocol version is not an integer or out of range"),
        ("4", "-NOPROTO unsupported protocol version"),
        ("1", "-NOPROTO unsupported protocol version"),
        ("4 FOO", "-NOPROTO unsupported protocol version"),
        ("3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
        ("3 AUTH", "-ERR Syntax error in HELLO option 'AUTH'"),
        ("3 AUTH foo", "-ERR Syntax error in HELLO option 'AUTH'"),
        ("3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"),
        ("3 SETNAME 'a b'", BAD_NAME),
        ("3 AUTH foo x", WRONGPASS),
        ("3 AUTH default x SETNAME 'q q'", BAD_NAME),
    ],
)
def test_hello_errors_leave_the_protocol_alone(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"HELLO {words}") == error
    assert server.client.protocol == 2


def test_hello_of_a_client_that_is_not_in(guarded: FakeServer) -> None:
    check(
        guarded,
        ("HELLO", NOAUTH_HELLO),
        ("HELLO 3", NOAUTH_HELLO),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
        ("HELLO 3 SETNAME foo", NOAUTH_HELLO),
        ("HELLO 3 AUTH default no", WRONGPASS),
    )
    assert guarded.client.protocol == 2
    assert guarded.say("HELLO 3 SETNAME a AUTH default sekret") == hello_reply(3)


def test_hello_options_take_effect_one_by_one(guarded: FakeServer) -> None:
    guarded.say("AUTH sekret")
    check(
        guarded,
        ("HELLO 2 SETNAME b AUTH default nope", WRONGPASS),
        ("CLIENT GETNAME", b"b"),
        ("HELLO 2 AUTH default nope SETNAME cc", WRONGPASS),
        ("CLIENT GETNAME", b"b"),
        ("HELLO 3 SETNAME z FOO", "-ERR Syntax error in HELLO option 'FOO'"),
        ("CLIENT GETNAME", b"z"),
    )


# -- RESET ---------------------------------------------------------------------------------------------------


def test_reset_makes_the_connection_as_good_as_new(guarded: FakeServer) -> None:
    check(
        guarded,
        ("HELLO 3 AUTH default sekret SETNAME boo", hello_reply(3)),
        ("SELECT 3", "+OK"),
        ("CLIENT NO-EVICT on", "+OK"),
        ("CLIENT NO-TOUCH on", "+OK"),
        ("CLIENT SETINFO lib-name x", "+OK"),
    )
    guarded.refreshed.clear()
    assert guarded.say("RESET") == "+RESET"
    reset = guarded.client
    assert (reset.protocol, reset.name, reset.authenticated, reset.no_touch) == (2, b"", False, False)
    assert reset.db is guarded.context.db is guarded.keyspace.database(0)
    assert reset.no_evict  # 7.0.15 leaves it
    assert reset.library_name == b"x"
    assert guarded.refreshed == [1]


def test_reset_of_a_server_without_a_password_leaves_the_client_in(server: FakeServer) -> None:
    check(server, ("RESET", "+RESET"), ("RESET x", "-ERR wrong number of arguments for 'reset' command"))
    assert server.client.authenticated


@pytest.mark.parametrize(
    ("before", "after"), [(REPLY_OFF, REPLY_ON), (REPLY_ON, REPLY_ON), (REPLY_SKIP, REPLY_SKIP)]
)
def test_reset_turns_replies_on_unless_it_is_the_skipped_command(
    server: FakeServer, before: int, after: int
) -> None:
    server.client.reply_mode = before
    server.say("RESET")
    assert server.client.reply_mode == after
