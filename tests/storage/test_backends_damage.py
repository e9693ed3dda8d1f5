"""What happens to backends from outside: kill -9, damaged and missing files, a full disk, another process."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.backends.memory import MemoryBackend, MemoryStore
from storage.errors import DamagedError, DiskFullError, LockedError, StorageError
from tests.support.backends import Maker, Worker

END = b"\xff" * 600
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["leveldb", "lmdb"])
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    made = Maker(request.param, tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process that runs ``script`` with the arguments in ``sys.argv[1:]``."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# Every batch writes the same number into all keys, and large values now and then; a line acknowledges it.
COMMIT_IN_A_LOOP = """
import sys
from storage.backends import open_backend
name, path, generation = sys.argv[1], sys.argv[2], int(sys.argv[3])
backend = open_backend(name, path, cache_bytes=1 << 20, map_bytes=1 << 20)
while True:
    generation += 1
    batch = backend.batch()
    batch.begin()
    for number in range(300):
        batch.put(b"k%d" % number, b"%d" % generation)
    batch.put(b"large", b"%d:" % generation + bytes(generation % 7 * 100_000))
    batch.put(b"l" * 600, b"%d" % generation)
    batch.commit()
    print(generation, flush=True)
"""


def test_kill_loses_no_acknowledged_batch(maker: Maker) -> None:
    acknowledged = 0
    pick = random.Random(7)
    for _ in range(3):
        process = python(COMMIT_IN_A_LOOP, maker.name, str(maker.path), str(acknowledged))
        assert process.stdout is not None
        for _ in range(pick.randrange(3, 25)):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        lines = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        acknowledged = int(lines[-1]) if lines else acknowledged
        backend = maker.open()
        records = dict(backend.scan(b"", END, limit=1000, bytes_max=1 << 30))
        assert len(records) == 302
        generations = {int(value.split(b":")[0]) for value in records.values()}
        assert generations in ({acknowledged}, {acknowledged + 1})
        assert len(records[b"large"].split(b":")[1]) == generations.pop() % 7 * 100_000
        acknowledged = max(acknowledged, int(records[b"k0"]))
        maker.close()


HOLD_OPEN = """
import sys
from storage.backends import open_backend
backend = open_backend(sys.argv[1], sys.argv[2], cache_bytes=1 << 20)
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_has_it(maker: Maker) -> None:
    process = python(HOLD_OPEN, maker.name, str(maker.path))
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(LockedError) as caught:
        maker.open()
    assert caught.value.hint
    process.kill()
    process.communicate()
    maker.open()


def fill(maker: Maker, worker: Worker) -> dict[bytes, bytes]:
    """Write records in such a way that they end in the engine's main files, and close."""
    source = random.Random(1)
    records = {b"%05d" % number: source.randbytes(100) for number in range(2000)}
    records[b"k" * 600] = b"long"
    records[b"large"] = source.randbytes(100_000)
    backend = maker.open()
    worker.write(backend, records.items())
    worker.run(backend.compact)
    maker.close()
    return records


def read_all(maker: Maker) -> dict[bytes, bytes]:
    """Everything, by scan and by get."""
    backend = maker.open()
    found = dict(backend.scan(b"", END, limit=10_000, bytes_max=1 << 30))
    for key, value in found.items():
        assert backend.get(key) == value
    return found


