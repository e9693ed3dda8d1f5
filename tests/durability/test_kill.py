"""kill -9 in the middle of writing, again and again on one directory: nothing acknowledged is lost.

What a process has handed to the kernel survives its death, so this holds in every ``appendfsync`` mode.
The suite checks more than loss: the data must be the outcome of a prefix of what each connection sent (so
nothing is half-applied, reordered or from the future), counters lie between acknowledged and sent, DBSIZE
equals what SCAN finds, and a checkpoint in the middle of the load changes none of that.
"""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backends import open_backend
from tests.support.client import Client, ErrorReply
from tests.support.servers import SYNC_MODES, ServerFailed, SubjectServer
from tests.support.writers import SHARED_COUNTER, Entry, Load, Writer, read_all
from tools.check import check_backend

pytestmark = [pytest.mark.durability, pytest.mark.slow]

WRITERS = 4
ROUNDS = 4


@pytest.fixture
def server(backend: str, data_directory: Path, request: pytest.FixtureRequest) -> Iterator[SubjectServer]:
    mode = getattr(request, "param", "always")
    options = {"backend": backend, "appendfsync": mode, "collection-compact-entries": "12"}
    with SubjectServer(data_directory, options) as started:
        yield started


@pytest.mark.parametrize("server", SYNC_MODES, indirect=True)
def test_kill_under_load(server: SubjectServer, backend: str) -> None:
    """Several rounds of writing, with a checkpoint on the way, each ended by SIGKILL."""
    writers = [Writer(number, seed=number) for number in range(WRITERS)]
    chance = random.Random(7)
    for round_number in range(ROUNDS):
        load = Load(writers)
        load.start(server)
        with server.client() as control:
            load.wait_acknowledged(chance.randrange(500, 6000))
            request_checkpoint(control, round_number)
            load.wait_acknowledged(load.acknowledged() + chance.randrange(1, 8000))
        server.kill9()
        load.join()
        server.start()
        with server.client() as client:
            check_survivors(client, writers, lost_max=0)
    assert server.stop() == 0
    opened = open_backend(backend, str(server.directory / backend), cache_bytes=8 << 20)
    try:
        assert check_backend(opened) == []
    finally:
        opened.close()


@pytest.mark.parametrize("server", ["always"], indirect=True)
def test_kill_while_recovering(server: SubjectServer) -> None:
    """A server killed while it starts starts again, and has lost nothing."""
    writers = [Writer(number, seed=100 + number) for number in range(WRITERS)]
    load = Load(writers)
    load.start(server)
    load.wait_acknowledged(5000)
    server.kill9()
    load.join()
    for _ in range(5):
        server.spawn()
        with contextlib.suppress(ServerFailed):
            server.wait_exit(random.SystemRandom().uniform(0.0, 0.5))  # kills it when the time is up
    server.start()
    with server.client() as client:
        check_survivors(client, writers, lost_max=0)


@pytest.mark.parametrize("server", SYNC_MODES, indirect=True)
def test_stop_under_load(server: SubjectServer) -> None:
    """SIGTERM under load: exit code 0 and every acknowledged write is there afterwards."""
    writers = [Writer(number, seed=200 + number) for number in range(WRITERS)]
    load = Load(writers)
    load.start(server)
    load.wait_acknowledged(2000)
    assert server.stop(signal.SIGTERM) == 0, server.output()
    load.join()
    server.start()
    with server.client() as client:
        check_survivors(client, writers, lost_max=0)


def test_flush_is_durable(server: SubjectServer) -> None:
    """An acknowledged FLUSHALL or FLUSHDB stays flushed, and writes after it stay."""
    with server.client() as client:
        client.pipeline([("SET", b"k%d" % number, "old") for number in range(2000)])
        client.pipeline([("SELECT", 1), ("SET", "other", "kept"), ("SELECT", 0)])
        client.pipeline([("FLUSHDB",), ("SET", "k1", "new")])
    server.kill9()
    server.start()
    with server.client() as client:
        assert read_all(client) == {b"k1": (b"new", -1)}
        assert client.pipeline([("SELECT", 1), ("GET", "other")])[1] == b"kept"
        client.pipeline([("FLUSHALL",), ("SELECT", 3), ("SET", "last", "3")])
    server.kill9()
    server.start()
    with server.client() as client:
        assert read_all(client) == {}
        assert client.pipeline([("SELECT", 1), ("DBSIZE",), ("SELECT", 3), ("DBSIZE",)])[1::2] == [0, 1]


def test_large_values_survive(server: SubjectServer) -> None:
    """Values and keys far beyond a log buffer or a backend's page come back whole."""
    values = {
        b"big%d" % number: bytes([65 + number]) * (1 << shift)
        for number, shift in enumerate((10, 16, 20, 24))
    }
    values[b"k" * 100_000] = b"long key"
    values[bytes(range(256)) * 4] = bytes(range(256))
    with server.client() as client:
        for key, value in values.items():
            assert client.call("SET", key, value) == b"OK"
    server.kill9()
    server.start()
    with server.client() as client:
        for key, value in values.items():
            assert client.call("GET", key) == value
        assert client.call("DEBUG", "RELOAD") == b"OK"
        for key, value in values.items():
            assert client.call("GET", key) == value


def request_checkpoint(client: Client, round_number: int) -> None:
    """One way of making a checkpoint for each round."""
    match round_number % 3:
        case 0:
            reply = client.call("BGSAVE")
        case 1:
            reply = client.call("DEBUG", "RELOAD")
        case _:
            reply = client.call("SAVE")
    assert not isinstance(reply, ErrorReply), reply.text


def check_survivors(client: Client, writers: list[Writer], lost_max: int) -> int:
    """Compare the data with what the writers are owed; return how many acknowledged operations are gone."""
    found = read_all(client)
    shared = found.pop(SHARED_COUNTER, None)
    strangers = [key for key in found if not key.startswith(b"w")]
    assert not strangers, f"keys that nobody wrote: {strangers[:5]}"
    lost = 0
    for writer in writers:
        prefix = writer.surviving_prefix(found)
        assert prefix.start <= writer.sent
        missing = max(0, writer.acknowledged - (prefix.stop - 1))
        lost += missing
        assert missing <= lost_max, (
            f"{writer.name!r}: {missing} acknowledged operations lost "
            f"({writer.acknowledged} acknowledged, {prefix.stop - 1} survived, {writer.sent} sent)"
        )
        writer.begin_round(own_entries(found, writer))
    check_shared_counter(shared, writers, exact=lost_max == 0)
    return lost


def own_entries(found: dict[bytes, Entry], writer: Writer) -> dict[bytes, Entry]:
    """The part of the data that one writer owns."""
    return {key: entry for key, entry in found.items() if key.startswith(writer.name + b":")}


def check_shared_counter(shared: Entry, writers: list[Writer], *, exact: bool) -> None:
    """The counter that all writers raise is at least what was acknowledged and at most what was sent."""
    value = int(shared[0]) if shared else 0
    sent = sum(writer.shared_sent for writer in writers)
    acknowledged = sum(writer.shared_acknowledged for writer in writers)
    assert value <= sent, f"the counter stands at {value}, and only {sent} increments were sent"
    if exact:
        assert value >= acknowledged, (
            f"the counter stands at {value} of {acknowledged} acknowledged increments"
        )
