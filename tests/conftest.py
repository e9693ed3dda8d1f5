"""Fixtures that every suite shares: the oracle, and the subject on each backend.

The processes live long (the oracle for the session, a subject for a module and backend) and are wiped
between tests: all data gone, every CONFIG value back to what it was at the start.  A test that needs a
process of its own makes one from ``tests.support.servers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Map
from tests.support.servers import BACKENDS, OracleServer, ServerProcess, SubjectServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--backend leveldb`` runs the suites that take a backend on that one only; it may be given twice."""
    parser.addoption("--backend", action="append", choices=BACKENDS, help="backend to test (default: each)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for ``backend`` every backend that was chosen."""
    if "backend" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--backend") or BACKENDS
        metafunc.parametrize("backend", chosen, scope="module")


@pytest.fixture(scope="session")
def oracle_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OracleServer]:
    """One redis-server for the whole session; tests use ``oracle``."""
    with OracleServer(tmp_path_factory.mktemp("oracle") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def oracle_configuration(oracle_server: OracleServer) -> dict[bytes, bytes]:
    """The oracle's CONFIG values at the start."""
    return read_configuration(oracle_server)


@pytest.fixture
def oracle(oracle_server: OracleServer, oracle_configuration: dict[bytes, bytes]) -> OracleServer:
    """redis-server, empty and with its configuration as at the start."""
    wipe(oracle_server, oracle_configuration)
    return oracle_server


@pytest.fixture(scope="module")
def subject_server(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubjectServer]:
    """One subject for a module and backend; tests use ``subject``."""
    with SubjectServer(tmp_path_factory.mktemp(backend) / "data", {"backend": backend}) as server:
        yield server


@pytest.fixture(scope="module")
def subject_configuration(subject_server: SubjectServer) -> dict[bytes, bytes]:
    """The subject's CONFIG values at the start."""
    return read_configuration(subject_server)


@pytest.fixture
def subject(subject_server: SubjectServer, subject_configuration: dict[bytes, bytes]) -> SubjectServer:
    """The subject, empty and with its configuration as at the start; started anew if a test has killed it."""
    wipe(subject_server, subject_configuration)
    return subject_server


@pytest.fixture
def data_directory(tmp_path: Path) -> Path:
    """A directory for a process of the test's own."""
    return tmp_path / "data"


def read_configuration(server: ServerProcess) -> dict[bytes, bytes]:
    """Every CONFIG value by name."""
    with server.client() as client:
        reply = client.call("CONFIG", "GET", "*")
    return Map(reply).as_dict() if isinstance(reply, list) else {}


def wipe(server: ServerProcess, configuration: dict[bytes, bytes]) -> None:
    """Bring a long-lived server back to its beginning."""
    if not server.running:
        server.start()
    with server.client() as client:
        client.call("FLUSHALL")
        client.call("CLIENT", "UNPAUSE")
        changed = {
            name: configuration[name]
            for name, value in read_configuration(server).items()
            if configuration.get(name, value) != value
        }
        for name, value in changed.items():
            client.call("CONFIG", "SET", name, value)
        client.call("CONFIG", "RESETSTAT")