def test_flipped_bytes_are_refused(tmp_path: Path, worker: Worker) -> None:
    """LevelDB: a damaged table, manifest or CURRENT gives an error or the right answer, never a wrong one."""
    intact = Maker("leveldb", tmp_path / "intact")
    records = fill(intact, worker)
    assert read_all(intact) == records
    intact.close()
    names = [
        path.name
        for path in intact.path.iterdir()
        if path.suffix == ".ldb" or path.name.startswith("MANIFEST")
    ]
    assert any(name.endswith(".ldb") for name in names)
    source = random.Random(2)
    refused = 0
    for name in [*names, "CURRENT"]:
        size = (intact.path / name).stat().st_size
        for at in {0, size - 1, *(source.randrange(size) for _ in range(30))}:
            broken = Maker("leveldb", tmp_path / "broken")
            shutil.copytree(intact.path, broken.path)
            with open(broken.path / name, "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 0x41]))
            try:
                found = read_all(broken)
            except StorageError:
                refused += 1
            else:
                assert found == records, (name, at)
            finally:
                broken.close()
                shutil.rmtree(broken.path)
    assert refused > 30


def test_damaged_block_is_an_error_in_both_directions(tmp_path: Path, worker: Worker) -> None:
    """The last block of the last table: an iterator that ends there silently would lose records."""
    made = Maker("leveldb", tmp_path / "data")
    fill(made, worker)
    table = max(path for path in made.path.iterdir() if path.suffix == ".ldb")
    data = bytearray(table.read_bytes())
    for at in range(0, len(data) - 20_000, 1000):
        data[at] ^= 0xFF
    table.write_bytes(data)
    backend = made.open()
    for reverse in (False, True):
        with pytest.raises(DamagedError):
            backend.scan(b"", END, limit=10_000, bytes_max=1 << 30, reverse=reverse)
    with pytest.raises(DamagedError):
        backend.get_many([b"%05d" % number for number in range(2000)])
    made.close()


READ_ALL = """
import sys
from storage.backends import open_backend
from storage.errors import StorageError
try:
    backend = open_backend(sys.argv[1], sys.argv[2], cache_bytes=1 << 20)
    print(len(backend.scan(b"", b"\\xff" * 600, limit=10_000, bytes_max=1 << 30)))
except StorageError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("padded", [False, True])
def test_cut_files_are_refused(maker: Maker, worker: Worker, share: float, padded: bool) -> None:
    """A file that was cut, or whose end reads as zeros, is an error, not a crash and not fewer records."""
    fill(maker, worker)
    largest = maker.data_files[0]
    size = largest.stat().st_size
    os.truncate(largest, int(size * share))
    if padded:
        os.truncate(largest, size)
    process = python(READ_ALL, maker.name, str(maker.path))
    answer = process.communicate()[0].strip()
    assert process.returncode == 0
    assert answer in ("DamagedError", "StorageError")


def test_torn_batch_is_cut_and_damage_is_not(tmp_path: Path, worker: Worker) -> None:
    """LevelDB's log: holes in the last batch are a power cut; the same in an earlier one is damage."""
    made = Maker("leveldb", tmp_path / "live")
    backend = made.open()
    ends = [0]
    for generation in (b"1", b"2", b"3"):
        worker.write(backend, [(b"k%d" % number, generation + os.urandom(1000)) for number in range(150)])
        [log] = [path for path in made.path.iterdir() if path.suffix == ".log"]
        ends.append(log.stat().st_size)
    whole = log.read_bytes()
    source = random.Random(3)
    for trial in range(60):
        torn = Maker("leveldb", tmp_path / "torn")
        shutil.copytree(made.path, torn.path)
        last = trial % 2 == 0
        begin, end = (ends[2], ends[3]) if last else (ends[0], ends[2])
        pages = range(-(-begin // 4096), end // 4096)
        data = bytearray(whole)
        for page in source.sample(pages, source.randrange(1, len(pages))):
            data[page * 4096 : (page + 1) * 4096] = bytes(4096)
        (torn.path / log.name).write_bytes(data if trial % 4 else data[: end - 1])
        if last:
            for _ in range(2):
                records = torn.open().scan(b"k", b"l", limit=1000)
                assert {value[:1] for _, value in records} == {b"2"}
                assert len(records) == 150
                torn.close()
        else:
            try:
                found = {value[:1] for _, value in torn.open().scan(b"k", b"l", limit=1000)}
            except DamagedError:
                pass
            else:
                assert found <= {b"1"}, "a batch was applied behind one that was not"
            torn.close()
        shutil.rmtree(torn.path)
    made.close()


def test_foreign_files_are_refused(maker: Maker, worker: Worker) -> None:
    fill(maker, worker)
    target = maker.path / ("CURRENT" if maker.name == "leveldb" else "data.mdb")
    target.write_bytes(b"something else\n" * 1000)
    with pytest.raises(StorageError) as caught:
        maker.open()
    assert caught.value.hint


def test_missing_files_are_refused(tmp_path: Path, worker: Worker) -> None:
    """LevelDB without CURRENT would begin anew over the old files."""
    for name in ("CURRENT", "MANIFEST", ".ldb"):
        made = Maker("leveldb", tmp_path / name)
        fill(made, worker)
        next(path for path in made.path.iterdir() if name in path.name).unlink()
        with pytest.raises(DamagedError):
            read_all(made)
        made.close()


FULL_DISK = """
import os, resource, sys
from storage.backends import open_backend
from storage.errors import DiskFullError
backend = open_backend(sys.argv[1], sys.argv[2], cache_bytes=1 << 20, map_bytes=64 << 20)

def write(generation, size):
    batch = backend.batch()
    batch.begin()
    for number in range(200):
        batch.put(b"k%d" % number, b"%d:" % generation + os.urandom(size))
    batch.commit()

def generations():
    return {value.split(b":")[0] for _, value in backend.scan(b"k", b"l", limit=1000, bytes_max=1 << 30)}

write(1, 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
for _ in range(3):
    try:
        write(2, 20_000)
    except DiskFullError as error:
        assert error.hint
    else:
        raise AssertionError("committed on a full disk")
    assert generations() == {b"1"}, generations()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
write(3, 2000)
assert generations() == {b"3"}
assert backend.statistics()["commit_failures"] == 3
backend.close()
backend = open_backend(sys.argv[1], sys.argv[2], cache_bytes=1 << 20)
assert generations() == {b"3"}
print("healed")
"""


def test_write_failure_heals(maker: Maker) -> None:
    """A limit on the size of files stands for the full disk: everyone may set one."""
    process = python(FULL_DISK, maker.name, str(maker.path))
    assert process.communicate()[0] == "healed\n"


def mount(path: Path, bytes_max: int) -> bool:
    """Mount an empty memory file system of that size; False if we may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.mount(b"tmpfs", bytes(path), b"tmpfs", 0, b"size=%d" % bytes_max) == 0)


def test_full_disk_heals(tmp_path: Path, worker: Worker, maker: Maker) -> None:
    """ENOSPC of a real file system: writes fail, reads go on, and all is well when there is space again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount(disk, 24 << 20):
        pytest.skip("needs the right to mount a file system")
    own = Maker(maker.name, disk / "data")
    try:
        backend = own.open(map_bytes=256 << 20)
        worker.write(backend, [(b"k%d" % number, b"1" + os.urandom(1000)) for number in range(100)])
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(20 << 20))
        for _ in range(3):
            with pytest.raises(DiskFullError) as caught:
                worker.write(backend, [(b"k%d" % number, b"2" + os.urandom(60_000)) for number in range(100)])
            assert caught.value.hint
            assert {value[:1] for _, value in backend.scan(b"k", b"l", limit=1000)} == {b"1"}
        ballast.unlink()
        worker.write(backend, [(b"k%d" % number, b"3" + os.urandom(1000)) for number in range(100)])
        assert {value[:1] for _, value in backend.scan(b"k", b"l", limit=1000)} == {b"3"}
        own.close()
        reopened = own.open(map_bytes=256 << 20)
        assert {value[:1] for _, value in reopened.scan(b"k", b"l", limit=1000)} == {b"3"}
    finally:
        own.close()
        ctypes.CDLL(None).umount2(bytes(disk), 2)


def test_snapshot_holds_the_map(tmp_path: Path, worker: Worker) -> None:
    """LMDB: a batch that needs a larger map fails while a snapshot is open, and goes through afterwards."""
    made = Maker("lmdb", tmp_path / "data")
    backend = made.open()
    worker.write(backend, [(b"a", b"1")])
    records = [(b"%d" % number, bytes(10_000)) for number in range(1000)]
    with backend.snapshot() as snapshot:
        with pytest.raises(StorageError, match="snapshot"):
            worker.write(backend, records)
        assert snapshot.get(b"a") == b"1"
        with pytest.raises(StorageError, match="snapshot"):
            worker.run(backend.compact)
        assert backend.scan(b"", END, limit=10) == [(b"a", b"1")]
    worker.write(backend, records)
    assert len(backend.scan(b"", END, limit=10_000, bytes_max=1 << 30)) == 1001
    made.close()


def test_unused_reader_does_not_make_the_file_grow(tmp_path: Path, worker: Worker) -> None:
    """LMDB: the main thread's read transaction does not pin what later batches free."""
    made = Maker("lmdb", tmp_path / "data")
    backend = made.open(map_bytes=256 << 20)
    backend.get(b"a")
    sizes = []
    for _ in range(20):
        worker.write(backend, [(b"%d" % number, os.urandom(1000)) for number in range(200)])
        sizes.append(int(backend.statistics()["used_bytes"]))
    assert max(sizes) <= 5 * sizes[0]
    made.close()


def test_map_that_is_too_large_is_refused(tmp_path: Path) -> None:
    made = Maker("lmdb", tmp_path / "data")
    with pytest.raises(StorageError) as caught:
        made.open(map_bytes=1 << 50)
    assert "address space" in caught.value.hint
    made.open()
    made.close()


def test_memory_backend_crashes_and_fails_as_told(worker: Worker) -> None:
    store = MemoryStore()
    fail_at = ""

    def fault(step: str) -> None:
        if step == fail_at:
            raise DiskFullError("told to", "a test")

    backend = MemoryBackend(store, fault=fault)
    for fail_at, kept in (("begin", None), ("commit", None), ("committed", b"committed")):
        with pytest.raises(DiskFullError):
            worker.write(backend, [(b"key", fail_at.encode())])
        assert backend.get(b"key") == kept
    assert backend.statistics()["commit_failures"] == 3
    store.crash()
    fail_at = ""
    backend = MemoryBackend(store)
    assert backend.get(b"key") == b"committed"
    worker.write(backend, [(b"key", b"after")])
    assert backend.get(b"key") == b"after"
