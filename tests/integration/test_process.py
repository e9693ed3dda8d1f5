"""The process as its operator sees it: options, exit codes, one-line errors, signals, restarts."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import ErrorReply, encode
from tests.support.servers import SubjectServer, subject_is_stand_in

pytestmark = pytest.mark.integration

ours_only = pytest.mark.skipif(subject_is_stand_in(), reason="redis-server behaves differently here")


def refuses_to_start(server: SubjectServer) -> str:
    """Start a server that must not come up; return the one line it says."""
    server.spawn()
    code = server.wait_exit()
    assert code != 0, server.output()
    if not subject_is_stand_in():
        lines = [line for line in server.output().splitlines() if line.strip()]
        assert len(lines) == 1, server.output()
    return server.output()


def test_port_in_use(start_server: StartServer) -> None:
    server = start_server(wait=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        assert str(server.port) in refuses_to_start(server)


@pytest.mark.parametrize(
    "options",
    [
        {"nosuchoption": "1"},
        {"appendfsync": "sometimes"},
        {"port": "70000"},
        {"port": "abc"},
        {"databases": "0"},
        {"maxmemory": "lots"},
    ],
    ids=lambda options: "-".join(*options.items()),
)
def test_bad_option(options: dict[str, str], start_server: StartServer) -> None:
    said = refuses_to_start(start_server(wait=False, **options))
    assert next(iter(options)) in said


@ours_only
def test_bad_backend(start_server: StartServer) -> None:
    assert "nosuch" in refuses_to_start(start_server(wait=False, backend="nosuch"))


@ours_only
def test_directory_in_use(start_server: StartServer) -> None:
    """Two servers on one directory would destroy it."""
    first = start_server()
    second = SubjectServer(first.directory)
    second.output_path = first.output_path.with_name("second.output")
    try:
        assert str(first.directory) in refuses_to_start(second)
    finally:
        second.kill9()
    with first.client() as client:
        assert client.call("SET", "a", "1") == b"OK"


@ours_only
def test_directory_of_another_backend(start_server: StartServer) -> None:
    server = start_server(backend="leveldb")
    with server.client() as client:
        client.call("SET", "a", "1")
    assert server.stop() == 0
    server.output_path.unlink()
    server.options["backend"] = "lmdb"
    assert "leveldb" in refuses_to_start(server)
    server.options["backend"] = "leveldb"
    server.start()
    with server.client() as client:
        assert client.call("GET", "a") == b"1"


@ours_only
@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({}, "dump.rdb"),
        ({}, "appendonlydir/appendonly.aof.manifest"),
        ({}, "appendonly.aof"),
        ({"dbfilename": "cache.rdb"}, "cache.rdb"),
    ],
)
def test_directory_of_redis(
    options: dict[str, str], file: str, start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "redis"
    (data / file).parent.mkdir(parents=True)
    (data / file).write_bytes(b"REDIS0010")
    server = start_server(wait=False, dir=str(data), **options)
    server.spawn()
    assert server.wait_exit() == 1
    said = server.output()
    assert file.split("/")[0] in said
    assert "another server" in said
    assert (data / file).read_bytes() == b"REDIS0010"
    assert not (data / "IDENTITY").exists()


@ours_only
def test_a_first_start_that_was_cut_short_is_made_good(start_server: StartServer, tmp_path: Path) -> None:
    """Whatever it left was never a server's data; a lost IDENTITY alone is not taken for that."""
    data = tmp_path / "data"
    (data / "wal").mkdir(parents=True)
    (data / "wal" / f"{0:020d}.wal").write_bytes(b"half a header")
    (data / "leveldb").mkdir()
    (data / "leveldb" / "MANIFEST-000002").write_bytes(b"half a manifest")
    assert "IDENTITY" in refuses_to_start(start_server(wait=False, dir=str(data)))
    (data / "CREATING").write_bytes(b"")
    server = start_server(dir=str(data), backend="leveldb")
    with server.client() as client:
        assert client.call("SET", "a", "1") == b"OK"
    assert server.stop() == 0
    assert not (data / "CREATING").exists()
    server.start()


