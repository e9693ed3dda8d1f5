"""BullMQ, which is some fifty Lua scripts over lists, sorted sets, hashes, streams and cmsgpack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.applications]
NODE = Path(__file__).parent / "node"


def test_bullmq(url: str) -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "bullmq").exists():
        pytest.skip("node and its package bullmq are not installed: see make test-applications")
    done = subprocess.run(
        [node, "bullmq.mjs"],
        cwd=NODE,
        env=os.environ | {"APPLICATION_REDIS": url},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["results"] == [number**2 for number in range(50)]
    assert outcome["waiting"]["prioritized"] == 50
    assert outcome["waiting"]["waiting-children"] == 1
    assert outcome["waiting"]["delayed"] == 1
    assert outcome["delayed"] == 81
    assert outcome["flaky"] == 16
    assert outcome["hopeless"] == "on purpose"
    assert outcome["once"] == 4
    assert outcome["flow"] == 14
    assert outcome["counts"]["failed"] == 1
    assert outcome["counts"]["completed"] == 50 + 1 + 1 + 1 + 1 + 3
    assert set(outcome["left"].values()) == {0}
