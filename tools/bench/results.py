"""What was measured: flat rows, one dataclass per scenario, and their JSON form.

Rows hold measurements only, in the units their names say; ratios, medians and verdicts are worked out
when the report is rendered.  The JSON file is an object with the fields of ``Results``, rows as objects;
``FORMAT`` changes with the meaning of a field.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.bench.errors import BenchError

FORMAT = 1
REDIS = "redis"
"""The series that every other series is compared with."""
REDIS_RDB = "redis-rdb"


@dataclass(slots=True, frozen=True, kw_only=True)
class Machine:
    """What the figures were measured on."""

    cpu_model: str
    cores: int
    memory_bytes: int
    kernel: str
    file_system: str
    python: str
    redis: str
    fdatasync_median_us: float
    fdatasync_p99_us: float


@dataclass(slots=True, frozen=True, kw_only=True)
class RunInfo:
    """How one scenario was run."""

    command: str
    subject: str
    """The command of the server under "this server"."""
    started: str
    seconds: float
    edition: str
    """``full`` or ``quick``."""
    settings: dict[str, Any]


@dataclass(slots=True, frozen=True, kw_only=True)
class ThroughputRow:
    """One cell: one test at one pipeline depth on one server."""

    round: int
    series: str
    mode: str
    test: str
    pipeline: int
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server and its children per request, while the load ran."""
    cpu_after_us: float
    """The same for work left over after the last reply, until the server was idle (or ``IDLE_WAIT_MAX``)."""
    switches: float
    """Voluntary context switches per request."""
    resident_bytes: int
    resident_peak_bytes: int


@dataclass(slots=True, frozen=True, kw_only=True)
class RestartRow:
    """One start of a server on data that it finds."""

    round: int
    series: str
    stop: str
    """What ended the process before: ``clean`` or ``kill``."""
    keys: int
    first_get_ms: float
    resident_bytes: int
    """Resident memory just after the first answered GET."""
    loaded_resident_bytes: int
    """Resident memory of the process that wrote the data, when all was written."""
    disk_bytes: int
    keys_found: int


@dataclass(slots=True, frozen=True, kw_only=True)
class ZipfRow:
    """One run of the zipf-distributed mix."""

    round: int
    series: str
    keys: int
    cache_bytes: int
    """The cache limit; 0 where there was none and all the data was in memory."""
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    resident_bytes: int


@dataclass(slots=True, frozen=True, kw_only=True)
class PauseRow:
    """Latency of PINGs sent each millisecond while others write."""

    round: int
    series: str
    mode: str
    pipeline: int
    per_second: float
    checkpoints: int
    probes: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    worst_ms: float
    prober_late_worst_ms: float
    """How late the prober itself woke at worst: what the machine's scheduler adds without any server."""


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything a report is made of."""

    machine: Machine
    runs: dict[str, RunInfo] = field(default_factory=dict)
    throughput: list[ThroughputRow] = field(default_factory=list)
    collections: list[ThroughputRow] = field(default_factory=list)
    restart: list[RestartRow] = field(default_factory=list)
    zipf: list[ZipfRow] = field(default_factory=list)
    pauses: list[PauseRow] = field(default_factory=list)
    failures: dict[str, list[str]] = field(default_factory=dict)
    """Per scenario, the measurements that could not be made."""

    def to_json(self) -> str:
        """The results as JSON text."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n"

    def save(self, path: Path) -> None:
        """Write the JSON file; a reader sees the old file or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(self.to_json())
        new.replace(path)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """The results in ``text``; raises BenchError where it is not such a file."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise BenchError(f"the results have format {document['format']}, this program reads {FORMAT}")
            return cls(
                machine=Machine(**document["machine"]),
                runs={name: RunInfo(**run) for name, run in document["runs"].items()},
                throughput=[ThroughputRow(**row) for row in document["throughput"]],
                collections=[ThroughputRow(**row) for row in document.get("collections", [])],
                restart=[RestartRow(**row) for row in document["restart"]],
                zipf=[ZipfRow(**row) for row in document["zipf"]],
                pauses=[PauseRow(**row) for row in document["pauses"]],
                failures=document["failures"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BenchError(f"this is not a file of benchmark results: {error}") from error
