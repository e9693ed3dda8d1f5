"""Facts about the machine that belong beside every figure, the latency of ``fdatasync`` first among them.

Read only, but for a small file in the scratch directory that the sync latency is measured on: blocks
written over in place, as a log with preallocated segments does.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path

from tools.bench.errors import BenchError
from tools.bench.figures import percentile
from tools.bench.results import Machine

SYNCS = 300
_BLOCK_BYTES = 4096
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


def read_machine(directory: Path) -> Machine:
    """The facts, with ``directory`` standing for the disk."""
    latencies_us = sync_latencies_us(directory)
    return Machine(
        cpu_model=_first_value(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        file_system=file_system(directory, Path("/proc/self/mounts").read_text()),
        python=platform.python_version(),
        redis=redis_version(),
        fdatasync_median_us=percentile(latencies_us, 50),
        fdatasync_p99_us=percentile(latencies_us, 99),
    )


def in_memory(machine: Machine) -> bool:
    """Whether the scratch directory is on a file system without a disk, where syncs cost nothing."""
    return machine.file_system in _MEMORY_FILE_SYSTEMS


def sync_latencies_us(directory: Path) -> list[float]:
    """Microseconds of fdatasyncs, each after one block written over in place, in ascending order."""
    path = directory / "sync-probe"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, bytes(_BLOCK_BYTES * SYNCS), 0)
        os.fsync(handle)
        latencies_us = []
        for index in range(SYNCS):
            os.pwrite(handle, b"\xff" * _BLOCK_BYTES, index * _BLOCK_BYTES)
            started = time.perf_counter()
            os.fdatasync(handle)
            latencies_us.append((time.perf_counter() - started) * 1e6)
    finally:
        os.close(handle)
        path.unlink()
    return sorted(latencies_us)


def file_system(directory: Path, mounts: str) -> str:
    """The type of the file system that holds ``directory``, from the text of /proc/self/mounts."""
    best_point, best_type = "", "unknown"
    place = str(directory.resolve())
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1]
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best_point):
            best_point, best_type = point, fields[2]
    return best_type


def redis_version() -> str:
    """The version of the redis-server in the path."""
    try:
        line = subprocess.run(
            ["redis-server", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError("redis-server is needed to compare with: install Debian's redis-server") from error
    return next((word[2:] for word in line.split() if word.startswith("v=")), "unknown")


def _first_value(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        field, _, value = line.partition(":")
        if field.strip() == name:
            return value.strip()
    return ""
