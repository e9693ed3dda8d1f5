"""Wrong numbers of arguments, for every command and subcommand that the subject has.

The subject's own COMMAND LIST says which; redis-server says what the reply is.  A command that redis-server
does not know is left out: the table test over COMMAND INFO covers those.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Client, ErrorReply
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

ARGUMENTS_MAX = 4
# With any number of arguments these wait, stop the server, or turn the connection into something else.
LEFT_ALONE = frozenset(
    [
        "shutdown",
        "monitor",
        "sync",
        "psync",
        "debug",
        "subscribe",
        "psubscribe",
        "ssubscribe",
        "replicaof",
        "slaveof",
        "failover",
        "quit",
    ]
)


def arities(client: Client) -> dict[tuple[str, ...], int]:
    """Every command and subcommand with its arity as COMMAND INFO gives it."""
    found: dict[tuple[str, ...], int] = {}
    for entry in client.call("COMMAND"):
        name = bytes(entry[0]).decode()
        if name in LEFT_ALONE:
            continue
        found[(name,)] = entry[1]
        for child in entry[9]:
            found[tuple(bytes(child[0]).decode().split("|"))] = child[1]
    return found


def wrong_calls(words: tuple[str, ...], arity: int) -> list[list[str]]:
    """Calls with too few words, and with one too many where there is a maximum."""
    calls = [[*words, *["1"] * more] for more in range(max(0, abs(arity) - len(words)))]
    if arity >= 0:
        calls += [[*words, *["1"] * (arity - len(words) + more)] for more in (1, 2)]
    return calls


def test_wrong_numbers_of_arguments(oracle: OracleServer, subject: SubjectServer) -> None:
    differences: list[tuple[list[str], Any, Any]] = []
    compared = 0
    with oracle.client() as expected_from, subject.client() as client:
        known = arities(expected_from)
        for words, arity in sorted(arities(client).items()):
            if words not in known:
                continue
            assert arity == known[words], words
            for call in wrong_calls(words, arity):
                expected, actual = expected_from.call(*call), client.call(*call)
                assert isinstance(expected, ErrorReply), call
                compared += 1
                if repr(expected) != repr(actual):
                    differences.append((call, expected, actual))
    assert not differences, "\n".join(map(str, differences))
    assert compared > 150
