"""CLIENT and its subcommands: replies and error texts of redis-server 7.0.15, and of 7.2 what it added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durable_redis.commands import client, client_list, connection, databases, tracking
from durable_redis.commands.context import PENDING, Wait
from durable_redis.commands.session import REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT
from durable_redis.resp.encoder import encode
from durable_redis.resp.replies import NO_REPLY, SetReply, Verbatim
from tests.support.fake_engine import NOW_MS
from tests.support.fake_server import FakeServer

MODULES = (client, client_list, tracking, connection, databases)
SYNTAX = "-ERR syntax error"
NOT_AN_INTEGER = "-ERR value is not an integer or out of range"
BAD_NAME = "-ERR Client names cannot contain spaces, newlines or special characters."
LINE = (
    b"id=1 addr=127.0.0.1:5001 laddr=127.0.0.1:6379 fd=8 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 "
    b"ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=%d "
    b"events=r cmd=client|info user=default redir=-1 resp=2 lib-name= lib-ver=\n"
)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer(MODULES)


def check(server: FakeServer, *steps: tuple[str, Any]) -> None:
    for line, expected in steps:
        assert server.say(line) == expected, line


def listed(server: FakeServer, line: str = "CLIENT LIST") -> list[dict[str, str]]:
    """The fields of each line that a command gives."""
    reply = server.say(line)
    assert isinstance(reply, Verbatim), reply
    lines = reply.text.decode().splitlines()
    return [dict(field.split("=", 1) for field in shown.split(" ")) for shown in lines]


def ids(server: FakeServer, line: str) -> list[str]:
    return [fields["id"] for fields in listed(server, line)]


# -- who it is -----------------------------------------------------------------------------------------------


def test_id_and_name(server: FakeServer) -> None:
    second = server.connect()
    assert [server.say("CLIENT ID"), server.say("CLIENT ID", second)] == [1, 2]
    check(
        server,
        ("CLIENT GETNAME", None),
        ("CLIENT SETNAME foo", "+OK"),
        ("CLIENT GETNAME", b"foo"),
        ("CLIENT SETNAME 'a b'", BAD_NAME),
        ("CLIENT SETNAME é", BAD_NAME),
        ("CLIENT SETNAME 'a\nb'", BAD_NAME),
        ("CLIENT GETNAME", b"foo"),
        ("CLIENT SETNAME ''", "+OK"),
        ("CLIENT GETNAME", None),
        ("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command"),
    )


def test_setinfo(server: FakeServer) -> None:
    check(
        server,
        ("CLIENT SETINFO LIB-NAME redis-py(x)", "+OK"),
        ("CLIENT SETINFO lib-ver 5.0", "+OK"),
        (
            "CLIENT SETINFO lib-ver '5 0'",
            "-ERR lib-ver cannot contain spaces, newlines or special characters.",
        ),
        ("CLIENT SETINFO lib-foo x", "-ERR Unrecognized option 'lib-foo'"),
    )
    fields = listed(server, "CLIENT INFO")[0]
    assert (fields["lib-name"], fields["lib-ver"]) == ("redis-py(x)", "5.0")


# -- LIST and INFO -------------------------------------------------------------------------------------------


def test_info_has_the_fields_of_redis_in_their_order(server: FakeServer) -> None:
    reply = server.say("CLIENT INFO")
    assert reply.text == LINE % client_list.memory_of(server.client)
    assert reply.kind == b"txt"
    assert server.say("CLIENT INFO x") == "-ERR wrong number of arguments for 'client|info' command"


def test_list_shows_what_the_engine_knows(server: FakeServer) -> None:
    other = server.connect()
    other.name, other.protocol, other.output_bytes, other.query_bytes, other.argv_bytes = b"n", 3, 70, 5, 9
    other.active_ms -= 2500
    other.created_ms -= 61_999
    server.say("SELECT 4", other)
    first, second = listed(server)
    assert (first["cmd"], second["cmd"]) == ("client|list", "select")
    expected = {"name": "n", "resp": "3", "db": "4", "age": "61", "idle": "2", "events": "rw", "oll": "1"}
    assert expected.items() <= second.items()
    assert (second["omem"], second["qbuf"], second["argv-mem"]) == ("70", "5", "9")
    assert int(second["tot-mem"]) == int(first["tot-mem"]) + 84


def test_a_client_that_has_said_nothing(server: FakeServer) -> None:
    server.connect()
    assert listed(server)[1]["cmd"] == "NULL"


def test_flags(server: FakeServer) -> None:
    target = server.connect()
    target.wait = Wait(lambda: PENDING, 0, lambda: 0)
    target.no_evict = target.no_touch = target.closing = target.is_unix = True
    assert [fields["flags"] for fields in listed(server)] == ["N", "bcUeT"]


def test_list_chooses(server: FakeServer) -> None:
    server.connect()
    server.connect()
    assert ids(server, "CLIENT LIST") == ["1", "2", "3"]
    assert ids(server, "CLIENT LIST TYPE NORMAL") == ["1", "2", "3"]
    assert ids(server, "CLIENT LIST ID 3 1 9 0 -1") == ["3", "1"]
    for kind in ("master", "slave", "replica", "pubsub"):
        assert ids(server, f"CLIENT LIST TYPE {kind}") == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("TYPE", SYNTAX),
        ("ID", SYNTAX),
        ("FOO", SYNTAX),
        ("FOO bar", SYNTAX),
        ("TYPE normal ID 1", SYNTAX),
        ("TYPE foo", "-ERR Unknown client type 'foo'"),
        ("ID x", "-ERR Invalid client ID"),
        ("ID 1 2 3 x", "-ERR Invalid client ID"),
    ],
)
def test_list_errors(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"CLIENT LIST {words}") == error


# -- KILL ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reply", "killed", "closing"),
    [
        ("127.0.0.1:5002", "+OK", [2], False),
        ("127.0.0.1:5001", "+OK", [], True),
        ("1.2.3.4:5", "-ERR No such client", [], False),
        ("ID", "-ERR No such client", [], False),
        ("ID 2", 1, [2], False),
        ("ID 1", 0, [], False),
        ("ID 1 SKIPME no", 1, [], True),
        ("ID 2 ID 3", 1, [3], False),
        ("ID 99999", 0, [], False),
        ("ADDR 127.0.0.1:5003", 1, [3], False),
        ("ADDR 127.0.0.1:5003 ID 2", 0, [], False),
        ("LADDR 127.0.0.1:6379", 2, [2, 3], False),
        ("LADDR 127.0.0.1:6379 skipme YES", 2, [2, 3], False),
        ("TYPE normal SKIPME no", 3, [2, 3], True),
        ("TYPE normal TYPE pubsub", 0, [], False),
        ("TYPE master", 0, [], False),
        ("USER default", 2, [2, 3], False),
        ("SKIPME yes", 2, [2, 3], False),
    ],
)
def test_kill(server: FakeServer, words: str, reply: object, killed: list[int], closing: bool) -> None:
    server.connect()
    server.connect()
    assert server.say(f"CLIENT KILL {words}") == reply
    assert server.killed == killed
    assert server.client.closing is closing


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("ID x", "-ERR client-id should be greater than 0"),
        ("ID 0", "-ERR client-id should be greater than 0"),
        ("ID -1", "-ERR client-id should be greater than 0"),
        ("ID 999999999999999999999", "-ERR client-id should be greater than 0"),
        ("TYPE foo", "-ERR Unknown client type 'foo'"),
        ("USER foo", "-ERR No such user 'foo'"),
        ("FOO bar", SYNTAX),
        ("SKIPME foo", SYNTAX),
        ("ID 2 FOO", SYNTAX),
        ("ID 2 FOO bar", SYNTAX),
        ("ID 2 TYPE", SYNTAX),
    ],
)
def test_kill_errors_kill_nobody(server: FakeServer, words: str, error: str) -> None:
    server.connect()
    assert server.say(f"CLIENT KILL {words}") == error
    assert server.killed == []


# -- REPLY and switches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "word", "after", "answered"),
    [
        (REPLY_ON, "ON", REPLY_ON, True),
        (REPLY_OFF, "on", REPLY_ON, True),
        (REPLY_ON, "OFF", REPLY_OFF, False),
        (REPLY_ON, "SKIP", REPLY_SKIP_NEXT, False),
        (REPLY_OFF, "SKIP", REPLY_OFF, False),
    ],
)
def test_reply(server: FakeServer, before: int, word: str, after: int, answered: bool) -> None:
    server.client.reply_mode = before
    reply = server.say(f"CLIENT REPLY {word}")
    assert reply == "+OK" if answered else reply is NO_REPLY
    assert server.client.reply_mode == after
    assert server.refreshed == [1]


def test_switches(server: FakeServer) -> None:
    check(
        server,
        ("CLIENT REPLY foo", SYNTAX),
        ("CLIENT NO-EVICT foo", SYNTAX),
        ("CLIENT NO-TOUCH foo", SYNTAX),
        ("CLIENT NO-EVICT on", "+OK"),
        ("CLIENT NO-TOUCH ON", "+OK"),
    )
    assert (server.client.no_evict, server.client.no_touch) == (True, True)
    check(server, ("CLIENT NO-EVICT OFF", "+OK"), ("CLIENT NO-TOUCH off", "+OK"))
    assert (server.client.no_evict, server.client.no_touch) == (False, False)


# -- PAUSE and UNBLOCK ---------------------------------------------------------------------------------------


def test_pause(server: FakeServer) -> None:
    check(server, ("CLIENT PAUSE 10", "+OK"))
    assert server.pause.noted == (NOW_MS + 10, False)
    check(server, ("CLIENT PAUSE 20 write", "+OK"))
    assert server.pause.noted == (NOW_MS + 20, True)
    check(server, ("CLIENT PAUSE 9223372036854775807 ALL", "+OK"), ("CLIENT UNPAUSE", "+OK"))
    assert server.pause.noted is None


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x", "-ERR timeout is not an integer or out of range"),
        ("1.5", "-ERR timeout is not an integer or out of range"),
        ("9223372036854775808", "-ERR timeout is not an integer or out of range"),
        ("-1", "-ERR timeout is negative"),
        ("x FOO", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ("10 WRITE x", "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
    ],
)
def test_pause_errors(server: FakeServer, words: str, error: str) -> None:
    assert server.say(f"CLIENT PAUSE {words}") == error
    assert server.pause.noted is None


@pytest.mark.parametrize(("reason", "with_error"), [("", False), ("timeout", False), ("ERROR", True)])
def test_unblock(server: FakeServer, reason: str, with_error: bool) -> None:
    target = server.connect()
    assert server.say(f"CLIENT UNBLOCK 2 {reason}") == 0
    target.wait = Wait(lambda: PENDING, 0, lambda: 0)
    assert server.say(f"CLIENT UNBLOCK 2 {reason}") == 1
    assert server.waiting.unblocked == [(2, with_error)]


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("9999", 0),
        ("-1", 0),
        ("x", NOT_AN_INTEGER),
        ("x FOO", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("1 ERROR x", "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."),
    ],
)
def test_unblock_of_nobody(server: FakeServer, words: str, reply: object) -> None:
    assert server.say(f"CLIENT UNBLOCK {words}") == reply


# -- tracking ------------------------------------------------------------------------------------------------


def test_tracking_is_off_at_first(server: FakeServer) -> None:
    not_tracking = (
        "-ERR CLIENT CACHING can be called only when the client is in tracking mode "
        "with OPTIN or OPTOUT mode enabled"
    )
    check(
        server,
        ("CLIENT TRACKING OFF", "+OK"),
        ("CLIENT TRACKING FOO", SYNTAX),
        ("CLIENT TRACKING OFF FOO", SYNTAX),
        ("CLIENT CACHING YES", not_tracking),
        ("CLIENT CACHING foo", not_tracking),
        ("CLIENT GETREDIR", -1),
        ("CLIENT TRACKINGINFO", {b"flags": [b"off"], b"redirect": -1, b"prefixes": []}),
    )
    assert isinstance(server.say("CLIENT TRACKINGINFO")[b"flags"], SetReply)


def test_trackinginfo_on_the_wire(server: FakeServer) -> None:
    out: list[bytes] = []
    encode(server.say("CLIENT TRACKINGINFO"), 3, out)
    assert b"".join(out) == (
        b"%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n"
    )


def test_help_names_every_subcommand(server: FakeServer) -> None:
    reply = server.run("CLIENT", "HELP")
    assert {line.split()[0] for line in reply[1:] if line[0] != " "} == set(
        server.table["CLIENT"].subcommands
    )


def parse_with_redis_py() -> Callable[[str], list[dict[str, str]]]:
    helpers = pytest.importorskip("redis._parsers.helpers")
    parse: Callable[[str], list[dict[str, str]]] = helpers.parse_client_list
    return parse


def test_redis_py_reads_the_list(server: FakeServer) -> None:
    server.connect().name = b"other"
    server.say("CLIENT SETINFO lib-name redis-py")
    first, second = parse_with_redis_py()(server.say("CLIENT LIST").text)
    assert (first["id"], first["lib-name"], first["cmd"]) == ("1", "redis-py", "client|list")
    assert (second["name"], second["addr"]) == ("other", "127.0.0.1:5002")
