"""Random sequences on the subject and on redis-server: the same keyspace events and invalidations.

The sequences are those of ``test_random.py``; a client listens to everything but keys that were asked for in
vain (in which order depends on how a set is kept), those that have expired and those that are new (which is
a matter of time where a key lives for a millisecond).
"""

from __future__ import annotations

import random
import zlib
from typing import Any

import pytest

from tests.differential.generators.registry import GENERATORS
from tests.differential.generators.source import Source
from tests.support.client import Client
from tests.support.pair import Pair
from tests.support.servers import OracleServer, ServerProcess, SubjectServer

pytestmark = pytest.mark.differential

SEQUENCES = 4
STEPS = 100
GROUPS = [group for group in GENERATORS if group not in ("server", "mixed")]


def listen(server: ServerProcess) -> Client:
    """A client that gets all events."""
    client = server.client()
    assert client.call("CONFIG", "SET", "notify-keyspace-events", "EA") == b"OK"
    client.call("PSUBSCRIBE", "__keyevent@*")
    return client


def heard(client: Client) -> list[Any]:
    """The events since the last time: channel and key."""
    mark = b"%d" % random.getrandbits(60)
    client.send("PING", mark)
    found = []
    while (reply := client.read_reply()) != [b"pong", mark]:
        if not reply[2].endswith(b":expired"):
            found.append(reply[2:])
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_events_of_random_commands(group: str, oracle: OracleServer, subject: SubjectServer) -> None:
    pair = Pair(oracle, subject, 2)
    listeners = [listen(server) for server in (oracle, subject)]
    count = 0
    try:
        for number in range(SEQUENCES):
            seed = zlib.crc32(f"events {group} {number}".encode())
            source = Source(seed)
            pair.reset()
            for listener in listeners:
                heard(listener)
            before: list[str] = []
            for _ in range(STEPS):
                step = GENERATORS[group](source)
                before.append(step.text)
                if pair.run(step) is not None:
                    break  # replies are the business of test_random; what has expired is a matter of time
                expected, actual = map(heard, listeners)
                count += len(expected)
                assert actual == expected, f"seed {seed}: {before[-8:]}"
    finally:
        pair.close()
        for listener in listeners:
            listener.close()
    assert count > 20, "the sequences are of no use"


WITHOUT_EXPIRY = [
    "bitmaps",
    "hashes",
    "sets",
    "sorted_sets",
    "lists",
    "streams",
    "geo",
    "hyperloglog",
    "sort",
]
MAY_CHANGE_NOTHING = {b"PFMERGE", b"LMOVE", b"RPOPLPUSH", b"LTRIM"}  # Redis tells clients nevertheless


def broadcast_to(server: ServerProcess) -> Client:
    """A client that is told of every key that changes."""
    client = server.client()
    client.call("HELLO", 3)
    assert client.call("CLIENT", "TRACKING", "ON", "BCAST") == b"OK"
    return client


def told(client: Client) -> set[bytes]:
    """The keys that a client was told of since the last time; twice a mark, as they leave at a turn's end."""
    keys: set[bytes] = set()
    for _ in range(2):
        mark = b"%d" % random.getrandbits(60)
        client.send("PING", mark)
        while (reply := client.read_reply()) != mark:
            keys.update(reply[1] or ())
    return keys


@pytest.mark.parametrize("group", WITHOUT_EXPIRY)
def test_no_change_is_kept_from_clients_that_cache(
    group: str, oracle: OracleServer, subject: SubjectServer
) -> None:
    """Whatever redis-server invalidates is invalidated."""
    pair = Pair(oracle, subject, 2)
    trackers = [broadcast_to(server) for server in (oracle, subject)]
    count = 0
    try:
        for number in range(SEQUENCES):
            seed = zlib.crc32(f"invalidations {group} {number}".encode())
            source = Source(seed)
            pair.reset()
            for tracker in trackers:
                told(tracker)
            for _ in range(STEPS):
                step = GENERATORS[group](source)
                if pair.run(step) is not None:
                    break  # replies are the business of test_random; what has expired is a matter of time
                expected, actual = map(told, trackers)
                count += len(expected)
                if step.words and step.words[0].upper() not in MAY_CHANGE_NOTHING:
                    assert expected <= actual, f"seed {seed}: {step.text}"
    finally:
        pair.close()
        for tracker in trackers:
            tracker.close()
    assert count > 20, "the sequences are of no use"
