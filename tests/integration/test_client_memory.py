"""maxmemory-clients: who takes most is closed, and nobody else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.servers import SubjectServer

PATIENCE_S = 20


def test_the_largest_are_closed_unless_they_are_spared(tmp_path: Path) -> None:
    with SubjectServer(tmp_path / "data") as server:
        control, small, large, spared = (server.client() for _ in range(4))
        spared.call("CLIENT", "NO-EVICT", "on")
        for client, words in ((small, 10), (large, 500), (spared, 1000)):
            client.pipeline([("MULTI",), *[("SET", "k", "x" * 1000)] * words])
        assert control.call("CONFIG", "SET", "maxmemory-clients", "1200kb") == b"OK"
        deadline = time.monotonic() + PATIENCE_S
        while b"evicted_clients:1\r" not in control.call("INFO", "stats"):
            assert time.monotonic() < deadline, "nobody was closed"
        with pytest.raises(ConnectionError):
            large.call("PING")
        assert len(small.call("EXEC")) == 10
        assert len(spared.call("EXEC")) == 1000
        for client in (control, small, large, spared):
            client.close()


def test_a_share_of_maxmemory(tmp_path: Path) -> None:
    with SubjectServer(tmp_path / "data", {"maxmemory": "100mb"}) as server:
        control, large = server.client(), server.client()
        assert control.call("CONFIG", "SET", "maxmemory-clients", "1%") == b"OK"
        large.call("MULTI")
        with pytest.raises(ConnectionError):
            large.pipeline([("SET", "k", "x" * 50_000)] * 1000)
        assert b"evicted_clients:1\r" in control.call("INFO", "stats")
        control.close()
        large.close()
