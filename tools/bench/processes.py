"""CPU time, memory and context switches of a process with its threads and children, as ``/proc`` tells them.

CPU time comes in ticks (10 ms on Linux), so a cell should last some seconds.  A child that ended and was
waited for is in its parent's ``cutime`` and ``cstime``; one that lives is found by its parent's id.
Memory is that of the process itself: what a forked child shares with it must not count twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(slots=True, frozen=True)
class ProcessSample:
    """Totals since the process started; subtract two samples to get an interval."""

    cpu_seconds: float
    switches: int
    """Voluntary context switches of living threads and children."""
    resident_bytes: int
    resident_peak_bytes: int


def sample_process(pid: int) -> ProcessSample:
    """The figures of ``pid``, its threads and all its descendants.

    Raises ProcessLookupError where there is no such process.
    """
    family = _descendants(pid)
    try:
        cpu_seconds = _cpu_seconds((_PROC / str(pid) / "stat").read_text())
        status = _status_fields((_PROC / str(pid) / "status").read_text())
    except OSError as error:
        raise ProcessLookupError(f"no process {pid}") from error
    switches = _voluntary_switches(pid)
    for child in family:
        try:
            cpu_seconds += _cpu_seconds((_PROC / str(child) / "stat").read_text())
            switches += _voluntary_switches(child)
        except OSError:
            continue  # It ended between the two looks; its parent's sum has it from now on.
    return ProcessSample(
        cpu_seconds,
        switches,
        _kilobytes(status.get("VmRSS", "")),
        _kilobytes(status.get("VmHWM", "")),
    )


def _stat_fields(text: str) -> list[str]:
    """The fields of a stat line from the state on: the name before it may hold spaces and parentheses."""
    return text.rpartition(")")[2].split()


def _cpu_seconds(text: str) -> float:
    """utime + stime + cutime + cstime, fields 14 to 17 of proc(5)."""
    return sum(map(int, _stat_fields(text)[11:15])) * _TICK_SECONDS


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int(_stat_fields((entry / "stat").read_text())[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = children.get(pid, [])
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting.extend(children.get(child, []))
    return found


def _voluntary_switches(pid: int) -> int:
    total = 0
    for thread in (_PROC / str(pid) / "task").iterdir():
        try:
            fields = _status_fields((thread / "status").read_text())
        except OSError:
            continue
        total += int(fields.get("voluntary_ctxt_switches", "0"))
    return total


def _status_fields(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def _kilobytes(value: str) -> int:
    return int(value.split()[0]) * 1024 if value else 0
