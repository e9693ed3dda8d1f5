"""Scripts and the log: one script is one transaction in it, and libraries go through it and the backend."""

from __future__ import annotations

import pytest

from storage.errors import DamagedError
from storage.records import library_key
from tests.support.whole_engine import WholeEngine
from tools.check import check_backend


def library(name: str, answer: int) -> str:
    return f"#!lua name={name}\nredis.register_function('f_{name}',function() return {answer} end)"


def logged(engine: WholeEngine, *words: str) -> list[bytes]:
    """The names of what a command leaves in the log."""
    taken: list[bytes] = []
    log = engine.engine.log
    append = log.append

    def note(db: int, payload: bytes) -> None:
        taken.append(payload.split(b"\r\n")[2])
        append(db, payload)

    log.append = note  # type: ignore[method-assign]
    try:
        engine.call(*words)
    finally:
        log.append = append  # type: ignore[method-assign]
    return taken


TWO = "redis.call('set','a','1') redis.call('incr','b') "


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return redis.call('get','a')", []),
        ("return redis.call('set','a','1')", [b"SET"]),
        (TWO, [b"MULTI", b"SET", b"INCRBY", b"EXEC"]),
        (TWO + "error('x')", [b"MULTI", b"SET", b"INCRBY", b"EXEC"]),
        ("redis.call('select','2') " + TWO, [b"MULTI", b"SET", b"INCRBY", b"EXEC"]),
    ],
)
def test_a_script_is_one_transaction(script: str, expected: list[bytes]) -> None:
    names = [b"INCRBY" if name == b"INCR" else name for name in logged(WholeEngine(), "EVAL", script, "0")]
    assert names == expected


def test_a_script_in_a_transaction_is_part_of_it() -> None:
    engine = WholeEngine()
    engine.call("MULTI")
    engine.call("SET", "x", "1")
    engine.call("EVAL", TWO, "0")
    names = logged(engine, "EXEC")
    assert names[0] == b"MULTI"
    assert names[-1] == b"EXEC"
    assert len(names) == 5


def test_time_stands_still_and_keys_stay_while_a_script_runs() -> None:
    engine = WholeEngine()
    engine.call("SET", "k", "v", "PX", "1")
    assert engine.call("EVAL", "for i=1,1e5 do end return redis.call('exists','k')", "0") == 1
    engine.clock.ms += 2
    assert engine.call("EVAL", "return redis.call('exists','k')", "0") == 0


def test_libraries_are_replayed_and_checkpointed() -> None:
    engine = WholeEngine()
    for name, answer in (("one", 1), ("two", 2)):
        engine.call("FUNCTION", "LOAD", library(name, answer))
    engine.restart()
    assert engine.call("FCALL", "f_two", "0") == 2
    engine.checkpoint()
    engine.restart()
    assert engine.call("FCALL", "f_one", "0") == 1
    engine.call("FUNCTION", "DELETE", "one")
    engine.call("FUNCTION", "LOAD", "REPLACE", library("two", 22))
    engine.fail_next_commit("no")
    engine.call("SAVE")
    engine.work()
    engine.take_reply()
    assert library_key(b"one") in dict(engine.backend.scan(b"F", b"G", limit=10))
    engine.checkpoint()
    assert list(dict(engine.backend.scan(b"F", b"G", limit=10))) == [library_key(b"two")]
    assert check_backend(engine.backend) == []
    engine.restart()
    assert engine.call("FCALL", "f_two", "0") == 22
    assert engine.call("FCALL", "f_one", "0") == b"ERR Function not found"
    assert logged(engine, "FUNCTION", "FLUSH") == [b"FUNCTION"]
    assert logged(engine, "FUNCTION", "FLUSH") == []
    engine.checkpoint()
    assert engine.backend.scan(b"F", b"G", limit=10) == []


def test_a_damaged_library_is_found() -> None:
    engine = WholeEngine()
    engine.call("FUNCTION", "LOAD", library("one", 1))
    engine.checkpoint()
    batch = engine.backend.batch()
    batch.begin()
    batch.put(library_key(b"one"), b"\0\0\0\0\0" + library("one", 2).encode())
    batch.commit()
    with pytest.raises(DamagedError):
        engine.restart()


def test_what_is_loaded_shows_in_info() -> None:
    engine = WholeEngine()
    engine.call("EVAL", "return 1", "0")
    engine.call("FUNCTION", "LOAD", library("one", 1))
    fields = engine.info("memory")
    assert fields["number_of_cached_scripts"] == fields["number_of_functions"] == "1"
    assert fields["number_of_libraries"] == "1"
    assert int(fields["used_memory_vm_eval"]) > 10_000
    assert int(fields["used_memory_vm_total"]) > int(fields["used_memory_vm_eval"])
    engine.call("SCRIPT", "FLUSH")
    engine.call("FUNCTION", "FLUSH")
    fields = engine.info("memory")
    assert fields["number_of_cached_scripts"] == fields["number_of_libraries"] == "0"
    assert fields["used_memory_vm_total"] == "0"
