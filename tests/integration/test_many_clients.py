"""Many connections at once: what thousands of idle ones cost, and a channel with a thousand listeners."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client import encode
from tests.support.servers import SubjectServer

IDLE = 5000
LISTENERS = 1000
MESSAGES = 20
SPARE_DESCRIPTORS = 500


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Let this process have as many sockets open as the tests need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = IDLE + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"{needed} open files are needed, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(server: SubjectServer, count: int, stack: ExitStack) -> list[socket.socket]:
    """Plain sockets, each of which has had one command answered."""
    found = []
    for _ in range(count):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))
        one.sendall(b"*1\r\n$4\r\nPING\r\n")
        found.append(one)
    for one in found:
        assert one.recv(64) == b"+PONG\r\n"
    return found


def test_idle_connections_cost_little_memory(tmp_path: Path) -> None:
    with SubjectServer(tmp_path / "data") as server, ExitStack() as stack:
        before = server.resident_bytes()
        connected(server, IDLE, stack)
        with server.client() as client:
            assert client.call("SET", "k", "v") == b"OK"
            lines = client.call("INFO", "clients").split(b"\r\n")
            assert b"connected_clients:%d" % (IDLE + 1) in lines
        assert server.resident_bytes() - before < 100 << 20


def test_a_thousand_listeners_hear_everything_in_order(tmp_path: Path) -> None:
    with SubjectServer(tmp_path / "data") as server, ExitStack() as stack:
        listeners = connected(server, LISTENERS, stack)
        for listener in listeners:
            listener.sendall(encode(["SUBSCRIBE", "news"]))
        answer = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
        for listener in listeners:
            assert read_exactly(listener, len(answer)) == answer
        with server.client() as client:
            commands = [("PUBLISH", "news", f"message {number:02}") for number in range(MESSAGES)]
            assert client.pipeline(commands) == [LISTENERS] * MESSAGES
        expected = b"".join(
            b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$10\r\nmessage %02d\r\n" % number
            for number in range(MESSAGES)
        )
        for listener in listeners:
            assert read_exactly(listener, len(expected)) == expected


def read_exactly(one: socket.socket, size: int) -> bytes:
    """That many bytes from a socket."""
    data = b""
    while len(data) < size:
        received = one.recv(size - len(data))
        assert received, data
        data += received
    return data
