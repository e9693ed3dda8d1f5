"""The load of the zipf scenario: a process that keeps one request under way on each of many connections.

redis-benchmark draws its keys uniformly, so this takes its place where popularity matters.  It encodes
all its requests before it sends the first, and per request does little more than two system calls; it is
still Python, so its figures compare only with other figures it produced.  Run as ``python -m
tools.bench.generator``; options come as one JSON object in the first argument, figures leave as one on
standard output.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import select
import socket
import subprocess
import sys
import time
from array import array
from dataclasses import dataclass
from pathlib import Path

from tools.bench.errors import BenchError
from tools.bench.figures import percentile
from tools.bench.wire import HOST
from tools.bench.zipf import ZipfKeys, mixed_requests

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATOR_SECONDS_MAX = 1800.0
_RECEIVE_BYTES_MAX = 65536


@dataclass(slots=True, frozen=True, kw_only=True)
class GeneratorOptions:
    """What to send and where to."""

    port: int
    clients: int
    keys: int
    exponent: float
    writes: float
    value_bytes: int
    warm_up: int
    """Requests before the clock starts; they bring a cache to its steady state."""
    requests: int
    seed: int


@dataclass(slots=True, frozen=True, kw_only=True)
class GeneratorFigures:
    """What came of it."""

    per_second: float
    p50_ms: float
    p99_ms: float


def run_generator(options: GeneratorOptions) -> GeneratorFigures:
    """Run the load in a process of its own."""
    line = [sys.executable, "-m", "tools.bench.generator", json.dumps(dataclasses.asdict(options))]
    try:
        done = subprocess.run(
            line,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=GENERATOR_SECONDS_MAX,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the generator did not end within {GENERATOR_SECONDS_MAX:.0f} s") from error
    if done.returncode != 0:
        raise BenchError(f"the generator failed: {done.stderr.strip().splitlines()[-1:]}")
    return GeneratorFigures(**json.loads(done.stdout))


def generate(options: GeneratorOptions) -> GeneratorFigures:
    """Encode the requests, send them, time the replies."""
    source = random.Random(options.seed)
    keys = ZipfKeys(options.keys, options.exponent, source)
    total = options.warm_up + options.requests
    requests = mixed_requests(keys, total, options.writes, options.value_bytes, source)
    del keys
    gc.freeze()
    gc.disable()
    with _Clients(options.port, options.clients, options.value_bytes) as clients:
        clients.send(requests[: options.warm_up])
        started = time.perf_counter()
        latencies = sorted(clients.send(requests[options.warm_up :]))
        seconds = time.perf_counter() - started
    return GeneratorFigures(
        per_second=options.requests / seconds,
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=percentile(latencies, 99) * 1000,
    )


class _Clients:
    """Connections with at most one request under way on each."""

    __slots__ = ("_epoll", "_sockets", "_value_reply_bytes")

    def __init__(self, port: int, count: int, value_bytes: int) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._value_reply_bytes = len(b"$%d\r\n" % value_bytes) + value_bytes + 2
        for _ in range(count):
            connection = socket.create_connection((HOST, port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[connection.fileno()] = connection
            self._epoll.register(connection.fileno(), select.EPOLLIN)

    def __enter__(self) -> _Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets.values():
            connection.close()
        self._epoll.close()

    def send(self, requests: list[bytes]) -> array[float]:
        """Send all requests, wait for all replies, and return the latency of each in seconds."""
        latencies = array("d")
        upcoming = iter(requests)
        sent_at: dict[int, float] = {}
        for number, connection in self._sockets.items():
            request = next(upcoming, None)
            if request is None:
                break
            sent_at[number] = time.perf_counter()
            connection.send(request)
        partial: dict[int, bytes] = {}
        value_reply_bytes = self._value_reply_bytes
        sockets, poll, clock = self._sockets, self._epoll.poll, time.perf_counter
        left = len(requests)
        while left:
            for number, _ in poll():
                connection = sockets[number]
                reply = connection.recv(_RECEIVE_BYTES_MAX)
                if len(reply) != value_reply_bytes and reply != b"+OK\r\n":
                    reply = partial.pop(number, b"") + reply
                    if not self._is_whole(reply):
                        partial[number] = reply
                        continue
                now = clock()
                latencies.append(now - sent_at[number])
                left -= 1
                request = next(upcoming, None)
                if request is not None:
                    sent_at[number] = now
                    connection.send(request)
        return latencies

    def _is_whole(self, reply: bytes) -> bool:
        """Whether a reply that came in pieces is complete; raises on one that must not come."""
        if len(reply) == self._value_reply_bytes or reply == b"+OK\r\n":
            return True
        if not reply:
            raise BenchError("the server closed a connection")
        if reply[:1] == b"-" or reply.startswith(b"$-1"):
            raise BenchError(f"a request was answered with {reply[:100]!r}")
        return False


def main() -> None:
    """The process: options from the first argument, figures to standard output."""
    figures = generate(GeneratorOptions(**json.loads(sys.argv[1])))
    print(json.dumps(dataclasses.asdict(figures)))


if __name__ == "__main__":
    main()
