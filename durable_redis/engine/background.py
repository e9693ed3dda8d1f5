"""Work beside the commands: in slices between batches, and in workers inside C.

A task is a generator.  It yields None after each short step (well under a millisecond), or a :class:`Job`
and gets its result. :class:`Background` runs steps within the time it is given; jobs go to ``net``, which
has one worker thread per lane and hands results back.  CPU-bound Python never runs in a thread: the reactor
would lose the GIL at each system call.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

LOG_LANE = "log"
BACKEND_LANE = "backend"
FILES_LANE = "files"
LANES = (LOG_LANE, BACKEND_LANE, FILES_LANE)


@dataclass(slots=True)
class Job:
    """Something for a worker: ``run`` spends its time in system calls or in C without the GIL."""

    lane: str
    run: Callable[[], Any]
    done: Callable[[Any], None] | None = None


Task = Generator[Job | None, Any, None]
_EVENTS = {"expiry": "expire-cycle"}  # as LATENCY names them, where Redis has a name


class Background:
    """The running tasks by name; at most one of a name."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()  # taken by ``net``
        self.note: Callable[[str, float], None] = _no_note  # of what took how many milliseconds
        self._ready: deque[tuple[str, Task]] = deque()
        self._names: set[str] = set()

    def start(self, name: str, task: Task) -> bool:
        """Start a task unless one of that name is running."""
        if name in self._names:
            return False
        self._names.add(name)
        self._ready.append((name, task))
        return True

    def running(self, name: str) -> bool:
        """Whether the task is under way."""
        return name in self._names

    @property
    def has_steps(self) -> bool:
        """Whether a task could take a step now."""
        return bool(self._ready)

    @property
    def idle(self) -> bool:
        """Whether no task is under way, waiting ones included."""
        return not self._names and not self.jobs

    def run(self, seconds: float) -> None:
        """Take steps for about that long; at least one if there is any."""
        deadline = time.perf_counter() + seconds
        while self._ready:
            name, task = self._ready.popleft()
            self._step(name, task, None, deadline)
            if time.perf_counter() >= deadline:
                return

    def _step(self, name: str, task: Task, result: Any, deadline: float) -> None:
        """Run one task until the deadline, its next job or its end."""
        started = time.perf_counter()
        try:
            wanted = task.send(result)
            while wanted is None:
                if time.perf_counter() >= deadline:
                    self._ready.append((name, task))
                    return
                wanted = next(task)
        except StopIteration:
            self._names.discard(name)
            return
        finally:
            self.note(_EVENTS.get(name, name), (time.perf_counter() - started) * 1000)

        def resume(result: Any) -> None:
            self._step(name, task, result, 0.0)

        self.jobs.append(Job(wanted.lane, wanted.run, resume))


def _no_note(kind: str, elapsed_ms: float) -> None:
    """Nobody wants to know."""
