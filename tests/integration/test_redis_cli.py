"""redis-cli as people use it: interactively with its start-up COMMAND DOCS, and in each of its modes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from tests.support.client import encode
from tests.support.servers import ServerProcess, redis_binary

pytestmark = pytest.mark.integration

SECONDS_MAX = 30.0


def redis_cli(server: ServerProcess, *words: str, data: bytes = b"") -> str:
    """What redis-cli prints; its exit code has to be 0."""
    done = subprocess.run(
        [redis_binary("redis-cli"), "-p", str(server.port), *words],
        input=data,
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


@pytest.fixture
def filled(server: ServerProcess) -> ServerProcess:
    """A server with a hundred keys of growing size."""
    with server.client() as client:
        client.pipeline([("SET", f"key:{number}", "x" * number) for number in range(100)])
    return server


class Terminal:
    """redis-cli on a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))  # rows and columns
        environment = dict(os.environ, TERM="xterm", HOME="/nonexistent")
        self.process = subprocess.Popen(
            [redis_binary("redis-cli"), *words], stdin=slave, stdout=slave, stderr=slave, env=environment
        )
        os.close(slave)
        self.seen = b""

    def type(self, text: str) -> None:
        """Type some keys."""
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Return once the terminal has shown ``text`` after what was waited for before."""
        deadline = time.monotonic() + SECONDS_MAX
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                self.seen += os.read(self.master, 65536)
            assert time.monotonic() < deadline, f"{text!r} did not show up in {self.seen!r}"
        self.seen = self.seen.partition(text.encode())[2]

    def close(self) -> None:
        """End the program."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(filled: ServerProcess) -> Iterator[Terminal]:
    opened = Terminal("-p", str(filled.port))
    yield opened
    opened.close()


def test_interactive_session(terminal: Terminal, filled: ServerProcess) -> None:
    """The prompt comes, commands are answered, and the hints of COMMAND DOCS are shown."""
    prompt = f"127.0.0.1:{filled.port}"
    terminal.wait_for(f"{prompt}> ")
    terminal.type("GETRANGE ")
    terminal.wait_for("key start end")
    terminal.type("key:3 0 -1\r")
    terminal.wait_for('"xxx"')
    terminal.wait_for(f"{prompt}> ")  # what is typed before the prompt is thrown away
    terminal.type("INCR key:3\r")
    terminal.wait_for("(error) ERR value is not an integer or out of range")
    terminal.wait_for(f"{prompt}> ")
    terminal.type("SELECT 5\r")
    terminal.wait_for(f"{prompt}[5]> ")
    terminal.type("help getrange\r")
    terminal.wait_for("summary:")
    terminal.wait_for("since:")
    terminal.wait_for(f"{prompt}[5]> ")
    terminal.type("HELLO 3\r")
    terminal.wait_for('"proto" => (integer) 3')
    terminal.wait_for(f"{prompt}[5]> ")
    terminal.type("exit\r")
    assert terminal.process.wait(SECONDS_MAX) == 0


@pytest.mark.parametrize("options", [(), ("-3",)], ids=["resp2", "resp3"])
def test_single_commands(options: tuple[str, ...], server: ServerProcess) -> None:
    assert redis_cli(server, *options, "SET", "a", "1") == "OK\n"
    assert redis_cli(server, *options, "INCR", "a") == "2\n"
    assert redis_cli(server, *options, "MGET", "a", "b") == "2\n\n"
    assert redis_cli(server, *options, "-n", "4", "DBSIZE") == "0\n"
    assert redis_cli(server, *options, "-x", "SET", "b", data=b"from stdin") == "OK\n"
    assert redis_cli(server, *options, "GET", "b") == "from stdin\n"
    assert "ERR" in redis_cli(server, *options, "NOSUCH")


def test_scan(filled: ServerProcess) -> None:
    keys = redis_cli(filled, "--scan").split()
    assert sorted(keys) == sorted(f"key:{number}" for number in range(100))
    assert len(redis_cli(filled, "--scan", "--pattern", "key:1?").split()) == 10


def test_bigkeys(filled: ServerProcess) -> None:
    printed = redis_cli(filled, "--bigkeys")
    assert "Sampled 100 keys" in printed
    assert "key:99" in printed
    assert "99 bytes" in printed


def test_memkeys(filled: ServerProcess) -> None:
    printed = redis_cli(filled, "--memkeys")
    assert "Sampled 100 keys" in printed


def test_stat(filled: ServerProcess) -> None:
    process = subprocess.Popen(
        [redis_binary("redis-cli"), "-p", str(filled.port), "--stat", "-i", "0.05"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(4)]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    fields = lines[3].split()
    assert fields[0] == b"100", lines  # keys
    assert int(fields[2]) >= 1, lines  # clients


def test_latency(server: ServerProcess) -> None:
    least, most, average, samples = redis_cli(server, "--latency", "--raw", "-i", "1").split()
    assert float(least) <= float(average) <= float(most)
    assert int(samples) > 10


def test_pipe(server: ServerProcess) -> None:
    """Mass insertion, inline commands and protocol mixed, values binary."""
    protocol = b"".join(encode(("SET", f"pipe:{number}", b"\r\n\x00" * number)) for number in range(2000))
    inline = b"".join(b"SET inline:%d x\r\n" % number for number in range(2000))
    printed = redis_cli(server, "--pipe", data=protocol + inline)
    assert "errors: 0, replies: 4000" in printed
    with server.client() as client:
        assert client.call("DBSIZE") == 4000
        assert client.call("GET", "pipe:3") == b"\r\n\x00" * 3


def test_pipe_counts_errors(server: ServerProcess) -> None:
    done = subprocess.run(
        [redis_binary("redis-cli"), "-p", str(server.port), "--pipe"],
        input=encode(("SET", "a", "x")) + encode(("INCR", "a")) + encode(("NOSUCH",)),
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert b"errors: 2, replies: 3" in done.stdout
