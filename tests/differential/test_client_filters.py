"""CLIENT LIST and CLIENT KILL against redis-server: every filter, alone and together, and their errors."""

from __future__ import annotations

import pytest

from tests.support.servers import OracleServer, ServerProcess, SubjectServer
from tests.support.watching import Cast, address_of

pytestmark = pytest.mark.differential

CALLS = """
    LIST TYPE
    LIST TYPE x
    LIST TYPE master
    LIST TYPE slave
    LIST TYPE normal x
    LIST TYPE normal ID 1
    LIST ID
    LIST ID x
    LIST ID 1 x
    LIST ID 0
    LIST ID -1
    LIST ID 99999999
    LIST USER default
    LIST x
    KILL
    KILL x
    KILL 1.2.3.4:5
    KILL ID
    KILL ID x
    KILL ID 0
    KILL ID 99999999
    KILL ID 99999999 SKIPME
    KILL ID 99999999 SKIPME maybe
    KILL ID 99999999 ID 99999998
    KILL TYPE x
    KILL TYPE master
    KILL TYPE slave
    KILL TYPE replica
    KILL TYPE pubsub USER nosuch
    KILL USER nosuch
    KILL USER default ID 99999999
    KILL ADDR x
    KILL LADDR x
    KILL ADDR x LADDR y SKIPME no
    KILL LADDR x FOO
    KILL FOO bar
    KILL MAXAGE 10
    KILL ADDR a b c
""".strip().splitlines()

KILLS = """
    KILL {b}
    KILL {a}
    KILL ADDR {b}
    KILL ADDR {a}
    KILL ADDR {a} SKIPME no
    KILL LADDR {server}
    KILL LADDR {server} SKIPME no
    KILL ID {2}
    KILL ID {1}
    KILL ID {1} SKIPME no
    KILL ID {2} ADDR {c}
    KILL ID {2} ADDR {b} USER default TYPE normal LADDR {server} SKIPME yes
    KILL TYPE pubsub
    KILL TYPE pubsub ID {4}
    KILL TYPE normal
    KILL TYPE normal SKIPME no
    KILL type Normal user bob
    KILL USER bob
    KILL USER default
    KILL USER default SKIPME NO
""".strip().splitlines()


@pytest.mark.parametrize("protocol", [2, 3])
def test_calls(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    replies = []
    for server in (oracle, subject):
        with server.client() as client:
            client.call("HELLO", protocol)
            replies.append([repr(client.call("CLIENT", *line.split())) for line in CALLS])
    assert list(zip(CALLS, replies[1], strict=True)) == list(zip(CALLS, replies[0], strict=True))


def killed(server: ServerProcess, line: str) -> tuple[str, list[str]]:
    """The reply to ``a``, and who is still there: b is plain, c is bob, d a subscriber, e waits."""
    cast = Cast(server, 2)
    try:
        cast.perform("""
            a: ACL SETUSER bob on nopass +@all ~* &*
            b: PING
            c: AUTH bob x
            d: SUBSCRIBE channel
        """)
        waiting = cast.client("e")
        addresses = {name: address for address, name in cast.names.items()}
        numbers = [0, *(cast.client(name).call("CLIENT", "ID") for name in "abc")]
        listed = cast.client("a").call("CLIENT", "LIST", "TYPE", "pubsub").decode()
        numbers.append(int(listed.split()[0].removeprefix("id=")))
        waiting.send("BLPOP", "none", "0")
        host, port = cast.client("a").socket.getpeername()[:2]
        words = line.format(*numbers, server=f"{host}:{port}", **addresses).split()
        reply = repr(cast.client("a").call("CLIENT", *words))
        with server.client() as admin:
            left = admin.call("CLIENT", "LIST").decode()
            admin.call("ACL", "DELUSER", "bob")
        return reply, sorted(name for name, address in addresses.items() if f" addr={address} " in left)
    finally:
        cast.close()


@pytest.mark.parametrize("line", [line.strip() for line in KILLS])
def test_who_is_left(line: str, oracle: OracleServer, subject: SubjectServer) -> None:
    assert killed(subject, line) == killed(oracle, line)


@pytest.mark.parametrize(
    "filters", ["TYPE normal", "TYPE pubsub", "ID {0} {2}", "ID {2} 99999999 {0} {0}", "ID {1}"]
)
def test_who_is_listed(filters: str, oracle: OracleServer, subject: SubjectServer) -> None:
    found = []
    for server in (oracle, subject):
        cast = Cast(server, 2)
        try:
            numbers = [cast.client(name).call("CLIENT", "ID") for name in "abc"]
            cast.perform("b: SUBSCRIBE channel")
            text = cast.client("a").call("CLIENT", "LIST", *filters.format(*numbers).split()).decode()
            listed = [line.split(" addr=")[1].split()[0] for line in text.splitlines()]
            found.append([cast.names[address] for address in listed])
            assert address_of(cast.client("a")) in cast.names
        finally:
            cast.close()
    assert found[1] == found[0]
