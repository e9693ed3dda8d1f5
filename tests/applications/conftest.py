"""A server for applications that know nothing of it but its address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import SubjectServer

PATIENCE_S = 60
HERE = Path(__file__).parent


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SubjectServer]:
    with SubjectServer(tmp_path / "data") as started:
        yield started


@pytest.fixture
def url(server: SubjectServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def spawn(url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process of an application; it finds its jobs here and the server in ``APPLICATION_REDIS``."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {"APPLICATION_REDIS": url, "PYTHONPATH": str(HERE)}

    def start(*words: str) -> subprocess.Popen[bytes]:
        output = (tmp_path / f"output{len(processes)}").open("wb")
        processes.append(
            subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT)
        )
        output.close()
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def python() -> str:
    return sys.executable
