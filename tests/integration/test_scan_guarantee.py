"""SCAN's guarantee over everything that moves keys about: writers, checkpoints, restarts.

A key that is there from the first call to the last is returned at least once, whatever happens to others
and however COUNT changes (https://redis.io/docs/latest/commands/scan/, "Scan guarantees"); a key that was
never there is never returned.  The cursor is a place and holds no state, so it survives the process.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.client import Client
from tests.support.servers import SubjectServer, subject_is_stand_in

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(subject_is_stand_in(), reason="redis-server's cursors end with the process"),
]

STABLE: Final = 6000
PASSING: Final = 3000
COUNTS: Final = (1, 2, 7, 10, 100, 999, 5000)


@pytest.fixture
def server(backend: str, tmp_path: Path) -> Iterator[SubjectServer]:
    options = {"backend": backend, "appendfsync": "no", "checkpoint-wal-bytes": "1mb", "maxmemory": "2mb"}
    with SubjectServer(tmp_path / "data", options) as started:
        yield started


class Churn:
    """A thread that adds and deletes passing keys, some in the same slots as stable ones."""

    def __init__(self, server: SubjectServer, seed: int) -> None:
        self._random = random.Random(seed)
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Churn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._server.client() as client:
                while not self._stop.is_set():
                    client.pipeline([self._request() for _ in range(20)])
        except ConnectionError:
            pass  # the server is restarted

    def _request(self) -> list[bytes]:
        number = self._random.randrange(PASSING)
        key = b"passing:%d" % number if number % 2 else b"{stable:%d}passing" % number
        return [b"SET", key, b"x" * 100] if self._random.random() < 0.5 else [b"DEL", key]


def fill(client: Client) -> set[bytes]:
    """The stable keys: half of them checkpointed and out of the cache, half only in the log."""
    keys = [b"stable:%d" % number for number in range(STABLE)]
    client.pipeline([("SET", key, b"v" * 200) for key in keys[::2]])
    assert client.call("DEBUG", "RELOAD") == b"OK"
    client.pipeline([("SET", key, b"v" * 200) for key in keys[1::2]])
    return set(keys)


def check_found(found: Counter[bytes], stable: set[bytes]) -> None:
    missing = stable - found.keys()
    assert not missing, f"{len(missing)} keys were there all the time and not returned: {sorted(missing)[:5]}"
    strangers = [key for key in found.keys() - stable if b"passing" not in key]
    assert not strangers, strangers[:5]


def test_guarantee_under_change(server: SubjectServer) -> None:
    """COUNT varies from call to call while others add, delete, and checkpoints run."""
    chance = random.Random(11)
    with server.client() as client:
        stable = fill(client)
        for _ in range(2):
            found: Counter[bytes] = Counter()
            cursor = b"0"
            with Churn(server, seed=chance.randrange(1000)):
                for step in range(1_000_000):
                    if step % 40 == 20:
                        assert client.call("BGSAVE") is not None
                    cursor, keys = client.call("SCAN", cursor, "COUNT", chance.choice(COUNTS[:5]))
                    found.update(keys)
                    if cursor == b"0":
                        break
            check_found(found, stable)
            # Places are ordered: a stable key is met once, not again and again.
            assert all(found[key] == 1 for key in stable)


def test_cursor_survives_restarts(server: SubjectServer) -> None:
    """An iteration goes on over clean stops and kills."""
    chance = random.Random(12)
    found: Counter[bytes] = Counter()
    cursor = b"0"
    with server.client() as client:
        stable = fill(client)
    for round_number in range(1_000_000):
        with server.client() as client, Churn(server, seed=round_number):
            for _ in range(12 if round_number < 4 else 1_000_000):
                cursor, keys = client.call("SCAN", cursor, "COUNT", 60)
                found.update(keys)
                if cursor == b"0":
                    break
        if cursor == b"0":
            break
        if chance.random() < 0.5:
            server.kill9()
        else:
            assert server.stop() == 0
        server.start()
    assert round_number >= 4
    check_found(found, stable)


@pytest.mark.parametrize("count", COUNTS)
def test_counts(subject: SubjectServer, count: int) -> None:
    """Each COUNT finds all keys once, whether they are cached, cold, both, or gone."""
    keys = {b"k%d" % number for number in range(700)}
    with subject.client() as client:
        client.pipeline([("SET", key, "v") for key in keys])
        client.pipeline([("SET", b"gone%d" % number, "v") for number in range(200)])
        client.call("DEBUG", "RELOAD")
        client.pipeline([("DEL", b"gone%d" % number) for number in range(200)])
        client.pipeline([("SET", key, "new") for key in sorted(keys)[::3]])
        for _ in range(2):
            found = client.scan_all("COUNT", count)
            assert len(found) == len(keys)
            assert set(found) == keys
            assert sorted(client.call("KEYS", "*")) == sorted(keys)
            client.call("DEBUG", "RELOAD")


def test_keys_of_one_slot(subject: SubjectServer) -> None:
    """Hash tags put everything into one slot; small steps still get through it."""
    keys = {b"{tag}%d" % number for number in range(1500)}
    with subject.client() as client:
        client.pipeline([("SET", key, "v") for key in keys])
        assert sorted(client.scan_all("COUNT", 3)) == sorted(keys)
        client.call("DEBUG", "RELOAD")
        assert sorted(client.scan_all("COUNT", 3)) == sorted(keys)


def test_random_key_reaches_cold_and_hot(subject: SubjectServer) -> None:
    """RANDOMKEY prefers neither what is in memory nor what is on disk, and no key much."""
    cold = [b"cold:%d" % number for number in range(150)]
    hot = [b"hot:%d" % number for number in range(50)]
    draws = 8000
    with subject.client() as client:
        client.pipeline([("SET", key, "v") for key in cold])
        client.call("DEBUG", "RELOAD")
        client.pipeline([("SET", key, "v") for key in hot])
        client.pipeline([("GET", key) for key in hot])
        drawn = Counter(client.pipeline([("RANDOMKEY",)] * draws))
    assert set(drawn) == set(cold) | set(hot)
    share = sum(drawn[key] for key in hot) / draws
    # A quarter, give or take: keys lie at random places, so gaps between them differ (as with Redis's
    # buckets); a choice of 16 neighbours evens that out.
    assert 0.15 < share < 0.35
    assert max(drawn.values()) < 5 * draws / 200
    assert min(drawn.values()) > draws / 200 / 20
