"""The oracle for the command tests: their own redis-server 7.0, or a skip that says why there is none."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from durable_redis.commands import build_commands
from durable_redis.commands.table import Command
from tests.support.oracle_commands import Oracle

ORACLE_VERSION = "7.0."


@pytest.fixture(scope="session")
def oracle_socket() -> Iterator[str]:
    """The Unix socket of a redis-server that the session owns."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: nothing to compare with")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if f"v={ORACLE_VERSION}" not in version:
        pytest.skip(f"redis-server {ORACLE_VERSION}x is needed to compare with, this is {version.strip()}")
    directory = tempfile.mkdtemp(prefix="oracle")
    path = str(Path(directory, "redis.sock"))
    options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
    with subprocess.Popen(
        [program, *options, "--enable-debug-command", "yes"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        log = []
        for line in process.stdout:
            log.append(line)
            if "ready to accept connections at" in line.lower():
                break
        else:
            pytest.fail("redis-server did not start:\n" + "".join(log))
        yield path
        process.terminate()
        process.stdout.read()
    shutil.rmtree(directory)


@pytest.fixture
def oracle(oracle_socket: str) -> Iterator[Oracle]:
    """A connection to the oracle that speaks RESP3, so that maps and sets can be told from arrays."""
    connection = Oracle(oracle_socket, 3)
    yield connection
    connection.close()


@pytest.fixture
def oracle_resp2(oracle_socket: str) -> Iterator[Oracle]:
    """A connection to the oracle that speaks RESP2."""
    connection = Oracle(oracle_socket, 2)
    yield connection
    connection.close()


@pytest.fixture
def table() -> dict[str, Command]:
    """Our command table."""
    return build_commands()
