"""Starting, watching and stopping what is measured.

A ``Contender`` knows the command line of one series (redis-server, or this server on one backend), a
``Server`` is one running process of it.  Both are context-managed: whatever ends a block, Ctrl-C
included, ends the process and removes its directory.  Servers run in a session of their own, so that
Ctrl-C reaches the harness alone, which then ends them.

redis-server rewrites its append-only file only where a scenario asks for it: left to itself it would
fork in the middle of some cells and not of others.  The figures are the better for Redis by what those
rewrites cost.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tools.bench.errors import BenchError
from tools.bench.processes import ProcessSample, sample_process
from tools.bench.results import REDIS, REDIS_RDB
from tools.bench.wire import HOST, Connection

START_SECONDS_MAX = 600.0
STOP_SECONDS_MAX = 600.0
IDLE_WAIT_MAX = 10.0
"""Seconds that leftover work is waited for after a cell."""
_IDLE_STEP_SECONDS = 0.1
_IDLE_CPU_SECONDS = 0.011
"""A server that used at most one tick of CPU in a step counts as idle."""
_LOG_TAIL_LINES = 5


@dataclass(slots=True, frozen=True)
class Contender:
    """One series: its name in the results, its program, and the backend where it has a choice of them."""

    series: str
    program: tuple[str, ...]
    backend: str | None = None

    def arguments(self, mode: str, port: int, directory: Path, cache_bytes: int = 0) -> list[str]:
        """The command line for a mode; ``cache_bytes`` limits the memory of the cache, 0 does not."""
        line = [*self.program, "--port", str(port), "--dir", str(directory)]
        if self.backend is not None:
            line += ["--appendfsync", mode, "--backend", self.backend]
            if cache_bytes:
                line += ["--maxmemory", str(cache_bytes)]
            return line
        if self.series == REDIS_RDB:
            return [*line, "--save", "3600 1", "--appendonly", "no"]
        line += ["--save", "", "--auto-aof-rewrite-percentage", "0"]
        return (
            [*line, "--appendonly", "no"]
            if mode == "no"
            else [*line, "--appendonly", "yes", "--appendfsync", mode]
        )


def redis_contender(rdb: bool = False) -> Contender:
    """redis-server, with its append-only file or, for restarts, with an RDB file alone."""
    return Contender(REDIS_RDB if rdb else REDIS, ("redis-server",))


def stands_in(command: Sequence[str]) -> bool:
    """Whether the command of the subject is redis-server itself."""
    return Path(command[0]).name == "redis-server"


def subject_contenders(command: tuple[str, ...], backends: tuple[str, ...]) -> list[Contender]:
    """This server on each backend.

    Where the command is redis-server itself it runs as a stand-in under the backends' names, without the
    option it does not know; that is how the harness is tried out.
    """
    if stands_in(command):
        return [Contender(backend, command) for backend in backends]
    return [Contender(backend, command, backend) for backend in backends]


@contextmanager
def scratch_directory(parent: Path | None) -> Iterator[Path]:
    """An empty directory under ``parent`` that is gone when the block ends."""
    parent_or_default = parent or Path("/var/tmp")  # Not /tmp, which is memory on many systems.
    directory = Path(tempfile.mkdtemp(prefix="durable-redis-bench-", dir=parent_or_default))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Server:
    """One server on a directory that it may be started on again and again."""

    __slots__ = ("_cache_bytes", "_contender", "_directory", "_log", "_mode", "_process", "port")

    def __init__(self, contender: Contender, mode: str, scratch: Path, cache_bytes: int = 0) -> None:
        self._contender = contender
        self._mode = mode
        self._directory = scratch / "data"
        self._log = scratch / "server.log"
        self._cache_bytes = cache_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start the process and return the ``time.monotonic`` time of that; it may not listen yet."""
        assert self._process is None
        self._directory.mkdir(exist_ok=True)
        self.port = free_port()
        arguments = self._contender.arguments(self._mode, self.port, self._directory, self._cache_bytes)
        with self._log.open("wb") as log:
            started = time.monotonic()
            try:
                self._process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            except OSError as error:
                raise BenchError(f"cannot start {arguments[0]}: {error.strerror}") from error
        return started

    def wait_ready(self) -> None:
        """Return when a PING is answered with PONG."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                with Connection(self.port) as connection:
                    if connection.call(b"PING") == b"PONG":
                        return
            except (OSError, BenchError):
                time.sleep(0.01)
        raise BenchError(f"{self._contender.series} was not ready within {START_SECONDS_MAX:.0f} s")

    def check_alive(self) -> None:
        """Raise BenchError with the end of its log where the process has ended."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            tail = self._log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            raise BenchError(f"{self._contender.series} ended with {code}: " + " | ".join(tail))

    def stop(self) -> None:
        """End the process with SIGTERM; raises BenchError where it does not end with code 0."""
        assert self._process is not None
        self.check_alive()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise BenchError(
                f"{self._contender.series} did not stop within {STOP_SECONDS_MAX:.0f} s"
            ) from error
        self._process = None
        if code != 0:
            raise BenchError(f"{self._contender.series} ended with {code} after SIGTERM")

    def kill(self) -> None:
        """End the process and its children with SIGKILL."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)  # It leads a process group, see ``start``.
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process = None

    def sample(self) -> ProcessSample:
        """CPU, memory and switches up to now."""
        self.check_alive()
        return sample_process(self.pid)

    def wait_idle(self) -> ProcessSample:
        """Wait for the end of leftover work, at most ``IDLE_WAIT_MAX``, and return the figures then."""
        deadline = time.monotonic() + IDLE_WAIT_MAX
        sample = self.sample()
        while time.monotonic() < deadline:
            time.sleep(_IDLE_STEP_SECONDS)
            before, sample = sample, self.sample()
            if sample.cpu_seconds - before.cpu_seconds <= _IDLE_CPU_SECONDS:
                break
        return sample

    def disk_bytes(self) -> int:
        """Bytes that the data directory takes on disk."""
        total = 0
        for folder, _, names in os.walk(self._directory):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    continue  # A backend may delete files at any time.
        return total


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
