"""The experiments: one module each, one function ``run(bench)`` that returns rows of results.

``RUNNERS`` says which there are and in which field of the results their rows belong.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.bench.results import Results
from tools.bench.scenarios import pauses, restart, throughput, zipf
from tools.bench.scenarios.common import Bench


def _throughput(bench: Bench, results: Results) -> None:
    results.throughput = throughput.run(bench)


def _collections(bench: Bench, results: Results) -> None:
    results.collections = throughput.run_collections(bench)


def _restart(bench: Bench, results: Results) -> None:
    results.restart = restart.run(bench)


def _zipf(bench: Bench, results: Results) -> None:
    results.zipf = zipf.run(bench)


def _pauses(bench: Bench, results: Results) -> None:
    results.pauses = pauses.run(bench)


RUNNERS: dict[str, Callable[[Bench, Results], None]] = {
    "throughput": _throughput,
    "collections": _collections,
    "restart": _restart,
    "zipf": _zipf,
    "pauses": _pauses,
}
