"""Worker threads for jobs that spend their time in C or in system calls: one per lane, in order.

A lane is always the same thread, because LMDB's writer lock belongs to the thread that took it.  Results
come back through a deque and an eventfd that the reactor's epoll watches.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from typing import Any

from durable_redis.engine.background import LANES, Job


class Workers:
    """The lanes and what they have finished; :attr:`wake_fd` becomes readable when there is something."""

    def __init__(self) -> None:
        self.wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.finished: deque[tuple[Job, Any, BaseException | None]] = deque()
        self.running = 0
        self._queues: dict[str, queue.SimpleQueue[Job | None]] = {lane: queue.SimpleQueue() for lane in LANES}
        self._threads = [
            threading.Thread(
                target=self._work, args=(self._queues[lane],), name=f"{lane}-worker", daemon=True
            )
            for lane in LANES
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Give a job to its lane."""
        self.running += 1
        self._queues[job.lane].put(job)

    def _work(self, jobs: queue.SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            result, failure = None, None
            try:
                result = job.run()
            except BaseException as error:
                failure = error
            self.finished.append((job, result, failure))
            os.eventfd_write(self.wake_fd, 1)

    def take_finished(self) -> None:
        """Call ``done`` of every finished job; a job's unexpected exception is raised here."""
        try:
            os.eventfd_read(self.wake_fd)
        except BlockingIOError:
            pass
        while self.finished:
            job, result, failure = self.finished.popleft()
            self.running -= 1
            if failure is not None:
                raise failure
            if job.done is not None:
                job.done(result)

    def close(self) -> None:
        """End the threads once their queues are empty."""
        for jobs in self._queues.values():
            jobs.put(None)
        for thread in self._threads:
            thread.join()
        os.close(self.wake_fd)
