"""Benchmarks of this server beside redis-server, in one run on one machine: ``python -m tools.bench``.

A figure alone says little about a shared two-core machine, so every figure stands beside the one
redis-server reached minutes earlier in the same round, and the report shows the median of the ratios and
their spread over the rounds.

``settings`` says how much work a run does, ``servers`` starts and watches what is measured, ``load`` and
``generator`` put load on it, ``prober`` times its pauses, ``scenarios`` hold the experiments,
``results`` is what they yield, and ``targets``, ``tables`` and ``report`` turn results into
``docs/benchmarks.md``.  Rendering is a pure function of the results, so a report can be drawn again from
its JSON file without measuring anything.
"""
