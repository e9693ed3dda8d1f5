"""Syncing in a worker, switching ``appendfsync`` under load, WAITAOF: each promise over kill and power cut.

``wal-sync-mode thread`` lets batches go on while a sync runs, so replies must be held back until the sync
that covers them has ended; a change of mode must not let any of them out early.  The method and its judge
are those of the kill and the power cut suites.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.durability.test_kill import check_survivors
from tests.durability.test_power_cut import cut_power
from tests.support.client import Client
from tests.support.loop_device import LoopDisk, require_loop_devices
from tests.support.servers import SYNC_MODES, SubjectServer, subject_is_stand_in
from tests.support.writers import Load, Writer

pytestmark = [
    pytest.mark.durability,
    pytest.mark.slow,
    pytest.mark.skipif(subject_is_stand_in(), reason="redis-server has no such options"),
]

WRITERS: Final = 4
SWITCHES: Final = ("no", "everysec", "always", "no", "always", "everysec", "no", "always")
PATIENCE_S: Final = 20.0


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    require_loop_devices(tmp_path)
    return tmp_path


@pytest.fixture
def server(backend: str, data_directory: Path) -> Iterator[SubjectServer]:
    options = {"backend": backend, "appendfsync": "always", "wal-sync-mode": "thread"}
    with SubjectServer(data_directory, options) as started:
        yield started


class SwitchingServer(SubjectServer):
    """Goes through the sync modes under load before it freezes; it ends under ``always``."""

    def freeze(self) -> None:
        with self.client() as client:
            for mode in SWITCHES:
                assert client.call("CONFIG", "SET", "appendfsync", mode) == b"OK"
                for _ in range(20):
                    client.call("INCR", "shared")
        super().freeze()


def durability_facts(client: Client) -> dict[bytes, bytes]:
    """INFO's section ``durability``."""
    lines = client.call("INFO", "durability").split(b"\r\n")
    return dict(line.split(b":", 1) for line in lines if b":" in line)


def test_power_cut_with_syncs_in_a_worker(backend: str, scratch: Path) -> None:
    """No reply leaves before the worker's sync has ended: nothing acknowledged is lost."""
    options = {"backend": backend, "appendfsync": "always", "wal-sync-mode": "thread"}
    cut = cut_power(scratch, lambda path: SubjectServer(path, options), "always", checkpoint=True)
    assert cut.lost == 0, str(cut)


@pytest.mark.parametrize("sync_mode", ["inline", "thread"])
def test_power_cut_after_switching_back(backend: str, sync_mode: str, scratch: Path) -> None:
    """Once CONFIG SET has brought ``always`` back, everything answered is durable, the past included."""
    options = {"backend": backend, "appendfsync": "always", "wal-sync-mode": sync_mode}
    cut = cut_power(scratch, lambda path: SwitchingServer(path, options), "always")
    assert cut.lost == 0, str(cut)


def test_kill_with_syncs_in_a_worker(server: SubjectServer) -> None:
    """Three rounds of load and SIGKILL, with both options switched all the time."""
    writers = [Writer(number, seed=400 + number) for number in range(WRITERS)]
    for round_number in range(3):
        load = Load(writers)
        load.start(server)
        with server.client() as control:
            for number, mode in enumerate(SWITCHES):
                load.wait_acknowledged(load.acknowledged() + 400)
                assert control.call("CONFIG", "SET", "appendfsync", mode) == b"OK"
                sync_mode = ("thread", "inline", "auto")[(number + round_number) % 3]
                assert control.call("CONFIG", "SET", "wal-sync-mode", sync_mode) == b"OK"
            load.wait_acknowledged(load.acknowledged() + 400)
        server.kill9()
        load.join()
        server.start()
        with server.client() as client:
            check_survivors(client, writers, lost_max=0)