def test_directory_is_a_file(start_server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    refuses_to_start(start_server(wait=False, dir=str(tmp_path / "file")))
    assert (tmp_path / "file").read_text() == "not a directory"


def test_missing_configuration_file(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(wait=False)
    server.configuration_file = tmp_path / "missing.conf"
    assert "missing.conf" in refuses_to_start(server)


def test_configuration_file(start_server: StartServer, tmp_path: Path) -> None:
    """Options come from the file, words on the command line win, and CONFIG REWRITE keeps what was set."""
    server = start_server(wait=False)
    server.configuration_file = tmp_path / "server.conf"
    server.configuration_file.write_text(
        '# a comment\n\ntimeout 77\ntcp-keepalive 100\nrequirepass "a b\\x41"\n'
    )
    server.options["tcp-keepalive"] = "200"
    server.start()
    with server.client() as client:
        assert client.call("AUTH", "a bA") == b"OK"
        assert client.call("CONFIG", "GET", "timeout") == [b"timeout", b"77"]
        assert client.call("CONFIG", "GET", "tcp-keepalive") == [b"tcp-keepalive", b"200"]
        assert client.call("CONFIG", "SET", "maxmemory", "123mb", "requirepass", "") == b"OK"
        assert client.call("CONFIG", "REWRITE") == b"OK"
    assert "# a comment" in server.configuration_file.read_text()
    assert server.stop() == 0
    server.start()
    with server.client() as client:
        assert client.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"%d" % (123 << 20)]
        assert client.call("PING") == b"PONG"


def test_bad_line_in_the_configuration_file(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(wait=False)
    server.configuration_file = tmp_path / "server.conf"
    server.configuration_file.write_text("timeout 77\nnosuchoption 1\n")
    assert "nosuchoption" in refuses_to_start(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_cleanly(number: int, start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        client.pipeline([("SET", f"k{index}", index) for index in range(1000)])
        assert server.stop(number) == 0, server.output()
        assert client.read_until_closed() == b""
    server.start()
    with server.client() as client:
        assert client.call("DBSIZE") == 1000


@ours_only
def test_second_start_replays_nothing(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        client.pipeline([("SET", f"k{index}", index) for index in range(1000)])
    assert server.stop() == 0
    server.output_path.unlink()
    server.start()
    assert " 0 bytes of log replayed" in server.output()
    with server.client() as client:
        assert client.call("DBSIZE") == 1000


@pytest.mark.parametrize(
    "words", [("SHUTDOWN",), ("SHUTDOWN", "NOSAVE"), ("SHUTDOWN", "SAVE"), ("shutdown", "now")]
)
def test_shutdown(words: tuple[str, ...], start_server: StartServer) -> None:
    """SHUTDOWN answers nothing, ends with code 0, and keeps what was acknowledged, NOSAVE or not."""
    server = start_server()
    with server.client() as client:
        client.call("SET", "a", "1")
        client.send(*words)
        assert client.read_until_closed() == b""
    assert server.wait_exit() == 0, server.output()
    server.start()
    with server.client() as client:
        assert client.call("GET", "a") == b"1"


def test_what_stands_behind_shutdown_is_not_executed(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        client.send_raw(encode(["SET", "a", "1"]) + encode(["SHUTDOWN"]) + encode(["SET", "a", "2"]))
        assert client.read_until_closed() == b"+OK\r\n"
    assert server.wait_exit() == 0, server.output()
    server.start()
    with server.client() as client:
        assert client.call("GET", "a") == b"1"


def test_debug_is_off_by_default(start_server: StartServer) -> None:
    server = start_server(enable_debug_command="no")
    with server.client() as client:
        reply = client.call("DEBUG", "SLEEP", "0")
        assert isinstance(reply, ErrorReply)
        assert reply.startswith(b"ERR DEBUG command not allowed.")


def test_appendfsync_can_be_switched_live(start_server: StartServer) -> None:
    server = start_server(appendfsync="always")
    with server.client() as client:
        for mode in ("no", "everysec", "always", "everysec", "no", "always"):
            assert client.call("CONFIG", "SET", "appendfsync", mode) == b"OK"
            client.pipeline([("INCR", "n")] * 100)
        assert client.call("GET", "n") == b"600"
    server.kill9()
    server.start()
    with server.client() as client:
        assert client.call("GET", "n") == b"600"
