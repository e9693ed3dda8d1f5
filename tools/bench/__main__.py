"""The command line: ``python -m tools.bench``.

Exit codes: 0 measured and written, 1 a measurement failed (the report says which), 2 nothing could be
measured, 130 interrupted.  SIGTERM ends a run as Ctrl-C does: servers stop, directories go.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from tools.bench.errors import BenchError
from tools.bench.load import TESTS
from tools.bench.machine import in_memory, read_machine
from tools.bench.progress import Progress
from tools.bench.report import notes_of, render
from tools.bench.results import Results, RunInfo
from tools.bench.scenarios import RUNNERS
from tools.bench.scenarios.common import Bench
from tools.bench.servers import scratch_directory, subject_contenders
from tools.bench.settings import BACKENDS, FULL, MODES, QUICK, SCENARIOS, Settings

DEFAULT_OUTPUT = Path("docs/benchmarks.md")


def build_parser() -> argparse.ArgumentParser:
    """The options; those about counts default to the edition's own."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure beside redis-server.")
    parser.add_argument("--quick", action="store_true", help="small counts, about three minutes")
    parser.add_argument(
        "--only", action="append", choices=SCENARIOS, help="run this scenario; may be repeated"
    )
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, help="the report (default %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="the results (default: beside the report)")
    parser.add_argument("--merge", action="store_true", help="keep other scenarios' results of the JSON file")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, draw the report from the JSON file"
    )
    parser.add_argument("--scratch", type=Path, help="where data directories go (default /var/tmp)")
    parser.add_argument("--subject", help="command of the server to measure (default: this project's)")
    parser.add_argument("--backends", type=_names(BACKENDS), default=BACKENDS, help="as leveldb,lmdb")
    parser.add_argument("--modes", type=_names(MODES), help="as always,everysec,no")
    parser.add_argument("--tests", type=_names(tuple(TESTS)), help=f"some of {','.join(TESTS)}")
    parser.add_argument("--pipelines", type=_whole_numbers, help="depths, as 1,16")
    parser.add_argument("--restart-keys", type=_whole_numbers, help="sizes, as 1000000,5000000")
    for name in (
        "rounds",
        "keys",
        "requests",
        "requests_pipelined",
        "zipf_keys",
        "zipf_requests",
        "pause_requests",
        "pause_requests_pipelined",
    ):
        parser.add_argument("--" + name.replace("_", "-"), type=int, metavar="N")
    parser.add_argument("--checkpoint-seconds", type=float, metavar="SECONDS")
    return parser


class _names:
    """An argument type: comma-separated names out of some."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def __call__(self, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if name not in self._known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(self._known)}")
        return names


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers") from error


def settings_from(options: argparse.Namespace) -> Settings:
    """The edition with what the options change in it."""
    base = QUICK if options.quick else FULL
    names = [field.name for field in dataclasses.fields(Settings)]
    changes = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    settings = dataclasses.replace(base, **changes)
    settings.check()
    return settings


def measure(
    options: argparse.Namespace, arguments: Sequence[str], results_path: Path, progress: Progress
) -> Results:
    """Run the scenarios, and save the results after each."""
    settings = settings_from(options)
    command = shlex.split(options.subject) if options.subject else [sys.executable, "-m", "durable_redis"]
    earlier = Results.from_json(results_path.read_text()) if options.merge and results_path.exists() else None
    with scratch_directory(options.scratch) as scratch:
        machine = read_machine(scratch)
        if in_memory(machine):
            progress.line(f"The scratch directory is on {machine.file_system}: a sync costs nothing there.")
        results = earlier or Results(machine=machine)
        results.machine = machine
        for name in options.only or SCENARIOS:
            bench = Bench(settings, subject_contenders(tuple(command), options.backends), scratch, progress)
            started = time.time()
            RUNNERS[name](bench, results)
            results.failures[name] = bench.failures
            results.runs[name] = RunInfo(
                command=shlex.join(["python", "-m", "tools.bench", *arguments]),
                subject=shlex.join(command),
                started=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)),
                seconds=time.time() - started,
                edition="quick" if options.quick else "full",
                settings=dataclasses.asdict(settings),
            )
            results.save(results_path)
    return results


def main(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code."""
    options = build_parser().parse_args(arguments)
    console = Console(soft_wrap=True)
    results_path: Path = options.json or options.output.with_suffix(".json")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.render:
            results = Results.from_json(results_path.read_text())
        else:
            results = measure(options, arguments, results_path, Progress(console))
        notes = notes_of(options.output.read_text()) if options.output.exists() else ""
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(render(results, notes))
    except (BenchError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    return 1 if any(results.failures.values()) else 0


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
