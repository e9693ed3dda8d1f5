"""The log under crashes, failed syncs and flipped bits: acknowledged frames come back, damage is refused."""

from __future__ import annotations

import random

import pytest

from storage.errors import DamagedError, StorageError
from storage.wal.log import Log
from storage.wal.recovery import LogReader
from storage.wal.segments import list_segments
from tests.support.simdisk import Crash, SimDisk

LOG_ID = bytes(range(20))
SEGMENT = 4096 * 2


class Writer:
    """Appends numbered frames and remembers what was acknowledged."""

    def __init__(self, sync_every: int = 1, start: int = 0) -> None:
        self.acknowledged: list[bytes] = []
        self.written: list[bytes] = []
        self.sync_every = sync_every
        self.number = start

    def run(self, disk: SimDisk, position: int, frames: int, rng: random.Random) -> None:
        log = Log(disk, "wal", LOG_ID, position, 0, SEGMENT, 1)
        for count in range(frames):
            if count % 7 == 3 and log.wants_spare:
                log.finish_spare(log.spare_job()())
            payload = b"%06d:" % self.number + rng.randbytes(rng.choice((1, 40, 900, 9000)))
            self.number += 1
            self.written.append(payload)
            log.append(0, payload)
            log.write(count)
            if count % self.sync_every == 0:
                log.sync()
                self.acknowledged = list(self.written)
            if count % 11 == 10:
                log.vouch(count)
        log.close(frames)
        self.acknowledged = list(self.written)


def read_all(disk: SimDisk) -> tuple[list[bytes], int]:
    reader = LogReader(disk, "wal", LOG_ID, 0)
    found = [frame.payload for frame in reader.frames() if frame.payload]
    reader.cut_torn_tail()
    return found, reader.position


@pytest.mark.parametrize("sync_every", [1, 5])
def test_crash_after_every_call(sync_every: int) -> None:
    """After a crash at any call, what was acknowledged is there, in order, and nothing is half there."""
    probe = SimDisk()
    Writer(sync_every).run(probe, 0, 30, random.Random(1))
    for crash_at in range(1, probe.steps + 1):
        disk = SimDisk(crash_at=crash_at)
        writer = Writer(sync_every)
        with pytest.raises(Crash):
            writer.run(disk, 0, 30, random.Random(1))
        for seed in range(3):
            survivor = disk.after_crash(seed)
            found, position = read_all(survivor)
            assert found[: len(writer.acknowledged)] == writer.acknowledged
            assert found == writer.written[: len(found)]
            assert position == sum(map(len, found))
            # It goes on from there, through a second crash and recovery.
            again = Writer(1, start=1000)
            again.run(survivor, position, 4, random.Random(seed))
            assert read_all(survivor.after_crash(seed))[0] == found + again.written


def test_failed_sync_is_final() -> None:
    disk = SimDisk(fail_sync_at=6)
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)

    def write_on() -> None:
        for number in range(100):
            log.append(0, b"%d" % number)
            log.write(0)
            log.sync()

    with pytest.raises(StorageError, match="sync failed"):
        write_on()
    log.pending.append(b"more")
    with pytest.raises(StorageError, match="sync failed"):
        log.write(0)
    with pytest.raises(StorageError, match="sync failed"):
        log.sync()


@pytest.mark.parametrize("fail_at", range(3, 14))
def test_each_sync_fails_once(fail_at: int) -> None:
    disk = SimDisk(fail_sync_at=fail_at, seed=fail_at)
    writer = Writer()
    try:
        writer.run(disk, 0, 8, random.Random(3))
    except (StorageError, OSError):
        pass
    found, _ = read_all(disk.after_crash(fail_at))
    assert found[: len(writer.acknowledged)] == writer.acknowledged


def _closed_log() -> tuple[SimDisk, list[bytes]]:
    disk = SimDisk()
    log = Log(disk, "wal", LOG_ID, 0, 0, 4096, 1)
    written = []
    for number in range(6):
        payload = b"payload-%d-" % number + bytes([number]) * 30
        log.append(0, payload)
        log.write(number)
        log.sync()
        written.append(payload)
    log.close(9)
    return disk, written


def test_every_flipped_bit_is_refused_or_harmless() -> None:
    disk, written = _closed_log()
    [(_, path)] = list_segments(disk, "wal")
    pristine = bytes(disk.files[path].data)
    end = len(pristine.rstrip(b"\0"))
    for at in range(end):
        damaged = bytearray(pristine)
        damaged[at] ^= 1 << (at % 8)
        disk.put(path, damaged)
        reader = LogReader(disk, "wal", LOG_ID, 0)
        try:
            found = [frame.payload for frame in reader.frames() if frame.payload]
        except StorageError:
            continue
        # Only the vouch at the very end may be lost without notice: it holds no data.
        assert found == written, f"bit flipped at {at}"


def test_every_cut_is_a_torn_tail_or_damage_never_a_wrong_answer() -> None:
    disk, written = _closed_log()
    [(_, path)] = list_segments(disk, "wal")
    pristine = bytes(disk.files[path].data)
    for length in range(len(pristine.rstrip(b"\0"))):
        disk.put(path, pristine[:length])
        reader = LogReader(disk, "wal", LOG_ID, 0)
        try:
            found = [frame.payload for frame in reader.frames() if frame.payload]
        except StorageError:
            continue
        assert found == written[: len(found)]


def test_checkpoint_vouches_for_the_log() -> None:
    disk, written = _closed_log()
    [(_, path)] = list_segments(disk, "wal")
    disk.put(path, disk.files[path].data[:260])
    with pytest.raises(DamagedError, match=r"ends at|unreadable"):
        list(LogReader(disk, "wal", LOG_ID, sum(map(len, written))).frames())


