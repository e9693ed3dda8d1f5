"""The random sequences of the collection types again, with every collection expanded, and cold.

*Expanded*: two elements are enough for a collection to have a record for each element.  *Cold*: so it is, and
before every step the subject checkpoints, drops its cache and reads from the disk again.  The replies, the
data and the digest are still those of redis-server; afterwards the backend is consistent.
"""

from __future__ import annotations

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


@pytest.fixture
def expanded(subject: SubjectServer) -> Iterator[SubjectServer]:
    with subject.client() as client:
        assert client.call("CONFIG", "SET", "collection-compact-entries", 2) == b"OK"
    yield subject
    if not subject.running:
        subject.start()
    with subject.client() as client:
        client.call("CONFIG", "SET", "collection-compact-entries", 512)


def run(pair: Pair, steps: list[Step], form: str) -> str:
    """What differs, as text; nothing if all is well."""
    pair.reset()
    for step in steps:
        if form == "cold":
            assert pair.subject.call("reload", "DEBUG", "RELOAD") == b"OK"
        if difference := pair.run(step):
            return str(difference)
    return str(pair.compare_states() or "")


@pytest.mark.parametrize("form", ["expanded", "cold"])
@pytest.mark.parametrize("group", GROUPS)
def test_random_sequences(
    group: str, form: str, backend: str, oracle: OracleServer, expanded: SubjectServer
) -> None:
    pair = Pair(oracle, expanded, 2)
    try:
        source = Source(zlib.crc32(f"{group} {form} {backend}".encode()))
        steps = [GENERATORS[group](source) for _ in range(STEPS[form])]
        if found := run(pair, steps, form):
            lines = "\n".join(step.text for step in steps)
            pytest.fail(f"{found}\nwith {form} collections, after some of\n{lines}", pytrace=False)
        pair.restart_subject(kill=True)
        assert not pair.compare_states()
    finally:
        pair.close()
    assert expanded.stop() == 0
    opened = open_backend(backend, str(expanded.directory / backend), cache_bytes=8 << 20)
    try:
        assert check_backend(opened) == []
    finally:
        opened.close()
