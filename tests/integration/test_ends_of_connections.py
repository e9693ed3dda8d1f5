"""How connections end and wait: half-closed, quitting, killed while held back, out of descriptors."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import ErrorReply, encode
from tests.support.servers import REPOSITORY, ServerProcess, free_port

pytestmark = pytest.mark.integration


def test_a_half_closed_client_gets_its_replies(server: ServerProcess) -> None:
    for number in range(30):
        with server.client() as client:
            key = b"half:%d" % number
            client.send_raw(encode(("SET", key, "1")) + encode(("GET", key)))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_until_closed() == b"+OK\r\n$1\r\n1\r\n"


def test_a_half_closed_client_gets_what_the_socket_did_not_take(server: ServerProcess) -> None:
    with server.client() as client:
        client.call("SET", "big", b"x" * 1_000_000)
        client.send_raw(encode(("GET", "big")) * 20)
        client.socket.shutdown(socket.SHUT_WR)
        assert len(client.read_until_closed()) == 20 * (1_000_000 + len(b"$1000000\r\n\r\n"))


def test_quit_waits_for_replies_that_are_held(start_server: StartServer) -> None:
    """With syncs in a worker the replies of several batches may be under way."""
    server = start_server(wal_sync_mode="thread")
    for number in range(100):
        with server.client() as client, server.client() as other:
            other.send("SET", "other", number)
            client.send("SET", "a", number)
            client.send_raw(encode(("SET", "b", number)) + encode(("QUIT",)))
            assert client.read_until_closed() == b"+OK\r\n" * 3
            assert other.read_reply() == b"OK"


def test_a_client_that_is_held_back_can_be_killed_by_another(server: ServerProcess) -> None:
    with server.client() as control, server.client() as killer, server.client() as victim:
        number = victim.call("CLIENT", "ID")
        control.call("CLIENT", "PAUSE", 300, "ALL")
        killer.send("CLIENT", "KILL", "ID", number)
        victim.send("GET", "x")
        assert control.call("PING") == b"PONG"  # when the pause is over
        assert killer.read_reply() == 1
        assert victim.read_until_closed() == b""


def test_a_silenced_command_stays_silent_when_it_waits(server: ServerProcess) -> None:
    with server.client() as client:
        client.send_raw(encode(("CLIENT", "REPLY", "SKIP")) + encode(("WAIT", 1, 50)) + encode(("PING",)))
        assert client.read_reply() == b"PONG"


def test_any_keepalive_is_taken(server: ServerProcess) -> None:
    with server.client() as client:
        assert client.call("CONFIG", "SET", "tcp-keepalive", 100_000) == b"OK"
        with server.client() as other:
            assert other.call("PING") == b"PONG"
        client.call("CONFIG", "SET", "tcp-keepalive", 300)


def test_limits_reach_a_pipeline_under_way(server: ServerProcess) -> None:
    with server.client() as control, server.client() as client:
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n" + b"x" * 1000)
        assert control.call("CONFIG", "SET", "client-query-buffer-limit", 1_048_576) == b"OK"
        try:
            client.send_raw(b"x" * 3_000_000)
            assert client.read_until_closed() == b""
        except OSError:
            pass  # closed while we were sending
        assert control.call("EXISTS", "k") == 0
        control.call("CONFIG", "SET", "client-query-buffer-limit", "1gb")


def run_with_descriptors(directory: Path, limit: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "durable_redis", "--port", str(free_port()), "--dir", str(directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )


def test_too_few_descriptors_for_a_single_client(tmp_path: Path) -> None:
    process = run_with_descriptors(tmp_path, 64)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "ulimit -n" in output


def test_fewer_clients_where_descriptors_are_few(start_server: StartServer) -> None:
    server = start_server(wait=False)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        server.spawn()
        assert server.process is not None
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    server.wait_ready()
    with server.client() as client:
        possible = int(client.call("CONFIG", "GET", "maxclients")[1])
        assert possible <= 200
        others = [server.client() for _ in range(possible - 1)]
        assert others[-1].call("SET", "a", "1") == b"OK"
        with server.client() as refused:
            assert b"max number of clients" in refused.read_until_closed()
        error = client.call("CONFIG", "SET", "maxclients", "100000")
        assert isinstance(error, ErrorReply)
        assert f"try with {possible}" in error.text
        for other in others:
            other.close()
        assert client.call("SAVE") == b"OK"
