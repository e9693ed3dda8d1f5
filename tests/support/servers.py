"""Real server processes for tests: redis-server as the oracle, Durable Redis as the subject.

A server is a directory and a command line; :meth:`ServerProcess.start` may be called again on the same
directory after a stop or a kill, which is what the durability suites live on.  Everything a process prints
goes to a file beside its data and is quoted when it does not come up.

``DURABLE_REDIS_TEST_SUBJECT=redis-server`` puts redis-server with an append-only file in the subject's
place: that is how the suites themselves are tested.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Final, Self

import pytest

from tests.support.client import Client, ErrorReply, Status

REPOSITORY: Final = Path(__file__).resolve().parents[2]
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 30.0
PORTS: Final = range(20_000, 32_000)  # below the ports that the kernel hands to outgoing connections
BACKENDS: Final = ("leveldb", "lmdb")
SYNC_MODES: Final = ("always", "everysec", "no")

_claimed_ports: list[IO[bytes]] = []


class ServerFailed(Exception):
    """The process ended, or did not answer in time; the message quotes what it printed."""


def subject_is_stand_in() -> bool:
    """Whether redis-server plays the subject."""
    return os.environ.get("DURABLE_REDIS_TEST_SUBJECT", "") == "redis-server"


def redis_binary(name: str = "redis-server") -> str:
    """The path of one of Redis's programs; skip the test when it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install redis-server redis-tools)")
    return found


def free_port() -> int:
    """A TCP port that nobody uses, claimed by a lock that parallel test processes respect."""
    claims = Path(tempfile.gettempdir()) / f"test-ports-{os.getuid()}"
    claims.mkdir(exist_ok=True)
    for port in random.SystemRandom().sample(PORTS, 500):
        claim = (claims / str(port)).open("wb")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claimed_ports.append(claim)  # held open: the lock lasts as long as this process
        return port
    raise ServerFailed("no free port found")


class ServerProcess:
    """One server process over one directory."""

    name = "server"

    def __init__(
        self, directory: Path, options: dict[str, str] | None = None, *, unix_socket: bool = False
    ) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.options = dict(options or {})
        self.configuration_file: Path | None = None
        self.output_path = directory.parent / f"{directory.name}.output"
        self.socket_path: str | None = None
        if unix_socket:
            # A Unix socket's path may hold 107 bytes only, and pytest's directories are longer.
            self.socket_path = f"{tempfile.mkdtemp(prefix='redis-')}/s"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the process and remove its socket; the data stay."""
        self.kill9()
        if self.socket_path:
            shutil.rmtree(Path(self.socket_path).parent, ignore_errors=True)

    def argv(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self.process is not None, "the server has not been started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def output(self) -> str:
        """The end of what the process printed."""
        if not self.output_path.exists():
            return ""
        return self.output_path.read_text("utf-8", "replace")[-4000:]

    def spawn(self) -> None:
        """Start the process without waiting until it serves."""
        assert not self.running, "already running"
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv(),
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def start(self) -> None:
        """Start the process and return once it answers PING."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return once PING is answered; else raise :class:`ServerFailed` with the process's output."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if not self.running:
                code = self.process.returncode if self.process else None
                raise ServerFailed(f"{self.name} ended with code {code} on start:\n{self.output()}")
            with contextlib.suppress(OSError), self.client(timeout_s=5) as client:
                reply = client.call("PING")
                # A server that wants a password is up as well.
                if reply == Status(b"PONG") or (
                    isinstance(reply, ErrorReply) and reply.startswith(b"NOAUTH")
                ):
                    return
            time.sleep(0.02)
        raise ServerFailed(f"{self.name} does not answer PING:\n{self.output()}")

    def resident_bytes(self) -> int:
        """The memory that the process has in RAM."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))

    def client(self, timeout_s: float = 20.0) -> Client:
        """A new connection, over TCP."""
        return Client(("127.0.0.1", self.port), timeout_s)

    def wait_unix_client(self) -> Client:
        """A connection over the Unix socket, once the server listens there."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if not self.running:
                raise ServerFailed(f"{self.name} ended on start:\n{self.output()}")
            with contextlib.suppress(OSError):
                return self.unix_client()
            time.sleep(0.02)
        raise ServerFailed(f"{self.name} does not listen on its Unix socket:\n{self.output()}")

    def unix_client(self, timeout_s: float = 20.0) -> Client:
        """A new connection over the Unix socket."""
        assert self.socket_path is not None
        return Client(self.socket_path, timeout_s)

    def wait_exit(self, seconds_max: float = STOP_SECONDS_MAX) -> int:
        """The exit code, once the process has ended."""
        assert self.process is not None
        try:
            return self.process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise ServerFailed(f"{self.name} did not end:\n{self.output()}") from None

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ask the process to end, by default with SIGTERM, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal_number)
        return self.wait_exit()

    def kill9(self) -> None:
        """End the process with SIGKILL, if it lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """Stop the process where it stands (SIGSTOP) and return once the kernel says it is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not _all_threads_stopped(self.pid):
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} does not stop on SIGSTOP")
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)


def _all_threads_stopped(pid: int) -> bool:
    """Whether no thread of the process can run (Linux)."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        if stat.read_text().rpartition(")")[2].split()[0] not in "TtZX":
            return False
    return True


class OracleServer(ServerProcess):
    """redis-server without persistence: it says what is right."""

    name = "redis-server"

    def argv(self) -> list[str]:
        """The command line of redis-server; an option given to the constructor wins."""
        options = {
            "port": str(self.port),
            "dir": str(self.directory),
            "save": "",
            "enable-debug-command": "yes",
            "logfile": "",
        }
        if self.socket_path:
            options["unixsocket"] = self.socket_path
        return [redis_binary(), *_as_arguments(options | self.options)]


class AppendOnlyServer(OracleServer):
    """redis-server with an append-only file: the method of the durability suites is tried on it."""

    def __init__(
        self, directory: Path, options: dict[str, str] | None = None, *, unix_socket: bool = False
    ) -> None:
        super().__init__(directory, {"appendonly": "yes"} | (options or {}), unix_socket=unix_socket)


class SubjectServer(ServerProcess):
    """Durable Redis, as its users start it."""

    name = "durable_redis"

    def argv(self) -> list[str]:
        """The command line; an option given to the constructor wins."""
        options = {
            "port": str(self.port),
            "dir": str(self.directory),
            "appendfsync": "always",
            "enable-debug-command": "yes",
        }
        if self.socket_path:
            options["unixsocket"] = self.socket_path
        options |= self.options
        if subject_is_stand_in():
            options.pop("backend", None)
            program = [redis_binary()]
            options = {"save": "", "appendonly": "yes"} | options
        else:
            program = [sys.executable, "-m", "durable_redis"]
        files = [str(self.configuration_file)] if self.configuration_file else []
        return [*program, *files, *_as_arguments(options)]


def _as_arguments(options: dict[str, str]) -> list[str]:
    """``--name value`` for each option; a value of several words is several arguments."""
    arguments: list[str] = []
    for name, value in options.items():
        words = value.split() if name == "bind" else [value]
        arguments += [f"--{name}", *words]
    return arguments