def test_replies_keep_their_order(server: SubjectServer) -> None:
    """Reads behind a write on one connection see it, and pipelines over many held batches stay in order."""
    with server.client() as client, server.client() as other:
        for number in range(200):
            client.send("SET", "k", number)
            client.send("GET", "k")
            client.send("INCR", "counter")
            other.send("INCR", "counter")
            assert client.read_replies(2) == [b"OK", b"%d" % number]
            mine, theirs = client.read_reply(), other.read_reply()
            assert {mine, theirs} == {2 * number + 1, 2 * number + 2}
        assert durability_facts(client)[b"log_sync_in_loop"] == b"0"


def test_always_means_durable_at_the_reply(server: SubjectServer) -> None:
    """Under ``always`` the log is durable as far as an idle client's replies go."""
    with server.client() as client:
        for number in range(50):
            client.call("SET", b"k%d" % number, "x")
            found = durability_facts(client)
            assert found[b"log_durable"] == found[b"log_written"] == found[b"log_position"]


def test_everysec_syncs_by_itself(server: SubjectServer) -> None:
    """Under ``everysec`` what was written becomes durable though nobody asks."""
    with server.client() as client:
        client.call("CONFIG", "SET", "appendfsync", "everysec")
        client.pipeline([("INCR", "n")] * 100)
        wait_durable(client)


def test_switching_to_always_syncs_the_past(server: SubjectServer) -> None:
    """The reply to ``CONFIG SET appendfsync always`` comes when all that went before is durable."""
    with server.client() as client:
        client.call("CONFIG", "SET", "appendfsync", "no")
        client.pipeline([("INCR", "n")] * 100)
        assert client.call("CONFIG", "SET", "appendfsync", "always") == b"OK"
        found = durability_facts(client)
        assert found[b"log_durable"] == found[b"log_written"]


@pytest.mark.parametrize("mode", SYNC_MODES)
@pytest.mark.parametrize("sync_mode", ["inline", "thread"])
def test_waitaof(server: SubjectServer, mode: str, sync_mode: str) -> None:
    """WAITAOF 1 0 makes it durable in every mode; no replica can ever confirm."""
    with server.client() as client:
        client.call("CONFIG", "SET", "wal-sync-mode", sync_mode, "appendfsync", mode)
        for _ in range(20):
            client.call("INCR", "n")
            assert client.call("WAITAOF", 1, 0, 0) == [1, 0]
            found = durability_facts(client)
            assert found[b"log_durable"] == found[b"log_written"] == found[b"log_position"]
        client.send("INCR", "n")
        client.send("WAITAOF", 1, 0, 0)
        client.send("INCR", "n")
        assert client.read_replies(3) == [21, [1, 0], 22]
        assert client.call("WAITAOF", 0, 1, 1)[1] == 0


def test_power_cut_after_waitaof(backend: str, scratch: Path) -> None:
    """What WAITAOF has confirmed survives a power cut even when nothing else is ever synced."""
    disk = LoopDisk(scratch / "disk.img", scratch / "disk")
    disk.make()
    options = {"backend": backend, "appendfsync": "no"}
    expected = {b"k%d" % number: b"v%d" % number for number in range(3000)}
    with disk:
        server = SubjectServer(disk.mount_point / "data", options)
        server.output_path = scratch / "before.output"
        with server, server.client() as client:
            client.pipeline([("SET", key, value) for key, value in expected.items()])
            assert client.call("WAITAOF", 1, 0, 0) == [1, 0]
            server.freeze()
            left = disk.copy_as_after_power_cut(scratch / "left.img", scratch / "left")
    with left:
        restarted = SubjectServer(left.mount_point / "data", options)
        restarted.output_path = scratch / "after.output"
        with restarted, restarted.client() as client:
            assert client.call("DBSIZE") == len(expected)
            assert client.call("MGET", *expected) == list(expected.values())


def wait_durable(client: Client) -> None:
    """Return once everything written is durable."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := durability_facts(client))[b"log_durable"] != found[b"log_position"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
