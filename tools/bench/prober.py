"""The prober: a process that sends a PING each millisecond and so sees when a server stops answering.

A prober that waits for a late reply sends nothing meanwhile; were those missing PINGs not counted, a
pause of a second would weigh as little as one of two milliseconds.  So each slot of the schedule that
passes during a wait counts as a PING sent at that slot ("coordinated omission").  How late the prober
itself woke up is kept apart: that is the machine.  Run as ``python -m tools.bench.prober PORT``; it ends
when standard input closes, and prints one JSON object.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import select
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType

from tools.bench.errors import BenchError
from tools.bench.figures import percentile
from tools.bench.generator import REPOSITORY
from tools.bench.wire import HOST

INTERVAL_SECONDS = 0.001
_END_SECONDS_MAX = 30.0
_PRIORITY = -10
"""Where it is allowed the prober goes first, so that it times the server and not its own wait for a core."""


@dataclass(slots=True, frozen=True, kw_only=True)
class ProbeFigures:
    """Latencies in milliseconds."""

    probes: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    worst_ms: float
    late_worst_ms: float


class Prober:
    """A prober under way in a process of its own."""

    __slots__ = ("_process",)

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.prober", str(port)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Prober:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_started(self) -> None:
        """Return when the first PING was answered."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "started\n":
            raise BenchError("the prober did not start")

    def finish(self) -> ProbeFigures:
        """End the probing and return its figures."""
        try:
            output, complaints = self._process.communicate(timeout=_END_SECONDS_MAX)
        except subprocess.TimeoutExpired as error:
            raise BenchError("the prober got no answer for a last PING") from error
        if self._process.returncode != 0:
            raise BenchError(f"the prober failed: {complaints.strip().splitlines()[-1:]}")
        return ProbeFigures(**json.loads(output))


def slot_latencies(due: float, sent: float, answered: float, interval: float) -> list[float]:
    """Latencies that one PING stands for: its own, and one for each later slot that passed before the answer.

    ``due`` is the slot the PING was meant for; a wait before ``sent`` is the prober's own lateness and
    not counted.
    """
    latencies = [answered - sent]
    passed = int((answered - due) / interval)
    for slot in range(1, passed + 1):
        waited = answered - (due + slot * interval)
        if waited < latencies[0]:  # Slots before the PING was sent passed without the server's doing.
            latencies.append(max(0.0, waited))
    return latencies


def probe(port: int) -> ProbeFigures:
    """Send PINGs until standard input closes."""
    latencies: list[float] = []
    late_worst = 0.0
    stopping = select.poll()
    stopping.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    clock, sleep = time.perf_counter, time.sleep
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _ping(connection)
        print("started", flush=True)
        gc.freeze()
        gc.disable()
        due = clock() + INTERVAL_SECONDS
        while not stopping.poll(0):
            wait = due - clock()
            if wait > 0:
                sleep(wait)
            sent = clock()
            late_worst = max(late_worst, sent - due)
            _ping(connection)
            answered = clock()
            latencies += slot_latencies(due, sent, answered, INTERVAL_SECONDS)
            due += (max(0, int((answered - due) / INTERVAL_SECONDS)) + 1) * INTERVAL_SECONDS
    latencies.sort()
    milliseconds = [latency * 1000 for latency in latencies]
    return ProbeFigures(
        probes=len(milliseconds),
        p50_ms=percentile(milliseconds, 50),
        p99_ms=percentile(milliseconds, 99),
        p999_ms=percentile(milliseconds, 99.9),
        worst_ms=milliseconds[-1],
        late_worst_ms=late_worst * 1000,
    )


def _ping(connection: socket.socket) -> None:
    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
    reply = b""
    while reply != b"+PONG\r\n":
        part = connection.recv(64)
        reply += part
        if not part or not b"+PONG\r\n".startswith(reply):
            raise BenchError(f"a PING was answered with {reply!r}")


def main() -> None:
    """The process: port from the first argument, figures to standard output."""
    try:
        os.nice(_PRIORITY)
    except PermissionError:
        pass
    print(json.dumps(dataclasses.asdict(probe(int(sys.argv[1])))))


if __name__ == "__main__":
    main()
