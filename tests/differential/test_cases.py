"""The hand-written edge cases of ``cases/*.txt``, on the subject and on redis-server.

A group of lines is one test; it begins on empty servers with new connections, runs in RESP2 and RESP3, and
ends with a comparison of everything stored.  Files are plain text: see ``tests/support/script.py`` for the
form.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pair import Pair
from tests.support.script import Group, read_groups
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

CASES = Path(__file__).parent / "cases"
GROUPS = [group for path in sorted(CASES.glob("*.txt")) for group in read_groups(path)]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_case(group: Group, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    """Every line of a group gets the oracle's reply."""
    pair = Pair(oracle, subject, protocol)
    try:
        pair.reset()
        differences = [difference for step in group.steps if (difference := pair.run(step))]
        if state := pair.compare_states():
            differences.append(state)
    finally:
        pair.close()
    if differences:
        listed = "\n".join(str(difference) for difference in differences)
        pytest.fail(f"{group.name}, RESP{protocol}\n{listed}", pytrace=False)


def test_there_are_cases() -> None:
    """A wrong path would otherwise pass in silence."""
    assert sum(len(group.steps) for group in GROUPS) > 300
