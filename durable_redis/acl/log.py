"""ACL LOG: what was denied lately, the latest first.

Equal denials within a minute are one entry with a count; it comes to the front, as in Redis 7.0, which looks
for it among the first ten entries only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GROUPED_MS: Final = 60_000
SEARCHED: Final = 10
OBJECT_BYTES_MAX: Final = 1024  # of a key or a name that a client made up


@dataclass(slots=True)
class Entry:
    """One kind of denial."""

    reason: str
    context: str
    object: bytes
    username: bytes
    client_info: bytes
    time_ms: int
    count: int = 1

    def is_like(self, other: Entry) -> bool:
        """Whether both tell of the same denial."""
        return (
            self.reason == other.reason
            and self.context == other.context
            and self.object == other.object
            and self.username == other.username
            and abs(self.time_ms - other.time_ms) <= GROUPED_MS
        )


class DenialLog:
    """The entries; ``length_max`` is ``acllog-max-len``."""

    def __init__(self, length_max: int) -> None:
        self.length_max = length_max
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note a denial."""
        entry.object = entry.object[:OBJECT_BYTES_MAX]
        entry.username = entry.username[:OBJECT_BYTES_MAX]
        for place, known in enumerate(self.entries[:SEARCHED]):
            if known.is_like(entry):
                del self.entries[place]
                entry.count = known.count + 1
                break
        self.entries.insert(0, entry)
        del self.entries[self.length_max :]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
