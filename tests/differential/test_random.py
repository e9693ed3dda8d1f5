"""Random sequences on the subject and on redis-server: same replies, same errors, same data at the end.

Each run is seeded; a failure prints the seed and the shortest sequence found that still parts the two, in
the form of ``cases/*.txt``.  ``DURABLE_REDIS_SOAK=20`` runs twenty times as many sequences, from fresh
seeds; ``DURABLE_REDIS_SEED`` replays one.
"""

from __future__ import annotations

import os
import random
import zlib

import pytest

from tests.differential.generators.registry import GENERATORS
from tests.differential.generators.source import Source
from tests.support.pair import Pair, minimise
from tests.support.script import Step
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

SEQUENCES = 6
STEPS = 100


def seeds(group: str, protocol: int) -> list[int]:
    """The seeds of one test: fixed ones by default, so that a run can be repeated."""
    if chosen := os.environ.get("DURABLE_REDIS_SEED"):
        return [int(chosen)]
    soak = int(os.environ.get("DURABLE_REDIS_SOAK", "0"))
    if soak:
        return [random.SystemRandom().getrandbits(32) for _ in range(SEQUENCES * soak)]
    return [zlib.crc32(f"{group} {protocol} {number}".encode()) for number in range(SEQUENCES)]


def sequence(group: str, seed: int) -> list[Step]:
    """The steps that belong to a seed."""
    source = Source(seed)
    generate = GENERATORS[group]
    return [generate(source) for _ in range(STEPS)]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("group", GENERATORS)
def test_random_sequences(group: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    """Sequences of one group agree; the last one's data also after a kill and after a clean restart."""
    pair = Pair(oracle, subject, protocol)
    try:
        for seed in seeds(group, protocol):
            pair.reset()
            steps = sequence(group, seed)
            if found := pair.first_difference(steps):
                report(pair, seed, steps[: found[0] + 1], str(found[1]))
        for kill in (True, False):
            pair.restart_subject(kill=kill)
            if difference := pair.compare_states():
                lines = "\n".join(step.text for step in steps)
                pytest.fail(
                    f"seed {seed}: different after a restart (kill -9: {kill})\n{difference}\nafter\n{lines}"
                )
    finally:
        pair.close()


def report(pair: Pair, seed: int, steps: list[Step], difference: str) -> None:
    """Fail with the shortest sequence that can be found."""
    shortest = minimise(pair, steps)
    pair.reset()
    again = pair.first_difference(shortest)
    last = str(again[1]) if again else f"not repeatable; at first: {difference}"
    lines = "\n".join(step.text for step in shortest)
    pytest.fail(f"seed {seed}: the servers part\n{lines}\n\n{last}", pytrace=False)
