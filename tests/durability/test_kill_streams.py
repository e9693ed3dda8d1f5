"""kill -9 in the middle of writing to streams: entries, groups and what is pending, small and on disk.

Small streams are one record each; large ones have a record for every node, and two trees of several nodes
for what is pending.  Deliveries are several effects of one command, so a half of one would show.  After each
checkpoint some streams are left alone, so that what it has written is not covered by what comes later.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from storage.backends import open_backend
from tests.durability.test_kill import check_survivors, request_checkpoint
from tests.support.client import Client
from tests.support.servers import SubjectServer
from tests.support.writer_streams import change_stream
from tests.support.writers import Load, Operation, Writer
from tools.check import check_backend

pytestmark = [pytest.mark.durability, pytest.mark.slow]

WRITERS: Final = 3
ROUNDS: Final = 4
SMALL, LARGE = 5, 200
SIZES: Final = (SMALL, LARGE, SMALL, LARGE, LARGE)
"""How many entries the streams of a writer have at most."""
COMMANDS: Final = (
    *("XADD", "XDEL", "XTRIM", "XSETID", "XREADGROUP", "XACK", "XCLAIM", "XAUTOCLAIM"),
    *("CREATE", "SETID", "DESTROY", "CREATECONSUMER", "DELCONSUMER"),
)


@pytest.fixture
def server(backend: str, data_directory: Path, request: pytest.FixtureRequest) -> Iterator[SubjectServer]:
    options = {
        "backend": backend,
        "appendfsync": request.param,
        "collection-compact-entries": "12",
        "stream-node-max-entries": "8",
    }
    with SubjectServer(data_directory, options) as started:
        yield started


class StreamWriter(Writer):
    """Writes to streams only."""

    def __init__(self, number: int) -> None:
        super().__init__(number, seed=300 + number)
        self.commands: Counter[object] = Counter()
        self.busy = list(range(len(SIZES)))
        """The streams that are written to."""

    def _next_operation(self) -> Operation:
        index = self.random.choice(self.busy)
        key = b"%b:x:%d" % (self.name, index)
        content, deadline = self._entry(key)
        if content and self.random.random() < 0.002:
            return Operation(["UNLINK", key], {key: None})
        words, left = change_stream(key, content, b"%d" % self.sent, self.random, SIZES[index])
        name = words[0]
        self.commands[words[1] if name == "XGROUP" else name] += 1
        return Operation(words, {key: None if left is None else (left, deadline)})


@pytest.mark.parametrize("server", ["always", "no"], indirect=True)
def test_kill_under_streams(server: SubjectServer, backend: str) -> None:
    """Several rounds, with a checkpoint in each but the first; what is on disk is consistent every time."""
    writers = [StreamWriter(number) for number in range(WRITERS)]
    chance = random.Random(9)
    large = pending = 0
    for round_number in range(ROUNDS):
        for writer in writers:
            writer.busy = list(range(len(SIZES)))
        load = Load(list(writers))
        load.start(server)
        load.wait_acknowledged(chance.randrange(1000, 4000))
        if round_number:
            with server.client() as control:
                request_checkpoint(control, round_number)
            for writer in writers:
                writer.busy = chance.sample(range(len(SIZES)), 2)
        load.wait_acknowledged(load.acknowledged() + chance.randrange(1, 3000))
        server.kill9()
        load.join()
        check_copy(server.directory / backend)
        server.start()
        with server.client() as client:
            check_survivors(client, list(writers), lost_max=0)
            entries_found, pending_found = largest(client, writers)
            large, pending = max(large, entries_found), max(pending, pending_found)
    assert server.stop() == 0
    check_copy(server.directory / backend)
    assert large > LARGE // 4, "no stream has become large"
    assert pending > 128, "what is pending has never been more than a node of a tree"
    commands = sum((writer.commands for writer in writers), Counter())
    assert min(commands[name] for name in COMMANDS) > 0, commands


def largest(client: Client, writers: list[StreamWriter]) -> tuple[int, int]:
    """The most entries that a stream has, and the most that are pending in the groups of one."""
    entries, pending = [0], [0]
    for key in [b"%b:x:%d" % (writer.name, index) for writer in writers for index in range(len(SIZES))]:
        if client.call("EXISTS", key):
            entries.append(client.call("XLEN", key))
            groups = client.call("XINFO", "GROUPS", key)
            pending.append(
                sum(dict(zip(group[::2], group[1::2], strict=True))[b"pending"] for group in groups)
            )
    return max(entries), max(pending)


def check_copy(path: Path) -> None:
    """The backend of a server that does not run is consistent; opening it changes a copy only."""
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    opened = open_backend(path.name, str(copy), cache_bytes=8 << 20)
    try:
        assert check_backend(opened) == []
    finally:
        opened.close()
        shutil.rmtree(copy)
