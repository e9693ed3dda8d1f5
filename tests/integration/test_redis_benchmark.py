"""redis-benchmark runs to its end without an error.  What it measures does not matter here."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.servers import ServerProcess, redis_binary

pytestmark = pytest.mark.integration

TESTS = "ping,set,get,incr,mset"


@pytest.mark.parametrize(
    "options", [(), ("-P", "16"), ("-3",), ("-c", "200")], ids=lambda words: "".join(words) or "plain"
)
def test_benchmark(options: tuple[str, ...], server: ServerProcess) -> None:
    command = [
        redis_binary("redis-benchmark"),
        "-p",
        str(server.port),
        "-t",
        TESTS,
        "-n",
        "4000",
        "-r",
        "1000",
        "-d",
        "100",
    ]
    done = subprocess.run(
        [*command, "--csv", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERR" not in done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith('"') and "rps" not in line]
    assert len(rows) == 6, done.stdout  # PING comes inline and as an array
    with server.client() as client:
        assert client.call("DBSIZE") > 900
