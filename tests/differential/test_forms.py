"""The random sequences of the collection types again, with every collection expanded, and cold.

*Expanded*: two elements are enough for a collection to have a record for each element.  *Cold*: so it is, and
before every step the subject checkpoints, drops its cache and reads from the disk again.  The replies, the
data and the digest are still those of redis-server; afterwards the backend is consistent.  Streams have nodes
of a few entries, on both servers.

``DURABLE_REDIS_SOAK=20`` runs twenty sequences, from fresh seeds and ten times as long;
``DURABLE_REDIS_SEED`` replays one of these.
"""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator

import pytest

from storage.backends import open_backend
from tests.differential.generators.registry import GENERATORS
from tests.differential.generators.source import Source
from tests.support.pair import Pair
from tests.support.script import Step
from tests.support.servers import OracleServer, SubjectServer, subject_is_stand_in
from tools.check import check_backend

pytestmark = [
    pytest.mark.differential,
    pytest.mark.skipif(subject_is_stand_in(), reason="redis-server has other forms"),
]

COLLECTIONS = ("hashes", "lists", "sets", "sorted_sets", "streams", "geo")
GROUPS = [group for group in COLLECTIONS if group in GENERATORS]
STEPS = {"expanded": 300, "cold": 100}
SOAK_LENGTH = 10
NODE_ENTRIES = 3


def plan(group: str, form: str, backend: str) -> tuple[list[int], int]:
    """The seeds of one test, and how many steps each sequence has."""
    steps = STEPS[form]
    if chosen := os.environ.get("DURABLE_REDIS_SEED"):
        return [int(chosen)], steps * SOAK_LENGTH
    if soak := int(os.environ.get("DURABLE_REDIS_SOAK", "0")):
        return [random.SystemRandom().getrandbits(32) for _ in range(soak)], steps * SOAK_LENGTH
    return [zlib.crc32(f"{group} {form} {backend}".encode())], steps


@pytest.fixture(scope="module")
def subject_server(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SubjectServer]:
    """A subject to which two elements are many; it is so after a restart too."""
    options = {
        "backend": backend,
        "collection-compact-entries": "2",
        "stream-node-max-entries": str(NODE_ENTRIES),
    }
    with SubjectServer(tmp_path_factory.mktemp(backend) / "data", options) as server:
        yield server


@pytest.fixture
def expanded(oracle: OracleServer, subject: SubjectServer) -> Iterator[SubjectServer]:
    """The subject, which a test may stop; streams have the same nodes on both servers."""
    with oracle.client() as client:
        assert client.call("CONFIG", "SET", "stream-node-max-entries", NODE_ENTRIES) == b"OK"
    yield subject
    if not subject.running:
        subject.start()


def run(pair: Pair, steps: list[Step], form: str) -> tuple[int, str] | None:
    """How many steps were run until the servers parted, and what differs."""
    pair.reset()
    for number, step in enumerate(steps, start=1):
        if form == "cold":
            assert pair.subject.call("reload", "DEBUG", "RELOAD") == b"OK"
        if difference := pair.run(step):
            return number, str(difference)
    difference = pair.compare_states()
    return (len(steps), str(difference)) if difference else None


@pytest.mark.parametrize("form", ["expanded", "cold"])
@pytest.mark.parametrize("group", GROUPS)
def test_random_sequences(
    group: str, form: str, backend: str, oracle: OracleServer, expanded: SubjectServer
) -> None:
    pair = Pair(oracle, expanded, 2)
    seeds, length = plan(group, form, backend)
    try:
        for seed in seeds:
            source = Source(seed)
            steps = [GENERATORS[group](source) for _ in range(length)]
            if found := run(pair, steps, form):
                lines = "\n".join(step.text for step in steps[: found[0]])
                pytest.fail(
                    f"seed {seed}: {found[1]}\nwith {form} collections, after\n{lines}", pytrace=False
                )
            pair.restart_subject(kill=True)
            difference = pair.compare_states()
            assert not difference, f"seed {seed}: different after kill -9\n{difference}"
    finally:
        pair.close()
    assert expanded.stop() == 0
    opened = open_backend(backend, str(expanded.directory / backend), cache_bytes=8 << 20)
    try:
        assert check_backend(opened) == []
    finally:
        opened.close()
