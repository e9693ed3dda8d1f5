"""What the server knows and refuses, call by call, and what it will never have.

A refused command stands in the command table, so that tools find it there with the right arity and
flags; its answer is an error all the same.  The texts are repeated here on purpose: a test sends each call
and compares the answer, so the page cannot say anything but what the server says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(slots=True, frozen=True)
class Refusal:
    """Calls that are answered with one error, and why."""

    calls: tuple[str, ...]
    answer: str
    reason: str


REFUSALS: Final[tuple[Refusal, ...]] = (
    Refusal(
        ("REPLICAOF 127.0.0.1 6380", "SLAVEOF 127.0.0.1 6380"),
        "ERR replication is not supported yet",
        "Not there yet; `REPLICAOF NO ONE` is answered with OK.",
    ),
    Refusal(
        ("MODULE LOAD module.so", "MODULE LOADEX module.so", "MODULE UNLOAD module"),
        "ERR modules are not supported",
        "Modules are compiled against Redis itself.",
    ),
    Refusal(
        ("SCRIPT DEBUG YES", "SCRIPT DEBUG SYNC"),
        "ERR the script debugger is not supported",
        "It is the protocol of Redis's own debugger; `SCRIPT DEBUG NO` is answered with OK.",
    ),
    Refusal(
        ("CLUSTER INFO", "ASKING", "READONLY", "READWRITE"),
        "ERR This instance has cluster support disabled",
        "One data set, no slots; every CLUSTER subcommand is answered so, as by Redis without cluster mode.",
    ),
)

NEVER: Final[dict[str, str]] = {
    "SENTINEL": "belongs to the sentinel process; redis-server does not know it either",
}
"""Commands that will not come, and why; they are unknown."""
