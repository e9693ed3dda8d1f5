"""Five million elements in one key under a small cache: time and memory, for docs/benchmarks.md.

    python -m tools.big_collections [--backend lmdb] [--elements 5000000] [--maxmemory 64mb] [--directory DIR]

For each type: loading it, starting again after ``kill -9``, reading and changing elements by chance one at a
time, and what DEL takes.  Memory is the process's anonymous memory at its highest, seen ten times a second,
while loading, and from the start after the kill on.  The client is this script, so its own time is part of
every figure.
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hiredis
from rich.console import Console

PER_COMMAND = 100
COMMANDS_PER_PIPELINE = 10
OPERATIONS = 10_000
START_SECONDS_MAX = 120
console = Console(stderr=True)
Words = list[bytes]


@dataclass(slots=True)
class Kind:
    """How to make, read and change one type of collection; ``numbers`` are those of its elements."""

    name: str
    add: Callable[[range], Words]
    read: Callable[[int], Words]
    change: Callable[[int], Words]
    load_singly: bool = False  # a command for each element


def _packed(words: Words) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(words))  # type: ignore[arg-type]
    return packed


def _scattered(number: int) -> bytes:
    return b"%d" % (number * 2_654_435_761 % (1 << 32))


KINDS = (
    Kind(
        "hash",
        lambda numbers: [b"HSET", b"k", *(w for n in numbers for w in (b"field:%d" % n, b"value:%040d" % n))],
        lambda n: [b"HGET", b"k", b"field:%d" % n],
        lambda n: [b"HSET", b"k", b"field:%d" % n, b"changed"],
    ),
    Kind(
        "set",
        lambda numbers: [b"SADD", b"k", *(b"member:%d" % n for n in numbers)],
        lambda n: [b"SISMEMBER", b"k", b"member:%d" % n],
        lambda n: [b"SREM", b"k", b"member:%d" % n],
    ),
    Kind(
        "sorted set",
        lambda numbers: [b"ZADD", b"k", *(w for n in numbers for w in (_scattered(n), b"member:%d" % n))],
        lambda n: [b"ZRANK", b"k", b"member:%d" % n],
        lambda n: [b"ZADD", b"k", b"%d" % n, b"member:%d" % n],
    ),
    Kind(
        "list",
        lambda numbers: [b"RPUSH", b"k", *(b"element:%040d" % n for n in numbers)],
        lambda n: [b"LINDEX", b"k", b"%d" % n],
        lambda n: [b"LSET", b"k", b"%d" % n, b"changed"],
    ),
    Kind(
        "stream",
        lambda numbers: [b"XADD", b"k", b"%d-1" % (numbers[0] + 1), b"field", b"value:%040d" % numbers[0]],
        lambda n: [b"XRANGE", b"k", b"%d" % n, b"+", b"COUNT", b"1"],
        lambda n: [b"XDEL", b"k", b"%d-1" % n],
        load_singly=True,
    ),
)


class Server:
    """A server of our own in a process, with a connection and an eye on its memory."""

    def __init__(self, directory: Path, backend: str, maxmemory: str) -> None:
        self._words = [sys.executable, "-m", "durable_redis", "--dir", str(directory)]
        self._words += ["--backend", backend, "--maxmemory", maxmemory, "--appendfsync", "everysec"]
        self.peak_bytes = 0
        self.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def start(self) -> None:
        """Start, and connect."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [*self._words, "--port", str(port)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), 600)
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.01)
        self._reader = hiredis.Reader()

    def _watch(self) -> None:
        while True:
            try:
                lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
                found = [int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")]
                self.peak_bytes = max(self.peak_bytes, *found)
            except (OSError, TypeError):
                pass
            time.sleep(0.1)

    def call(self, *commands: Words) -> list[Any]:
        """The replies of some commands."""
        self._socket.sendall(b"".join(_packed(words) for words in commands))
        replies: list[Any] = []
        while len(replies) < len(commands):
            self._reader.feed(self._socket.recv(1 << 16))
            while (reply := self._reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise reply
                replies.append(reply)
        return replies

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self._socket.close()


def measure(kind: Kind, server: Server, elements: int, rng: random.Random) -> list[str]:
    """The row of one type."""
    server.peak_bytes = 0
    step = 1 if kind.load_singly else PER_COMMAND
    commands = (kind.add(range(n, min(n + step, elements))) for n in range(0, elements, step))
    per_pipeline = COMMANDS_PER_PIPELINE * PER_COMMAND // step
    started = time.perf_counter()
    for batch in _batches(commands, per_pipeline):
        server.call(*batch)
    loading = time.perf_counter() - started
    loading_bytes, server.peak_bytes = server.peak_bytes, 0
    server.kill()
    started = time.perf_counter()
    server.start()
    server.call([b"PING"])
    starting = time.perf_counter() - started
    times = []
    for words in (kind.read, kind.change):
        started = time.perf_counter()
        for _ in range(OPERATIONS):
            server.call(words(rng.randrange(1, elements)))
        times.append((time.perf_counter() - started) / OPERATIONS * 1e6)
    serving_bytes = server.peak_bytes
    started = time.perf_counter()
    server.call([b"DEL", b"k"])
    deleting = time.perf_counter() - started
    return [
        kind.name,
        f"{loading:.0f}",
        f"{loading / elements * 1e6:.1f}",
        f"{starting:.2f}",
        f"{times[0]:.0f}",
        f"{times[1]:.0f}",
        f"{deleting * 1e3:.2f}",
        f"{loading_bytes / (1 << 20):.0f}",
        f"{serving_bytes / (1 << 20):.0f}",
    ]


def _batches(commands: Iterator[Words], size: int) -> Iterator[list[Words]]:
    batch: list[Words] = []
    for command in commands:
        batch.append(command)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def main() -> None:
    """Measure all types, one after the other, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backend", default="leveldb", choices=("leveldb", "lmdb"))
    parser.add_argument("--elements", type=int, default=5_000_000)
    parser.add_argument("--maxmemory", default="64mb")
    parser.add_argument("--only", default="", help="one type: " + ", ".join(kind.name for kind in KINDS))
    parser.add_argument("--directory", help="where the data goes meanwhile (default: a temporary one)")
    options = parser.parse_args()
    rng = random.Random(1)
    print(
        "| type | load s | µs an element | start s | read µs | change µs | DEL ms | MB loading | MB after |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in KINDS:
        if options.only not in ("", kind.name):
            continue
        with console.status(f"{kind.name}: {options.elements:,} elements"):
            directory = Path(tempfile.mkdtemp(prefix="big-", dir=options.directory))
            server = Server(directory / "data", options.backend, options.maxmemory)
            try:
                row = measure(kind, server, options.elements, rng)
            finally:
                server.kill()
                shutil.rmtree(directory)
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
