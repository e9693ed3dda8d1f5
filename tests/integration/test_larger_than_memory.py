"""Data ten times the cache: nothing is lost or changed, and memory stays bounded.

A model in the test knows what each key must hold (a version from which the value follows); random reads,
writes and deletions are compared with it while entries leave the cache and come back, and again after a
restart.  Memory is what the process has for itself (``RssAnon``): mapped files are the system's cache.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import Client, Word
from tests.support.servers import SubjectServer, subject_is_stand_in

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(subject_is_stand_in(), reason="redis-server keeps all data in memory"),
]

MAXMEMORY: Final = 20 << 20
KEYS: Final = 50_000
VALUE_BYTES: Final = 4000  # 200 MB in all
STEPS: Final = 12_000
CHECKPOINT_BYTES: Final = 8 << 20
# Beside ``maxmemory``: what is dirty or in a running checkpoint, staged for the backend and in its own
# buffers, and what malloc keeps; measured 50 to 125 MB with these options.
CONSTANT_BYTES: Final = 150 << 20
PART: Final = 250


class Model:
    """What each key holds: a version, from which the value follows; absent keys are deleted."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.versions: dict[int, int] = {}
        self.next_version = 0

    @staticmethod
    def key(number: int) -> bytes:
        return b"key:%d" % number

    def value(self, number: int) -> bytes | None:
        version = self.versions.get(number)
        return None if version is None else random.Random(number << 32 | version).randbytes(VALUE_BYTES)

    def write(self, number: int) -> list[Word]:
        """The request that gives the key a new value."""
        self.next_version += 1
        self.versions[number] = self.next_version
        value = self.value(number)
        assert value is not None
        return ["SET", self.key(number), value]

    def step(self) -> tuple[list[Word], object]:
        """A random request and its reply."""
        number = self.random.randrange(KEYS)
        draw = self.random.random()
        if draw < 0.5:
            return ["GET", self.key(number)], self.value(number)
        if draw < 0.6:
            return ["STRLEN", self.key(number)], VALUE_BYTES if number in self.versions else 0
        if draw < 0.7:
            return ["EXISTS", self.key(number)], int(number in self.versions)
        if draw < 0.85:
            return self.write(number), b"OK"
        return ["DEL", self.key(number)], int(self.versions.pop(number, None) is not None)


def anonymous_bytes(server: SubjectServer) -> int:
    """Memory of the process that is not a mapped file."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the kernel does not say RssAnon")


def run_steps(client: Client, model: Model, server: SubjectServer) -> int:
    """Random requests, each reply compared; the most memory seen."""
    most = 0
    for _ in range(STEPS // 50):
        steps = [model.step() for _ in range(50)]
        replies = client.pipeline([request for request, _ in steps])
        for (request, expected), reply in zip(steps, replies, strict=True):
            assert reply == expected, request[:2]
        most = max(most, anonymous_bytes(server))
    return most


def wait_cache_within_limit(client: Client) -> None:
    """Return once the cache has shrunk to ``maxmemory``, though no command comes any more."""
    deadline = time.monotonic() + 20
    while True:
        lines = client.call("INFO", "memory").split(b"\r\n")
        used = int(next(line for line in lines if line.startswith(b"used_memory_dataset:")).split(b":")[1])
        if used <= MAXMEMORY:
            return
        assert time.monotonic() < deadline, f"the cache holds {used} bytes"
        time.sleep(0.05)


def check_keys(client: Client, model: Model) -> None:
    """Counts and names are exact."""
    assert client.call("DBSIZE") == len(model.versions)
    assert set(client.scan_all("COUNT", 1000)) == {model.key(number) for number in model.versions}


def test_ten_times_the_cache(backend: str, start_server: StartServer) -> None:
    """Random work on 200 MB in 20 MB, over restart and reload."""
    server = start_server(
        backend=backend,
        maxmemory=str(MAXMEMORY),
        appendfsync="everysec",
        checkpoint_wal_bytes=str(CHECKPOINT_BYTES),
        wal_segment_size="8mb",
        backend_cache="8mb",
    )
    model = Model(seed=1)
    baseline = anonymous_bytes(server)
    limit = baseline + MAXMEMORY + CONSTANT_BYTES
    most = 0
    with server.client(timeout_s=60) as client:
        for start in range(0, KEYS, PART):
            replies = client.pipeline([model.write(number) for number in range(start, start + PART)])
            assert replies == [b"OK"] * PART
            most = max(most, anonymous_bytes(server))
        most = max(most, run_steps(client, model, server))
        check_keys(client, model)
        assert most <= limit, f"{most >> 20} MB of memory, {baseline >> 20} MB at the start"
        wait_cache_within_limit(client)
        digest = client.call("DEBUG", "DIGEST")
        assert client.call("DEBUG", "RELOAD") == b"OK"
        assert client.call("DEBUG", "DIGEST") == digest
        most = max(most, anonymous_bytes(server))
    assert server.stop() == 0
    server.start()
    with server.client(timeout_s=60) as client:
        assert client.call("DEBUG", "DIGEST") == digest
        check_keys(client, model)
        most = max(most, run_steps(client, model, server))
        check_keys(client, model)
    server.kill9()
    server.start()
    with server.client(timeout_s=60) as client:
        check_keys(client, model)
        most = max(most, run_steps(client, model, server))
    print(f"{backend}: {most >> 20} MB at most, {baseline >> 20} MB at the start")  # pytest -rP shows it
    assert most <= limit, f"{most >> 20} MB of memory, {baseline >> 20} MB at the start"


@pytest.mark.parametrize("value_bytes", [2000, 1 << 20])
def test_memory_goes_back_to_the_system(value_bytes: int, start_server: StartServer) -> None:
    """After FLUSHALL the process is about as small as it was, not as large as it ever has been.

    Smaller values lie in Python's own arenas, of which a part stays.
    """
    server = start_server(appendfsync="no", backend_cache="8mb")
    before = anonymous_bytes(server)
    count = min(200_000, (100 << 20) // value_bytes)
    part = max(1, (1 << 20) // value_bytes)
    with server.client(timeout_s=60) as client:
        for start in range(0, count, part):
            client.pipeline(
                [["SET", b"key:%d" % number, bytes(value_bytes)] for number in range(start, start + part)]
            )
        assert client.call("SAVE") == b"OK"
        full = anonymous_bytes(server)
        assert full > before + (30 << 20)
        assert client.call("FLUSHALL") == b"OK"
        assert client.call("SAVE") == b"OK"
        deadline = time.monotonic() + 20
        while anonymous_bytes(server) > before + (full - before) // 2:
            if time.monotonic() > deadline:
                raise AssertionError(f"{anonymous_bytes(server) >> 20} of {full >> 20} MB are kept")
            time.sleep(0.05)
        assert client.call("MEMORY", "PURGE") == b"OK"
    assert anonymous_bytes(server) < before + (full - before) // 2
