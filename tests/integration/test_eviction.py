"""``maxmemory-policy``: who may be evicted, that memory stays bounded, that ``noeviction`` loses nothing.

The policies other than ``noeviction`` make the server a cache as in Redis: they delete keys, also from the
disk.  Their errors are compared with redis-server's own words.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import Client, ErrorReply
from tests.support.servers import SubjectServer, subject_is_stand_in

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(subject_is_stand_in(), reason="the sizes are chosen for this server"),
]

MAXMEMORY: Final = 8 << 20
VALUE: Final = b"v" * 1000
KEYS: Final = 20_000  # 20 MB and more
PASSING: Final = 10_000
ALL_KEYS: Final = ("allkeys-lru", "allkeys-lfu", "allkeys-random")
VOLATILE: Final = ("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl")
OUT_OF_MEMORY: Final = b"OOM command not allowed when used memory > 'maxmemory'."


def info(client: Client, name: bytes) -> int:
    """One number of INFO."""
    for line in client.call("INFO", "everything").split(b"\r\n"):
        if line.startswith(name + b":"):
            return int(line.partition(b":")[2])
    raise AssertionError(f"INFO has no {name!r}")


def start(start_server: StartServer, policy: str, **options: str) -> SubjectServer:
    return start_server(
        **{"appendfsync": "no", "maxmemory": str(MAXMEMORY), "maxmemory_policy": policy, **options}
    )


def write(client: Client, prefix: bytes, count: int = KEYS, *options: str) -> tuple[int, int]:
    """Write keys; how many were taken, and the most the data took meanwhile."""
    taken = most = 0
    for begin in range(0, count, 250):
        requests = [
            ("SET", b"%b:%d" % (prefix, number), VALUE, *options) for number in range(begin, begin + 250)
        ]
        replies = client.pipeline(requests)
        taken += replies.count(b"OK")
        refused = [reply for reply in replies if reply != b"OK"]
        assert all(reply == OUT_OF_MEMORY and isinstance(reply, ErrorReply) for reply in refused), refused[:2]
        most = max(most, info(client, b"used_memory_dataset"))
    return taken, most


@pytest.mark.parametrize("policy", ALL_KEYS)
def test_all_keys_are_candidates(start_server: StartServer, policy: str) -> None:
    """Every write is taken, keys go instead, each is counted, and what went stays gone after a restart."""
    server = start(start_server, policy)
    with server.client() as client:
        taken, most = write(client, b"k")
        assert taken == KEYS
        assert most <= MAXMEMORY * 1.5
        size, text = client.pipeline([("DBSIZE",), ("INFO", "stats")])
        assert 0 < size < KEYS
        assert b"evicted_keys:%d\r\n" % (KEYS - size) in text
    server.kill9()
    server.start()
    with server.client() as client:
        assert client.call("DBSIZE") <= size
        assert len(client.scan_all("COUNT", 1000)) <= size


@pytest.mark.parametrize("policy", VOLATILE)
def test_only_volatile_keys_go(start_server: StartServer, policy: str) -> None:
    """Keys without an expiry stay, all of them; keys with one make room."""
    server = start(start_server, policy)
    with server.client() as client:
        assert write(client, b"lasting", 1500)[0] == 1500
        taken, most = write(client, b"passing", PASSING, "EX", "10000")
        assert taken == PASSING
        assert most <= MAXMEMORY * 1.5
        names = client.scan_all("COUNT", 1000)
        assert sum(name.startswith(b"lasting") for name in names) == 1500
        # Eviction may still be going on: both numbers must be of one moment.
        size, text = client.pipeline([("DBSIZE",), ("INFO", "stats")])
        assert size <= len(names) < PASSING
        assert b"evicted_keys:%d\r\n" % (1500 + PASSING - size) in text


@pytest.mark.parametrize("policy", VOLATILE)
def test_without_candidates_writes_are_refused(start_server: StartServer, policy: str) -> None:
    """As Redis: an error, nothing evicted, reading and deleting go on, and deleting makes room."""
    server = start(start_server, policy)
    with server.client() as client:
        taken, most = write(client, b"lasting")
        assert 0 < taken < KEYS
        assert most <= MAXMEMORY * 1.5
        assert client.call("DBSIZE") == taken
        assert info(client, b"evicted_keys") == 0
        keys = client.scan_all("COUNT", 1000)
        assert client.call("APPEND", "n", "x") == OUT_OF_MEMORY
        assert client.call("GET", keys[0]) == VALUE
        assert client.call("DEL", *keys[: len(keys) // 2]) == len(keys) // 2
        assert client.call("SAVE") == b"OK"
        taken, _ = write(client, b"again", 250)
        assert taken == 250


def test_the_error_is_that_of_redis(start_server: StartServer, oracle: object) -> None:
    """redis-server's text for the same situation."""
    with oracle.client() as client:  # type: ignore[attr-defined]
        assert client.call("CONFIG", "SET", "maxmemory-policy", "volatile-lru", "maxmemory", "100kb") == b"OK"
        assert client.call("SET", "k", VALUE) == OUT_OF_MEMORY
        client.call("CONFIG", "SET", "maxmemory", "0")


