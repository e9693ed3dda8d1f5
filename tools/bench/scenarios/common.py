"""What every scenario is handed, and how it survives a measurement that fails.

A server that cannot do what one cell asks costs that cell, not the run: the failure is a line on the
console and in the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench.errors import BenchError
from tools.bench.progress import Progress
from tools.bench.servers import Contender, Server, redis_contender, scratch_directory
from tools.bench.settings import Settings


@dataclass(slots=True)
class Bench:
    """One run: what is compared, with what settings, and where the data goes."""

    settings: Settings
    subjects: list[Contender]
    scratch: Path
    progress: Progress
    failures: list[str] = field(default_factory=list)

    @property
    def contenders(self) -> list[Contender]:
        """redis-server and then the subjects: the order of each round."""
        return [redis_contender(), *self.subjects]

    @contextmanager
    def cell(self, title: str) -> Iterator[None]:
        """One measurement: shown while it runs, noted as failed where it or its server does."""
        with self.progress.live(title):
            try:
                yield
            except (BenchError, ConnectionError, TimeoutError, ProcessLookupError) as error:
                self.failures.append(f"{' '.join(title.split())}: {error}")
                self.progress.line(f"{title}: FAILED: {error}")

    @contextmanager
    def server(self, contender: Contender, mode: str, cache_bytes: int = 0) -> Iterator[Server]:
        """A server on a fresh directory, not yet started; both are gone when the block ends."""
        with (
            scratch_directory(self.scratch) as directory,
            Server(contender, mode, directory, cache_bytes) as server,
        ):
            yield server


def megabytes(count: int) -> str:
    """Bytes as MB for the console."""
    return f"{count / 1e6:,.0f} MB"
