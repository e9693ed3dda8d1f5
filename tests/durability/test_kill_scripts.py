"""kill -9 and restarts: libraries of functions are kept, and a script is there as a whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.servers import SubjectServer

pytestmark = [pytest.mark.durability, pytest.mark.slow]

COUNT = """
for i, key in ipairs(KEYS) do redis.call('incr', key) end
redis.call('rpush', 'list', ARGV[1])
redis.call('select', 1)
redis.call('hset', 'hash', 'n', ARGV[1])
return ARGV[1]
"""
KEYS = ("a", "b", "c")


@pytest.fixture
def server(backend: str, data_directory: Path) -> Iterator[SubjectServer]:
    with SubjectServer(data_directory, {"backend": backend}) as started:
        yield started


def library(name: str, answer: int) -> str:
    return f"#!lua name={name}\nredis.register_function('f_{name}',function() return {answer} end)"


def restart(server: SubjectServer, how: str) -> None:
    if how == "kill":
        server.kill9()
    else:
        assert server.stop() == 0
    server.start()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_libraries_are_kept(how: str, server: SubjectServer) -> None:
    with server.client() as client:
        for name, answer in (("one", 1), ("two", 2), ("three", 3)):
            assert client.call("FUNCTION", "LOAD", library(name, answer)) == name.encode()
        assert client.call("FUNCTION", "DELETE", "two") == b"OK"
        assert client.call("FUNCTION", "LOAD", "REPLACE", library("one", 10)) == b"one"
        assert client.call("FLUSHALL") == b"OK"
    restart(server, how)
    with server.client() as client:
        assert client.call("FCALL", "f_one", "0") == 10
        assert client.call("FCALL", "f_three", "0") == 3
        assert client.call("FCALL", "f_two", "0") == b"ERR Function not found"
        assert client.call("SAVE") == b"OK"  # now they come from the backend
        assert client.call("FUNCTION", "DELETE", "three") == b"OK"
    restart(server, how)
    with server.client() as client:
        assert client.call("FCALL", "f_one", "0") == 10
        assert [entry[1] for entry in client.call("FUNCTION", "LIST")] == [b"one"]
        dump = client.call("FUNCTION", "DUMP")
        assert client.call("SAVE") == b"OK"
        assert client.call("FUNCTION", "FLUSH") == b"OK"
    restart(server, how)
    with server.client() as client:
        assert client.call("FUNCTION", "LIST") == []
        assert client.call("FUNCTION", "RESTORE", dump) == b"OK"
        assert client.call("SAVE") == b"OK"
    restart(server, how)
    with server.client() as client:
        assert client.call("FCALL", "f_one", "0") == 10


class Runner:
    """One client that runs scripts until the server is gone."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.enough = threading.Event()

    def run(self, server: SubjectServer, first: int) -> None:
        number = first
        try:
            with server.client() as client:
                while True:
                    number += 1
                    assert client.call("EVAL", COUNT, "3", *KEYS, str(number)) == b"%d" % number
                    self.acknowledged = number
                    if number == first + 100:
                        self.enough.set()
        except (ConnectionError, OSError):
            pass
        finally:
            self.enough.set()


def state_of(client: Client) -> int:
    """The number on which all that a script changes agrees."""
    numbers = {int(client.call("GET", key) or 0) for key in KEYS}
    numbers.add(client.call("LLEN", "list"))
    last = client.call("LINDEX", "list", -1)
    numbers.add(int(last or 0))
    client.call("SELECT", "1")
    numbers.add(int(client.call("HGET", "hash", "n") or 0))
    client.call("SELECT", "0")
    assert len(numbers) == 1, f"half of a script: {numbers}"
    return numbers.pop()


def test_a_script_is_there_as_a_whole(server: SubjectServer) -> None:
    reached = 0
    for _ in range(3):
        runner = Runner()
        thread = threading.Thread(target=runner.run, args=(server, reached))
        thread.start()
        assert runner.enough.wait(60)
        server.kill9()
        thread.join()
        server.start()
        with server.client() as client:
            reached = state_of(client)
        assert runner.acknowledged <= reached <= runner.acknowledged + 1
