"""The one error of the benchmarks: a measurement that could not be made.

Scenarios catch it around one cell or one server, note it in the results, and go on with the rest;
everything else that is raised is a fault of the harness and ends the run.
"""

from __future__ import annotations


class BenchError(Exception):
    """A server, a load generator or an option did not do what the measurement needs; the text says what."""
