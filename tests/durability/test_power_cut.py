"""The power cut: what was acknowledged is on the disk, not merely in the kernel's memory.

The data lie on a file system in a file.  Under load the server is frozen, what it had answered is counted,
and the file is copied: pages that were never synced are not in the copy.  A server started on the copy must
have everything that was acknowledged under ``always``, and all but the last moments under ``everysec``; in
every mode it starts, and its data are a prefix of what was written.  That the method tells durable from
lucky is shown on redis-server, which keeps all under ``always`` and loses under ``no``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.loop_device import LoopDisk, require_loop_devices
from tests.support.servers import AppendOnlyServer, ServerProcess, SubjectServer
from tests.support.writer_collections import KINDS
from tests.support.writers import SHARED_COUNTER, Load, Writer, read_all

pytestmark = [pytest.mark.durability, pytest.mark.slow]

WRITERS = 4
WRITES = 15_000
EVERYSEC_WINDOW_S = 3.0  # one second of interval, one of fsync in flight, one for a busy machine
MakeServer = Callable[[Path], ServerProcess]


@dataclass(slots=True)
class Cut:
    """What a power cut has left."""

    acknowledged: int
    lost: int
    oldest_lost_s: float
    """How long before the freeze the oldest lost write was acknowledged."""

    def __str__(self) -> str:
        return (
            f"{self.lost} of {self.acknowledged} lost, the oldest {self.oldest_lost_s:.2f} s before the cut"
        )


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    require_loop_devices(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mode", ["always", "everysec", "no"])
def test_power_cut(
    backend: str, mode: str, scratch: Path, record_property: Callable[[str, object], None]
) -> None:
    """``always`` loses nothing acknowledged; ``everysec`` only what is younger than the window."""
    cut = cut_power(
        scratch, lambda path: SubjectServer(path, {"backend": backend, "appendfsync": mode}), mode
    )
    record_property("power_cut", f"{backend} {mode}: {cut}")
    print(f"{backend} {mode}: {cut}")  # pytest -rP shows it
    if mode == "always":
        assert cut.lost == 0, str(cut)
    elif mode == "everysec":
        assert cut.oldest_lost_s <= EVERYSEC_WINDOW_S, str(cut)


def test_power_cut_after_checkpoint(backend: str, scratch: Path) -> None:
    """A checkpoint in the middle of the load takes nothing from the promise."""
    cut = cut_power(
        scratch,
        lambda path: SubjectServer(path, {"backend": backend, "appendfsync": "always"}),
        "always",
        checkpoint=True,
    )
    assert cut.lost == 0, str(cut)


@pytest.mark.parametrize("mode", ["always", "no"])
def test_the_method_tells_durable_from_lucky(mode: str, scratch: Path) -> None:
    """redis-server keeps everything under ``always`` and visibly loses under ``no``.

    But for streams: it does not log what reading the pending entries of a group anew changes.
    """
    without_streams = [kind for kind in KINDS if kind != b"x"]
    cut = cut_power(
        scratch, lambda path: AppendOnlyServer(path, {"appendfsync": mode}), mode, kinds=without_streams
    )
    print(f"redis-server {mode}: {cut}")
    if mode == "always":
        assert cut.lost == 0, str(cut)
    else:
        assert cut.lost > 0, (
            "the copy holds pages that were never synced: this machine cannot show a power cut"
        )


def cut_power(
    scratch: Path, make: MakeServer, mode: str, *, checkpoint: bool = False, kinds: Sequence[bytes] = KINDS
) -> Cut:
    """Load a server on a disk of its own, cut the power, start on what is left, and compare."""
    disk = LoopDisk(scratch / "disk.img", scratch / "disk")
    disk.make()
    writers = [Writer(number, 300 + number, kinds) for number in range(WRITERS)]
    load = Load(writers)
    with disk:
        server = make(disk.mount_point / "data")
        server.output_path = scratch / "before.output"
        try:
            server.start()
            load.start(server, until_frozen=True)
            load.wait_acknowledged(WRITES // 2)
            if checkpoint:
                with server.client() as control:
                    control.call("BGSAVE")
            if mode == "everysec":
                wait_seconds_of_load(load, EVERYSEC_WINDOW_S + 1)
            load.wait_acknowledged(load.acknowledged() + WRITES // 2)
            server.freeze()
            frozen_at = time.monotonic()
            load.frozen.set()
            left = disk.copy_as_after_power_cut(scratch / "left.img", scratch / "left")
            load.join()  # replies that were on their way when the server froze count as acknowledged
        finally:
            load.stop.set()
            load.frozen.set()
            server.kill9()
    with left:
        restarted = make(left.mount_point / "data")
        restarted.output_path = scratch / "after.output"
        with restarted, restarted.client() as client:
            found = read_all(client, ignored=[SHARED_COUNTER])
        return judge(writers, found, frozen_at)


def judge(writers: list[Writer], found: dict[bytes, tuple[bytes, int] | None], frozen_at: float) -> Cut:
    """Find how much of each writer's work is left; the data must be a prefix of it."""
    lost, oldest_s = 0, 0.0
    for writer in writers:
        survived = writer.surviving_prefix(found).stop - 1
        missing = writer.acknowledged - survived
        if missing > 0:
            lost += missing
            oldest_s = max(oldest_s, frozen_at - writer.acknowledged_at[survived])
    return Cut(sum(writer.acknowledged for writer in writers), lost, oldest_s)


def wait_seconds_of_load(load: Load, seconds: float) -> None:
    """Let the load go on until ``everysec`` has synced a few times: the window must be in the past."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        load.wait_acknowledged(load.acknowledged() + 1)
        time.sleep(0.02)
