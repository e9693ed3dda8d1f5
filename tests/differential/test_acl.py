"""ACL against redis-server: every line of ``acl/rules.txt`` gets the oracle's reply, and so does ACL LIST.

redis-server lists single commands of a rule in the order of a hash table with a random seed, so words behind
the last category are compared as a multiset; everything else is compared byte for byte.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client, ErrorReply
from tests.support.scenarios import play
from tests.support.servers import OracleServer, ServerProcess, SubjectServer

pytestmark = pytest.mark.differential

LINES = (Path(__file__).parent / "acl" / "rules.txt").read_text("utf-8").splitlines()
UNLIKE = ("HELLO 3", "CLIENT ID")  # the server's version and numbers of clients


def canonical(reply: Any) -> str:
    """The reply with single commands in order."""
    if isinstance(reply, bytes):
        parts = [_sorted(part) for part in re.split(rb"([()])", bytes(reply))]
        return f"{type(reply).__name__}({b''.join(parts)!r})"
    if isinstance(reply, list):
        return f"{type(reply).__name__}[{', '.join(map(canonical, reply))}]"
    return repr(reply)


def _sorted(part: bytes) -> bytes:
    words = part.split(b" ")
    if b"-@all" not in words and b"+@all" not in words:
        return part
    last = max(place for place, word in enumerate(words) if word[:2] in (b"+@", b"-@")) + 1
    return b" ".join(words[:last] + sorted(words[last:]))


def start(server: ServerProcess, protocol: int) -> Client:
    """A connection to a server with no user but the default one."""
    client = server.client()
    client.call("HELLO", protocol)
    client.call("ACL", "SETUSER", "default", "on", "nopass", "~*", "&*", "+@all")
    for name in client.call("ACL", "USERS"):
        if name != b"default":
            client.call("ACL", "DELUSER", name)
    client.call("ACL", "LOG", "RESET")
    return client


@pytest.mark.parametrize("protocol", [2, 3])
def test_rules(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    sides = [start(server, protocol) for server in (oracle, subject)]
    differences = []
    for line in LINES:
        words = ["" if word == '""' else word for word in line.split()]
        expected, actual = (side.call(*words) for side in sides)
        alike = line.startswith(UNLIKE) and not isinstance(expected, ErrorReply)
        same = type(expected) is type(actual) if alike else canonical(expected) == canonical(actual)
        if not same:
            differences.append((line, expected, actual))
        if line.startswith("ACL SETUSER"):
            expected, actual = (side.call("ACL", "LIST") for side in sides)
            if canonical(expected) != canonical(actual):
                differences.append((f"{line}, then ACL LIST", expected, actual))
    for side in sides:
        side.close()
    for server in (oracle, subject):
        start(server, 2).close()
    assert not differences, differences[:5]
    assert len(LINES) > 150


def test_the_log(oracle: OracleServer, subject: SubjectServer) -> None:
    """Reasons, objects, names and counts of what was denied."""
    entries = []
    for server in (oracle, subject):
        admin = start(server, 2)
        admin.call("ACL", "SETUSER", "eve", "on", ">right", "+get", "+auth", "+mget", "~a")
        eve = server.client()
        for line in (
            "AUTH eve wrong",
            "AUTH eve wrong",
            "AUTH nobody x",
            "AUTH eve right",
            "SET a 1",
            "GET b",
            "MGET a b",
            "CONFIG GET x",
            "GET b",
            "HELLO 3 AUTH eve no",
        ):
            eve.call(*line.split())
        fields = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in admin.call("ACL", "LOG")]
        entries.append(
            [
                [entry[name] for name in (b"count", b"reason", b"context", b"object", b"username")]
                for entry in fields
            ]
        )
        assert all(entry[b"client-info"].startswith(b"id=") for entry in fields)
        eve.close()
        start(server, 2).close()
        admin.close()
    assert entries[0] == entries[1]
    assert len(entries[0]) == 6


CHANNELS = """
    a: ACL SETUSER bob on nopass +@all ~* resetchannels &news &shard* (+psubscribe &w*)
    b: AUTH bob x
    b: SUBSCRIBE news
    b: SUBSCRIBE news other
    b: PSUBSCRIBE w*
    b: PSUBSCRIBE wide*
    b: SSUBSCRIBE shard1 shard2
    c: AUTH bob x
    c: PUBLISH other hello
    c: PUBLISH news hello
    c: SPUBLISH shard1 hello
    c: SPUBLISH elsewhere hello
    c: PUBSUB CHANNELS
    a: ACL SETUSER bob &more
    a: PUBLISH news still
    a: ACL SETUSER bob resetchannels &news
    c: PING
    d: AUTH bob x
    d: SUBSCRIBE news
    a: ACL SETUSER bob resetchannels
    c: PUBLISH news x
    a: ACL DELUSER bob
"""


@pytest.mark.parametrize("protocol", [2, 3])
def test_channels(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    """Who may publish and subscribe, and who is closed because it may not any more."""
    seen = []
    for server in (oracle, subject):
        start(server, 2).close()
        seen.append(play(server, CHANNELS, protocol))
        start(server, 2).close()
    assert seen[0] == seen[1]
