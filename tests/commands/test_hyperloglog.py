"""HyperLogLog commands: what the comparison with redis-server cannot show.

Which effects a command leaves behind, that a full disk does not keep PFCOUNT from answering, and the vectors
of registers against plain loops.
"""

from __future__ import annotations

import random

import pytest

from durable_redis.commands import hyperloglog, strings
from durable_redis.errors import ReplyError
from durable_redis.objects.entry import expires_of
from durable_redis.objects.hyperloglog import (
    DENSE_BYTES,
    REGISTERS,
    dense_changes,
    dense_registers,
    dense_value,
    estimate,
    merged,
    register_of,
)
from durable_redis.objects.hyperloglog_sparse import (
    EMPTY,
    CorruptError,
    PromotionNeeded,
    SparseRegisters,
    sparse_registers,
)
from tests.support.fake_engine import NOW_MS, FakeEngine

CONFIG: dict[str, int | str] = {"hll-sparse-max-bytes": 3000}
HEADER = b"HYLL\x00" + bytes(11)


@pytest.fixture
def engine() -> FakeEngine:
    """``dense`` is a dense value with many elements and ``few`` a sparse one; both estimates are kept."""
    made = FakeEngine((strings, hyperloglog), CONFIG)
    made.run("PFADD", "dense", *(f"e{number}" for number in range(5000)))
    made.run("PFADD", "few", "a", "b", "c")
    for key in ("dense", "few"):
        made.run("PFCOUNT", key)
    return made


# -- effects -------------------------------------------------------------------------------------------------


def test_a_register_of_a_dense_value_is_logged_as_few_bytes(engine: FakeEngine) -> None:
    added = 0
    for number in range(200):
        if engine.run("PFADD", "dense", f"new{number}"):
            added += 1
            assert {effect[0] for effect in engine.effects} == {b"SETRANGE"}
            assert sum(len(word) for effect in engine.effects for word in effect) < 100
        else:
            assert engine.effects == []
    assert added > 10


def test_many_registers_of_a_dense_value_are_logged_as_a_whole(engine: FakeEngine) -> None:
    assert engine.run("PFADD", "dense", *(f"new{number}" for number in range(20_000))) == 1
    ((name, key, value, option),) = engine.effects
    assert (name, key, len(value), option) == (b"SET", b"dense", DENSE_BYTES, b"KEEPTTL")


def test_adding_at_once_or_one_by_one_is_the_same(engine: FakeEngine) -> None:
    elements = [f"more{number}" for number in range(400)]
    engine.run("SET", "other", engine.run("GET", "dense"))
    engine.run("PFADD", "dense", *elements)
    for element in elements:
        engine.run("PFADD", "other", element)
    assert engine.run("GET", "dense") == engine.run("GET", "other")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("PFADD few a b c", []),
        ("PFADD few", []),
        ("PFADD few d", ["SET few KEEPTTL"]),
        ("PFADD new", ["SET new"]),
        ("PFADD new a", ["SET new"]),
        ("PFCOUNT few", []),
        ("PFCOUNT missing", []),
        ("PFCOUNT few dense", []),
        ("PFMERGE few", ["SET few KEEPTTL"]),
        ("PFMERGE new few", ["SET new"]),
        ("PFMERGE few dense", ["SET few KEEPTTL"]),
        ("PFDEBUG TODENSE few", ["SET few KEEPTTL"]),
        ("PFDEBUG TODENSE dense", []),
        ("PFDEBUG GETREG dense", []),
        ("PFSELFTEST", []),
    ],
)
def test_effects(engine: FakeEngine, line: str, names: list[str]) -> None:
    assert not isinstance(engine.run(*line.split()), ReplyError)
    shown = [b" ".join((*effect[:2], *effect[3:])).decode() for effect in engine.effects]
    assert shown == names


def test_an_estimate_is_kept_once(engine: FakeEngine) -> None:
    engine.run("PFADD", "few", "d")
    assert engine.run("PFCOUNT", "few") == 4
    assert engine.effects == [(b"SETRANGE", b"few", b"8", b"\x04" + bytes(7))]
    assert engine.run("PFCOUNT", "few") == 4
    assert engine.effects == []


def test_merging_what_is_there_already_changes_nothing(engine: FakeEngine) -> None:
    engine.run("PFMERGE", "few")
    assert engine.effects
    engine.run("PFMERGE", "few", "few")
    assert engine.effects == []