def test_volatile_ttl_prefers_the_soonest(start_server: StartServer) -> None:
    """Keys that would have gone soon go first."""
    server = start(start_server, "volatile-ttl", maxmemory_samples="10")
    with server.client() as client:
        write(client, b"late", 3000, "EX", "1000000")
        write(client, b"soon", 3000, "EX", "10000")
        write(client, b"late2", 3000, "EX", "1000000")
        names = client.scan_all("COUNT", 1000)
        late = sum(name.startswith(b"late:") for name in names)
        soon = sum(name.startswith(b"soon:") for name in names)
    assert soon < 3000
    assert 3000 - soon > 3 * (3000 - late)


def test_used_keys_stay(start_server: StartServer) -> None:
    """Under allkeys-lru what is read all the time survives what is written once."""
    server = start(start_server, "allkeys-lru")
    used = [b"used:%d" % number for number in range(500)]
    with server.client() as client:
        client.pipeline([("SET", key, VALUE) for key in used])
        for begin in range(0, 30_000, 500):
            client.pipeline([("SET", b"once:%d" % number, VALUE) for number in range(begin, begin + 500)])
            client.pipeline([("GET", key) for key in used])
        left = sum(client.pipeline([("EXISTS", key) for key in used]))
    assert left > 450


def test_small_values_do_not_fill_memory_with_tombstones(start_server: StartServer) -> None:
    """Evicted keys wait for the checkpoint as deletions: they must not push out everything else."""
    server = start(start_server, "allkeys-random", maxmemory="4mb")
    with server.client() as client:
        for begin in range(0, 120_000, 1000):
            replies = client.pipeline([("SET", b"%d" % number, b"") for number in range(begin, begin + 1000)])
            assert replies == [b"OK"] * 1000
        assert client.call("DBSIZE") > 5000


def test_noeviction_loses_nothing(backend: str, start_server: StartServer) -> None:
    """More data than memory is no reason to refuse or to delete anything."""
    server = start(start_server, "noeviction", backend=backend, checkpoint_wal_bytes="4mb")
    with server.client() as client:
        taken, _ = write(client, b"k")
        assert taken == KEYS
        assert client.call("DBSIZE") == KEYS
        assert info(client, b"evicted_keys") == 0
    server.kill9()
    server.start()
    with server.client() as client:
        assert client.call("DBSIZE") == KEYS
        for begin in range(0, KEYS, 500):
            keys = [b"k:%d" % number for number in range(begin, begin + 500)]
            assert client.call("MGET", *keys) == [VALUE] * 500


def test_data_on_disk_counts(start_server: StartServer) -> None:
    """A restart starts with an empty cache; the data, not what is loaded, must fit ``maxmemory``."""
    server = start(start_server, "allkeys-random")
    for round_number in range(4):
        with server.client() as client:
            write(client, b"round%d" % round_number, 8000)
            size = client.call("DBSIZE")
        assert server.stop() == 0
        server.start()
    assert size * len(VALUE) <= MAXMEMORY * 1.5
