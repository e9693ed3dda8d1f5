"""``docs/benchmarks.md``: the machine, the table of targets, and a section for each scenario that was run.

Rendering is a pure function of the results, and of the notes a person wrote under the marker at the end
of the file: they are carried over, because what was tried and what limits a figure is not measured.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator

from tools.bench.results import Machine, Results, RunInfo, ThroughputRow
from tools.bench.servers import stands_in
from tools.bench.tables import (
    memory_table,
    pauses_table,
    restart_table,
    targets_table,
    throughput_table,
    zipf_table,
)
from tools.bench.targets import Judgement, is_judged, judge

NOTES_MARKER = (
    "<!-- Notes: written by hand; what stands below this line is kept when the file is rendered again. -->"
)


_COLUMNS = 110


def render(results: Results, notes: str = "") -> str:
    """The report as Markdown text, with ``notes`` after the marker."""
    lines = [
        "# Benchmarks",
        "",
        *_paragraph(
            "`make bench` measures this server beside redis-server on the same machine, in turn within each "
            "round, and writes this file.  A figure is the median of the rounds; a ratio is formed within a "
            "round, and shown as the median of the ratios (lowest–highest)."
        ),
        "",
        *_machine_lines(results.machine),
        "",
        *_run_lines(results.runs),
    ]
    if any(stands_in(shlex.split(run.subject)) for run in results.runs.values()):
        lines += ["", "**A trial of the harness: redis-server stood in for this server in some of it.**"]
    judgements = judge(results)
    if judgements:
        lines += [
            "",
            "## Targets",
            "",
            _summary(judgements),
            "",
            *targets_table(judgements),
        ]
    for section in (
        _throughput_section,
        _collections_section,
        _restart_section,
        _zipf_section,
        _pauses_section,
        _failures_section,
    ):
        lines += section(results)
    return "\n".join([*lines, "", NOTES_MARKER]) + "\n" + notes


def notes_of(text: str) -> str:
    """What stands below the marker in an earlier report."""
    _, found, notes = text.partition(NOTES_MARKER)
    return notes.removeprefix("\n") if found else ""


def _summary(judgements: list[Judgement]) -> str:
    reached = sum(judgement.reached is True for judgement in judgements)
    missed = sum(judgement.reached is False for judgement in judgements)
    return f"{reached} reached, {missed} missed, {len(judgements) - reached - missed} not judged."


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _machine_lines(machine: Machine) -> list[str]:
    return [
        f"- Machine: {machine.cpu_model}, {machine.cores} cores, {machine.memory_bytes / 2**30:.1f} GiB,"
        f" Linux {machine.kernel}, {machine.file_system}",
        f"- `fdatasync` of a 4 KiB block in place: median {machine.fdatasync_median_us:.0f} µs,"
        f" p99 {machine.fdatasync_p99_us:.0f} µs",
        f"- Python {machine.python}; redis-server {machine.redis}",
    ]


def _run_lines(runs: dict[str, RunInfo]) -> Iterator[str]:
    by_command: dict[tuple[str, str], list[str]] = {}
    for name, run in runs.items():
        words = f"{name} ({run.started}, {run.seconds / 60:.1f} min)"
        by_command.setdefault((run.command, run.edition), []).append(words)
    for (command, edition), names in by_command.items():
        yield f"- `{command}` ({edition} edition): {', '.join(names)}"


def _throughput_section(results: Results) -> Iterator[str]:
    if not results.throughput:
        return
    settings = results.runs["throughput"].settings
    yield from ("", "## Throughput, latency, cost", "")
    yield from _paragraph(
        f"redis-benchmark, {settings['clients']} clients, values of {settings['value_bytes']} bytes, "
        f"{settings['keys']:,} keys that were all there before, {settings['rounds']} rounds.  CPU is "
        "user and system time of the server with its threads and children per request; *after* is what "
        "it went on to spend when the last reply was sent, until it was idle.  Switches are voluntary "
        "context switches per request.  Requests per second of MSET count the commands, not their "
        "keys.  redis-server does not rewrite its AOF here."
    )
    yield from _modes(results.throughput, is_judged(results, "throughput"))


def _modes(rows: list[ThroughputRow], judged: bool) -> Iterator[str]:
    """A table for each mode, and one of memory."""
    for mode in dict.fromkeys(row.mode for row in rows):
        beside = "redis-server without persistence" if mode == "no" else f"redis-server `appendfsync {mode}`"
        yield from ("", f"### `appendfsync {mode}` beside {beside}", "")
        yield from throughput_table(rows, mode, judged)
    yield from ("", "### Memory", "", "Highest of all cells and rounds.", "")
    yield from memory_table(rows)


def _collections_section(results: Results) -> Iterator[str]:
    if not results.collections:
        return
    settings = results.runs["collections"].settings
    yield from ("", "## Collections", "")
    yield from _paragraph(
        "The same for redis-benchmark's commands on collections and XADD, without pipelining, "
        f"{settings['rounds']} rounds of {settings['requests']:,} requests (fewer for LRANGE).  Each type "
        f"has one key, which grows by elements out of {settings['keys']:,}, and shrinks, from test to test "
        "in the order of the table."
    )
    yield from _modes(results.collections, is_judged(results, "collections"))


def _restart_section(results: Results) -> Iterator[str]:
    if not results.restart:
        return
    settings = results.runs["restart"].settings
    yield from ("", "## Start", "")
    yield from _paragraph(
        "From the start of the process to the first answered GET of a key that was there before, with "
        f"the data in the page cache.  Before each kill -9 the last {settings['restart_tail']:,} keys "
        "were written anew."
    )
    yield ""
    yield from restart_table(results.restart)


def _zipf_section(results: Results) -> Iterator[str]:
    if not results.zipf:
        return
    settings = results.runs["zipf"].settings
    yield from ("", "## Data larger than memory", "")
    yield from _paragraph(
        f"{settings['zipf_keys']:,} keys with {settings['value_bytes']} bytes each, "
        f"{settings['zipf_data_per_cache']} times the cache (`maxmemory`) counted as bytes of keys and "
        f"values; {100 * (1 - settings['zipf_writes']):g} % GET, the rest SET, keys zipf-distributed "
        f"(exponent {settings['zipf_exponent']}), {settings['clients']} clients, no pipeline, "
        "`appendfsync always`.  The generator is this project's own and written in Python: its figures "
        "compare with each other only."
    )
    yield ""
    yield from zipf_table(results.zipf)


def _pauses_section(results: Results) -> Iterator[str]:
    if not results.pauses:
        return
    settings = results.runs["pauses"].settings
    yield from ("", "## Pauses", "")
    yield from _paragraph(
        f"Latency of a PING each millisecond while {settings['clients']} clients SET and a BGSAVE (here "
        f"a checkpoint) is asked for every {settings['checkpoint_seconds']:g} s.  The prober's own "
        "lateness is how long the scheduler let it wait at worst, which no server can help."
    )
    yield ""
    yield from pauses_table(results.pauses)


def _failures_section(results: Results) -> Iterator[str]:
    failures = [f"- {text}" for texts in results.failures.values() for text in texts]
    if failures:
        yield from ("", "## Not measured", "", *failures)