def test_the_expiry_stays(engine: FakeEngine) -> None:
    for key in ("few", "dense"):
        engine.run("SET", key, engine.run("GET", key), "PXAT", NOW_MS + 5000)
        for line in (["PFADD", key, "x", "y", "z1", "z2"], ["PFMERGE", key], ["PFDEBUG", "TODENSE", key]):
            engine.run(*line)
        value = engine.context.peek(key.encode())
        assert value is not None
        assert expires_of(value) == NOW_MS + 5000


class FullEngine(FakeEngine):
    """An engine whose log has no room left."""

    full = False

    def reserve(self, payload_bytes: int) -> None:
        if self.full:
            raise ReplyError("MISCONF no room")


def test_a_full_disk_does_not_keep_from_counting() -> None:
    engine = FullEngine((strings, hyperloglog), CONFIG)
    engine.run("PFADD", "few", "a", "b")
    engine.full = True
    assert engine.run("PFCOUNT", "few") == 2
    assert engine.effects == []
    engine.full = False
    assert engine.run("PFCOUNT", "few") == 2
    assert engine.effects != []


# -- registers -----------------------------------------------------------------------------------------------


def some_registers(seed: int) -> bytes:
    rng = random.Random(seed)
    return bytes(rng.randrange(64) for _ in range(REGISTERS))


def test_dense_values_hold_six_bits_a_register() -> None:
    registers = some_registers(1)
    value = dense_value(HEADER, registers)
    bits = int.from_bytes(value[16:], "little")
    assert bytes(bits >> 6 * number & 63 for number in range(REGISTERS)) == registers
    assert dense_registers(value) == registers


def test_dense_changes_reach_every_register() -> None:
    before = some_registers(2)
    proposals = [(number, 40) for number in range(REGISTERS)]
    value = bytearray(dense_value(HEADER, before))
    for at, byte in dense_changes(value, proposals).items():
        value[at] = byte
    assert dense_registers(value) == bytes(max(40, register) for register in before)
    assert dense_changes(value, proposals) == {}


def test_merging_takes_the_higher_value() -> None:
    one, other = some_registers(3), some_registers(4)
    assert merged(one, other) == bytes(map(max, one, other))


@pytest.mark.parametrize("ascending", [False, True])
def test_sparse_values_hold_the_same_registers(ascending: bool) -> None:
    rng = random.Random(6)
    expected = bytearray(REGISTERS)
    sparse = SparseRegisters(EMPTY, 1 << 20)
    proposals = [(rng.randrange(REGISTERS // 8), rng.randint(1, 32)) for _ in range(4000)]
    for register, value in sorted(proposals) if ascending else proposals:
        assert sparse.propose(register, value) == (expected[register] < value)
        expected[register] = max(expected[register], value)
    assert sparse_registers(sparse.data) == expected


def test_what_the_sparse_form_cannot_take() -> None:
    with pytest.raises(PromotionNeeded):
        SparseRegisters(EMPTY, 3000).propose(1, 33)
    with pytest.raises(PromotionNeeded):
        SparseRegisters(EMPTY, len(EMPTY)).propose(1, 1)
    for runs in (b"", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x80\x7f\xff"):
        with pytest.raises(CorruptError):
            sparse_registers(EMPTY[:16] + runs)
    with pytest.raises(CorruptError):
        SparseRegisters(EMPTY[:16] + b"\x40\x00", 3000).propose(1, 1)


def test_a_malicious_value_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(CorruptError):
        sparse_registers(EMPTY[:16] + b"\x7f\xff" * 1_000_000)


def test_the_bytes_are_known(engine: FakeEngine) -> None:
    engine.run("PFADD", "new", "a", "b", "c")
    assert engine.run("GET", "new") == b"HYLL\x01" + bytes(10) + b"\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ"


def test_estimates_are_close() -> None:
    registers = bytearray(REGISTERS)
    added = 0
    for goal in (1, 100, 10_000, 60_000):
        while added < goal:
            register, value = register_of(b"element %d" % added)
            registers[register] = max(registers[register], value)
            added += 1
        assert abs(estimate(bytes(registers)) - goal) <= goal * 0.03
    assert estimate(bytes(REGISTERS)) == 0
    assert estimate(b"\x33" * REGISTERS) == 1 << 63
