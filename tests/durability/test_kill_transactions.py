"""kill -9 in the middle of transactions: each EXEC is there as a whole or not at all.

Every transaction of a client counts up several keys of several types in two databases, so after a crash all
of them say the same number.  A shared counter is counted up by WATCH, GET, MULTI, SET, EXEC: an update that
was lost to a race would show as fewer counts than successes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, Word
from tests.support.servers import SYNC_MODES, SubjectServer

pytestmark = [pytest.mark.durability, pytest.mark.slow]

CLIENTS = 4
ROUNDS = 3


@pytest.fixture
def server(backend: str, data_directory: Path, request: pytest.FixtureRequest) -> Iterator[SubjectServer]:
    options = {"backend": backend, "appendfsync": request.param}
    with SubjectServer(data_directory, options) as started:
        yield started


class Transactor:
    """One client that counts by transactions until the server is gone."""

    def __init__(self, number: int) -> None:
        self.name = b"t%d" % number
        self.sent = self.acknowledged = 0
        self.shared_sent = self.shared_acknowledged = 0
        self.enough = threading.Event()

    def run(self, server: SubjectServer) -> None:
        """Count until the connection breaks."""
        try:
            with server.client() as client:
                while True:
                    self.count(client)
                    self.count_shared(client)
                    if self.acknowledged % 50 == 0:
                        self.enough.set()
        except (ConnectionError, OSError):
            pass
        finally:
            self.enough.set()

    def count(self, client: Client) -> None:
        """One transaction over all types."""
        name, number = self.name, self.sent + 1
        commands: list[tuple[Word, ...]] = [
            ("MULTI",),
            ("INCR", name + b":n"),
            ("HSET", name + b":h", "n", number),
            ("RPUSH", name + b":l", number),
            ("ZADD", name + b":z", number, "n"),
            ("SELECT", 1),
            ("SET", name, number, "PX", 1_000_000_000),
            ("SELECT", 0),
            ("XADD", name + b":x", f"{number}-1", "n", number),
            ("EXEC",),
        ]
        self.sent = number
        replies = client.pipeline(commands)
        assert replies[-1][0] == number
        self.acknowledged = number

    def count_shared(self, client: Client) -> None:
        """One attempt to count up what all share."""
        seen = int(client.pipeline([("WATCH", "shared"), ("GET", "shared")])[1] or 0)
        self.shared_sent += 1
        replies = client.pipeline([("MULTI",), ("SET", "shared", seen + 1), ("EXEC",)])
        self.shared_acknowledged += replies[-1] == [b"OK"]  # else it is the null array

    def check(self, client: Client) -> None:
        """All keys say the same number, at least the acknowledged one; go on from there."""
        name = self.name
        found = [
            int(client.call("GET", name + b":n") or 0),
            int(client.call("HGET", name + b":h", "n") or 0),
            client.call("LLEN", name + b":l"),
            int(float(client.call("ZSCORE", name + b":z", "n") or 0)),
            int(client.pipeline([("SELECT", 1), ("GET", name), ("SELECT", 0)])[1] or 0),
            client.call("XLEN", name + b":x"),
        ]
        assert len(set(found)) == 1, found
        assert self.acknowledged <= found[0] <= self.sent
        self.sent = self.acknowledged = found[0]


@pytest.mark.parametrize("server", SYNC_MODES, indirect=True)
def test_whole_or_not_at_all(server: SubjectServer) -> None:
    chance = random.Random(5)
    clients = [Transactor(number) for number in range(CLIENTS)]
    for round_number in range(ROUNDS):
        threads = [threading.Thread(target=client.run, args=(server,)) for client in clients]
        for client in clients:
            client.enough.clear()
        for thread in threads:
            thread.start()
        for client in clients:
            client.enough.wait()
        if round_number:
            with server.client() as control:
                control.call("BGSAVE")
                for _ in range(chance.randrange(50)):
                    control.call("PING")
        server.kill9()
        for thread in threads:
            thread.join()
        server.start()
        with server.client() as control:
            for client in clients:
                client.check(control)
            shared = int(control.call("GET", "shared"))
            successes = sum(client.shared_acknowledged for client in clients)
            assert successes <= shared <= successes + CLIENTS * (round_number + 1)
    assert all(client.acknowledged for client in clients)
    assert server.stop() == 0
