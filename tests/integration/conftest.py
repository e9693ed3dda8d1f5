"""What the integration suites share: one server for a module, and servers with options of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import ServerFailed, SubjectServer

StartServer = Callable[..., SubjectServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start subjects with options given as keywords (``_`` for ``-``); all are killed afterwards."""
    started: list[SubjectServer] = []

    def start(*, unix_socket: bool = False, wait: bool = True, **options: str) -> SubjectServer:
        names = {name.replace("_", "-"): value for name, value in options.items()}
        server = SubjectServer(tmp_path / f"data{len(started)}", names, unix_socket=unix_socket)
        started.append(server)
        if wait:
            server.start()
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubjectServer]:
    """One server for the tests of a module; use ``server``."""
    with SubjectServer(
        tmp_path_factory.mktemp("integration") / "data", {"appendfsync": "everysec"}
    ) as server:
        yield server


@pytest.fixture
def server(shared_server: SubjectServer) -> Iterator[SubjectServer]:
    """A server with no keys; it has to be alive and well after the test."""
    if not shared_server.running:
        shared_server.start()
    with shared_server.client() as client:
        client.call("FLUSHALL")
    yield shared_server
    if not shared_server.running:
        raise ServerFailed(f"the test has ended the server:\n{shared_server.output()}")
    with shared_server.client() as client:
        assert client.call("ECHO", "still here") == b"still here"