def test_a_value_that_looks_like_a_frame_is_no_voucher() -> None:
    """A client may store bytes of our own log; they must not turn a torn tail into damage."""
    disk, _ = _closed_log()
    [(_, path)] = list_segments(disk, "wal")
    stolen = bytes(disk.files[path].data).rstrip(b"\0")
    other = SimDisk()
    log = Log(other, "wal", LOG_ID, 0, 0, 1 << 16, 1)
    log.append(0, b"first")
    log.write(0)
    log.sync()
    log.append(0, stolen)
    log.write(0)
    [(_, path)] = list_segments(other, "wal")
    torn = bytearray(other.files[path].data)
    torn[64 + 56 + 5 + 8] ^= 1  # tear the last frame
    other.put(path, torn)
    found, _ = read_all(other)
    assert found == [b"first"]


def test_missing_segment_is_damage() -> None:
    disk = SimDisk()
    writer = Writer()
    writer.run(disk, 0, 20, random.Random(5))
    listed = list_segments(disk, "wal")
    assert len(listed) > 3
    disk.unlink(listed[1][1])
    with pytest.raises(DamagedError):
        list(LogReader(disk, "wal", LOG_ID, 0).frames())


def test_full_disk_is_noticed_before_anything_depends_on_it() -> None:
    disk = SimDisk(capacity=3 * SEGMENT)
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    assert log.finish_spare(log.spare_job()())
    with pytest.raises(StorageError, match="no room"):
        log.reserve(4 * SEGMENT)
    log.append(0, b"x" * 100)
    log.write(0)
    log.sync()
    assert log.failure is None
    assert log.durable == 100


def test_old_segments_are_released_and_recycled() -> None:
    disk = SimDisk()
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    for number in range(100):
        if log.wants_spare:
            recycled = log.release(log.durable, 2 * SEGMENT)
            assert log.finish_spare(log.spare_job(recycled)())
        log.append(0, b"%03d" % number + b"x" * 1000)
        log.write(0)
        log.sync()
    assert sum(len(file.data) for file in disk.files.values()) < 8 * SEGMENT
    start = list_segments(disk, "wal")[0][0]
    found = [frame.payload[:3] for frame in LogReader(disk, "wal", LOG_ID, start).frames()]
    assert found == [b"%03d" % number for number in range(100 - len(found), 100)]


def test_two_sync_jobs_at_once_over_a_rotation() -> None:
    """The second of two jobs still syncs the segment that the first one has finished with."""
    disk = SimDisk()
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    for number in range(3):  # the second frame does not fit behind the first
        log.append(0, bytes([number]) * (SEGMENT * 3 // 4))
        log.write(1)
    target = log.written
    first, second = log.sync_job(), log.sync_job()
    log.finish_sync(target, first())
    assert log.durable == target
    log.finish_sync(target, second())
    log.append(0, b"more")
    log.write(1)
    log.sync()
    log.close(1)
    assert not disk.descriptors


def _next_life(disk: SimDisk) -> tuple[Log, list[bytes]]:
    found, position = read_all(disk)
    return Log(disk, "wal", LOG_ID, position, 0, SEGMENT, 1), found


@pytest.mark.parametrize("seed", range(30))
def test_what_a_kill_left_in_the_page_cache_is_on_disk_after_the_next_start(seed: int) -> None:
    """New acknowledged writes stand behind old ones that nobody has synced: both survive a power cut."""
    disk = SimDisk()
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    written = [b"%d:" % number + b"x" * 1500 for number in range(20)]
    for payload in written:
        log.append(0, payload)
        log.write(1)
    log, found = _next_life(disk.after_kill())
    assert found == written
    log.append(0, b"acknowledged")
    log.write(2)
    log.sync()
    _, found = _next_life(disk.after_crash(seed))
    assert found == [*written, b"acknowledged"]


@pytest.mark.parametrize("seed", range(10))
def test_pages_that_a_failed_sync_left_readable_are_not_believed(seed: int) -> None:
    """ext4 keeps them, calls them clean, and never writes them; a start must not build on them."""
    disk = SimDisk(seed=seed, keeps_failed_pages=True)
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    log.append(0, b"first")
    log.write(1)
    log.sync()
    log.append(0, b"second")
    log.write(1)
    disk.fail_sync_at = disk.syncs + 1
    with pytest.raises(StorageError, match="sync failed"):
        log.sync()
    log, shown = _next_life(disk.after_kill())
    assert shown[:1] == [b"first"]
    log.append(0, b"third")
    log.write(2)
    log.sync()
    _, found = _next_life(disk.after_crash(seed))
    assert found == [*shown, b"third"]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("damage", ["removed", "zeroed", "emptied", "a bit of the last frame"])
def test_damage_is_seen_behind_a_start_that_wrote_nothing(clean: bool, damage: str) -> None:
    """The new, still empty segment says how far the log was durable before it."""
    disk = SimDisk()
    log = Log(disk, "wal", LOG_ID, 0, 0, SEGMENT, 1)
    for _ in range(20):
        log.append(0, b"b" * 1500)
        log.write(1)
        log.sync()
    if clean:
        log.close(1)
    _next_life(disk.after_kill())
    path = list_segments(disk.after_kill(), "wal")[-2][1]
    content = bytearray(disk.files[path].data)
    if damage == "removed":
        disk.unlink(path)
    elif damage == "zeroed":
        disk.put(path, bytes(len(content)))
    elif damage == "emptied":
        disk.put(path, b"")
    else:
        content[content.rfind(b"b" * 100)] ^= 1
        disk.put(path, content)
    with pytest.raises(DamagedError):
        read_all(disk)
