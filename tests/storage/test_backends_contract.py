"""The contract of ``storage/backends/base.py``, over every backend."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.backends import BACKEND_NAMES, open_backend
from storage.backends.base import Backend, Record, WriteBatch
from storage.errors import LockedError, StorageError
from tests.support.backends import Maker, Worker

END = b"\xff" * 600  # behind every key of these tests


@pytest.fixture(params=BACKEND_NAMES)
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    made = Maker(request.param, tmp_path / "parent" / "data")
    yield made
    made.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def everything(backend: Backend) -> list[Record]:
    return backend.scan(b"", END, limit=1 << 30, bytes_max=1 << 40)


def test_put_overwrite_delete(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    assert backend.name == maker.name
    assert backend.get(b"a") is None
    worker.write(backend, [(b"a", b"1"), (b"b", b""), (b"\x00", b"\x00\xff")])
    assert backend.get_many([b"a", b"x", b"b", b"\x00"]) == [b"1", None, b"", b"\x00\xff"]
    worker.write(backend, [(b"a", b"2"), (b"b", None), (b"absent", None), (b"c", b"x"), (b"c", None)])
    assert everything(backend) == [(b"\x00", b"\x00\xff"), (b"a", b"2")]
    worker.write(backend, [(b"a", None), (b"a", b"3")])
    assert backend.get(b"a") == b"3"


def test_empty_batch_and_sizes(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    worker.write(backend, [])
    batch = worker.begin(backend)
    batch.put(b"key", b"value")
    batch.delete(b"other")
    assert (len(batch), batch.staged_bytes) == (2, 13)
    worker.run(batch.commit)
    assert everything(backend) == [(b"key", b"value")]


def test_order_is_byte_order(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    keys = [bytes([first, second]) for first in range(0, 256, 15) for second in range(0, 256, 17)]
    keys += [bytes([first]) for first in range(0, 256, 15)]
    worker.write(backend, [(key, key * 2) for key in reversed(keys)])
    assert everything(backend) == [(key, key * 2) for key in sorted(keys)]


def test_scan_bounds(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    assert backend.scan(b"a", b"z", limit=10) == []
    assert backend.scan(b"a", b"z", limit=10, reverse=True) == []
    records = [(b"%02d" % number, b"v%d" % number) for number in range(20)]
    worker.write(backend, list(records))

    def scan(start: bytes, stop: bytes, *, limit: int = 100, reverse: bool = False) -> list[Record]:
        return backend.scan(start, stop, limit=limit, reverse=reverse)

    assert scan(b"05", b"08") == records[5:8]
    assert scan(b"05", b"08", reverse=True) == records[5:8][::-1]
    assert scan(b"05", b"06", reverse=True) == records[5:6]
    assert scan(b"0", b"00") == scan(b"0", b"00", reverse=True) == []
    assert scan(b"19x", b"9") == scan(b"19x", b"9", reverse=True) == []
    assert scan(b"18", b"9", reverse=True) == records[18:][::-1]
    assert scan(b"08", b"05") == scan(b"08", b"08") == scan(b"08", b"05", reverse=True) == []
    assert scan(b"", b"03", reverse=True) == records[2::-1]
    assert scan(b"05", b"99", limit=3) == records[5:8]
    assert scan(b"05", b"15", limit=3, reverse=True) == records[14:11:-1]
    assert scan(b"00", b"99", limit=0) == []


def test_scan_bytes_max(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    records = [(b"%02d" % number, b"x" * 98) for number in range(10)]  # 100 bytes each
    worker.write(backend, list(records))
    assert backend.scan(b"", END, limit=100, bytes_max=0) == records[:1]
    assert backend.scan(b"", END, limit=100, bytes_max=99) == records[:1]
    assert backend.scan(b"", END, limit=100, bytes_max=100) == records[:2]
    assert backend.scan(b"", END, limit=100, bytes_max=350, reverse=True) == records[:5:-1]
    assert backend.scan(b"", END, limit=2, bytes_max=350) == records[:2]
    assert backend.scan(b"", END, limit=100, bytes_max=5000) == records


def test_long_keys_stand_in_order(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    keys = set()
    for length in (1, 509, 510, 511, 512, 513, 600, 5000, 1 << 20):
        for fill in (b"a", b"b", b"\x00", b"\xff"):
            keys.add(fill * length)
    for tail in (b"\x00", b"\x01", b"\xff", b"a", b"\x00\x00", b"z" * 100):
        keys.add(b"a" * 510 + tail)
        keys.add(b"a" * 509 + tail)
    ordered = sorted(keys)
    worker.write(backend, [(key, b"%d" % number) for number, key in enumerate(ordered)])
    end = b"\xff" * ((1 << 20) + 1)
    records = [(key, b"%d" % number) for number, key in enumerate(ordered)]

    def scan(start: bytes, stop: bytes, limit: int, reverse: bool) -> list[Record]:
        return backend.scan(start, stop, limit=limit, bytes_max=1 << 40, reverse=reverse)

    assert scan(b"", end, 1000, False) == records
    assert scan(b"", end, 1000, True) == records[::-1]
    assert [backend.get(key) for key in ordered] == [value for _, value in records]
    assert backend.get(b"a" * 514) is None
    for position, key in enumerate(ordered):
        assert scan(key, end, 2, False) == records[position : position + 2]
        assert scan(key + b"\x00", end, 1, False)[:1] in (
            records[position + 1 : position + 2],
            [(key + b"\0", backend.get(key + b"\0"))],
        )
        assert scan(b"", key, 2, True) == records[:position][::-1][:2]
    worker.write(backend, [(key, None) for key in ordered[::2]] + [(ordered[1], b"new")])
    left = [(ordered[1], b"new"), *records[3::2]]
    assert scan(b"", end, 1000, False) == left
    worker.write(backend, [(key, None) for key, _ in left])
    assert scan(b"", end, 1000, False) == []


@pytest.mark.parametrize("length", [0, 1, 2000, 4096, 65536, 1 << 20, 64 << 20])
def test_value_sizes(maker: Maker, worker: Worker, length: int) -> None:
    backend = maker.open()
    value = (os.urandom(4096) * (length // 4096 + 1))[:length]
    worker.write(backend, [(b"key", value), (b"k" * 600, value), (b"other", b"1")])
    assert backend.get(b"key") == value
    assert backend.get(b"k" * 600) == value
    assert [len(found) for _, found in backend.scan(b"k", b"z", limit=3)] == (
        [length, length, 1] if length < 1 << 20 else [length]
    )


@pytest.mark.skipif(
    "DURABLE_REDIS_HUGE_VALUES" not in os.environ, reason="needs 4 GB of memory and 2 GB of disk"
)
def test_largest_value(maker: Maker, worker: Worker) -> None:
    value = bytes(512 << 20)
    worker.write(maker.open(), [(b"key", value)])
    maker.close()
    assert maker.open().get(b"key") == value


def test_abort_leaves_nothing(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    worker.write(backend, [(b"a", b"1")])
    batch = worker.begin(backend)
    batch.put(b"a", b"2")
    batch.put(b"b", b"2")
    worker.run(batch.abort)
    worker.run(batch.abort)
    assert everything(backend) == [(b"a", b"1")]
    worker.write(backend, [(b"c", b"3")])
    maker.close()
    assert everything(maker.open()) == [(b"a", b"1"), (b"c", b"3")]


def test_reads_see_committed_state_only(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    worker.write(backend, [(b"k%d" % number, b"old") for number in range(100)])
    batch = worker.begin(backend)
    for number in range(200):
        batch.put(b"k%d" % number, b"new")
        assert backend.get(b"k%d" % (number % 100)) == b"old"
        assert backend.get(b"k%d" % (100 + number % 100)) is None
    batch.delete(b"k0")
    assert len(everything(backend)) == 100
    worker.run(batch.commit)
    assert len(everything(backend)) == 199
    assert backend.get(b"k0") is None
    assert backend.get(b"k150") == b"new"


def test_reads_while_committing(maker: Maker, worker: Worker) -> None:
    """During a commit (LMDB: and while its map grows) reads give one state, the old one or the new one."""
    backend = maker.open()
    values: list[bytes | None] = [None]
    for generation in range(5):
        batch = worker.begin(backend)
        values.append(b"%d" % generation * 1500)
        for number in range(2000):
            batch.put(b"k%d" % number, b"%d" % generation * 1500)
        done = threading.Event()
        thread = threading.Thread(target=commit_in, args=(worker, batch, done))
        thread.start()
        while not done.is_set():
            assert backend.get(b"k7") in values[-2:]
            assert backend.get(b"k" * 600) is None
            assert backend.get_many([b"k8", b"absent"])[1] is None
            seen = {value for _, value in backend.scan(b"k1", b"k3", limit=50)}
            assert seen <= set(values[-2:])
            assert len(seen) <= 1
        thread.join()
        assert backend.get(b"k1999") == values[-1]


def commit_in(worker: Worker, batch: WriteBatch, done: threading.Event) -> None:
    try:
        worker.run(batch.commit)
    finally:
        done.set()


def test_snapshot_stays(maker: Maker, worker: Worker) -> None:
    backend = maker.open(map_bytes=64 << 20)
    worker.write(backend, [(b"a", b"1"), (b"b", b"1"), (b"l" * 700, b"1")])
    before = everything(backend)
    with backend.snapshot() as snapshot:
        assert backend.statistics()["snapshots"] == 1
        worker.write(backend, [(b"a", b"2"), (b"b", None), (b"c", b"2"), (b"l" * 700, None)])
        assert snapshot.get(b"a") == snapshot.get(b"l" * 700) == b"1"
        assert snapshot.get(b"c") is None
        assert snapshot.scan(b"", END, limit=10) == before
        assert snapshot.scan(b"", END, limit=10, reverse=True) == before[::-1]
        assert snapshot.scan(b"", END, limit=1) == before[:1]
        assert backend.get(b"a") == b"2"
    assert everything(backend) == [(b"a", b"2"), (b"c", b"2")]
    snapshot.close()
    assert backend.statistics()["snapshots"] == 0


def test_reopen_keeps_everything(maker: Maker, worker: Worker) -> None:
    expected: dict[bytes, bytes] = {}
    for generation in range(4):
        backend = maker.open()
        assert everything(backend) == sorted(expected.items())
        changes = {b"%d" % (number * (generation + 1)): b"%d" % generation for number in range(200)}
        worker.write(backend, changes.items())
        expected.update(changes)
        maker.close()


def test_only_one_may_have_it_open(maker: Maker) -> None:
    maker.open()
    with pytest.raises(LockedError) as caught:
        maker.open()
    assert caught.value.hint
    maker.close()
    maker.open()


def test_statistics_and_compact(maker: Maker, worker: Worker) -> None:
    backend = maker.open()
    for generation in range(3):
        worker.write(backend, [(b"%d" % number, os.urandom(5000)) for number in range(500)])
        assert backend.statistics()["commits"] == generation + 1
    full = backend.statistics()
    worker.write(backend, [(b"%d" % number, None) for number in range(1, 500)])
    kept = backend.get(b"0")
    worker.run(backend.compact)
    statistics = backend.statistics()
    assert everything(backend) == [(b"0", kept)]
    assert {"disk_bytes", "commits", "commit_failures", "snapshots"} <= statistics.keys()
    assert statistics["commit_failures"] == 0
    assert isinstance(full["disk_bytes"], int)
    assert isinstance(statistics["disk_bytes"], int)
    assert statistics["disk_bytes"] < full["disk_bytes"] // 3
    worker.write(backend, [(b"after", b"1")])
    maker.close()
    assert everything(maker.open()) == [(b"0", kept), (b"after", b"1")]


def test_batch_far_larger_than_the_map(maker: Maker, worker: Worker) -> None:
    """The map grows in the middle of a batch, again and again, and reads go on."""
    backend = maker.open()
    worker.write(backend, [(b"first", b"1")])
    for generation in range(3):
        batch = worker.begin(backend)
        for number in range(3000):
            batch.put(b"%d-%d" % (generation, number), os.urandom(10) * 100 * (generation + 1))
            assert backend.get(b"first") == b"1"
        batch.put(b"p" * 600, b"long" * generation)
        worker.run(batch.commit)
        assert backend.get(b"p" * 600) == b"long" * generation
        assert len(everything(backend)) == 2 + 3000 * (generation + 1)
    maker.close()
    assert len(everything(maker.open())) == 9002


keys = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(
        lambda length, tail: b"k" * length + tail, st.integers(507, 512), st.binary(min_size=0, max_size=2)
    ),
)
changes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=40)), max_size=20)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), changes),
        st.tuples(st.just("abort"), changes),
        st.tuples(st.just("reopen"), st.none()),
        st.tuples(
            st.just("scan"), st.tuples(keys, keys, st.integers(1, 30), st.integers(0, 2000), st.booleans())
        ),
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_model(
    maker: Maker, worker: Worker, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    """Whatever is done, the backend answers as a dict would."""
    own = Maker(maker.name, tmp_path_factory.mktemp("model"))
    backend = own.open()
    model: dict[bytes, bytes] = {}
    try:
        for step, argument in steps:
            if step in ("commit", "abort"):
                assert isinstance(argument, list)
                batch = worker.begin(backend)
                for key, value in argument:
                    batch.delete(key) if value is None else batch.put(key, value)
                worker.run(batch.commit if step == "commit" else batch.abort)
                if step == "commit":
                    model.update(argument)
                    model = {key: value for key, value in model.items() if value is not None}
                assert backend.get_many([key for key, _ in argument]) == [
                    model.get(key) for key, _ in argument
                ]
            elif step == "reopen":
                own.close()
                backend = own.open()
            else:
                assert isinstance(argument, tuple)
                start, stop, limit, bytes_max, reverse = argument
                found = backend.scan(start, stop, limit=limit, bytes_max=bytes_max, reverse=reverse)
                assert found == model_scan(model, start, stop, limit, bytes_max, reverse)
            assert everything(backend) == sorted(model.items())
    finally:
        own.close()


def model_scan(
    model: dict[bytes, bytes], start: bytes, stop: bytes, limit: int, bytes_max: int, reverse: bool
) -> list[Record]:
    found: list[Record] = []
    for key in sorted(model, reverse=reverse):
        if start <= key < stop:
            found.append((key, model[key]))
            if len(found) == limit or sum(len(name) + len(value) for name, value in found) > bytes_max:
                break
    return found


def test_unknown_backend() -> None:
    with pytest.raises(StorageError) as caught:
        open_backend("dbm", "/nowhere", cache_bytes=0)
    assert "leveldb" in caught.value.hint
