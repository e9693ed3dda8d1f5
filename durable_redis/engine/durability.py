"""When replies may leave: group commit by ``appendfsync``.

``always``: a batch is written as one frame and synced before any of its replies is sent.  The sync runs
inside the loop while the disk is quick (one sync served 50 clients there), and in a worker when it is slow:
then the loop goes on, and replies that show what is not durable yet (``visibility.py``) wait, in order, until
the log is durable as far as it was written when they were made. ``everysec`` syncs once a second in a
worker, ``no`` leaves it to the operating system; replies leave at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from durable_redis.engine.background import LOG_LANE, Job
from durable_redis.engine.visibility import Unsynced
from storage.wal.log import Log

SYNC_SLOW_MS = 2.0  # above this mean, syncs move to the worker
SYNC_QUICK_MS = 1.0  # below it they come back
SYNC_WEIGHT = 0.05  # of one sync in the running mean
EVERYSEC_SECONDS = 1.0

Release = Callable[[], None]


class Durability:
    """Writes and syncs the log, and says when what was said so far is on disk."""

    def __init__(self, log: Log, policy: str, mode: str, submit: Callable[[Job], None]) -> None:
        """``policy`` is ``appendfsync``, ``mode`` is ``wal-sync-mode``.

        ``submit`` hands a job to a worker.
        """
        self.log = log
        self.policy = policy
        self.mode = mode
        self.sync_mean_ms = 0.0
        self.on_durable: Callable[[], None] = _nothing
        self.on_tracking: Callable[[], None] = _nothing
        self.note: Callable[[str, float], None] = _no_note  # of what took how many milliseconds
        self.unsynced = Unsynced()
        self.tracking = False  # whether ``unsynced`` is kept: while syncs run in a worker
        self._submit = submit
        self._syncing = False
        self._sync_wanted = False
        self._held: deque[tuple[int, Release]] = deque()
        self._last_sync = -1.0e9
        self._now_ms = 0  # when the last batch ended

    @property
    def inline(self) -> bool:
        """Whether a batch is synced inside the loop."""
        if self.policy != "always" or self._syncing:
            return False
        if self.mode == "auto":
            return self.sync_mean_ms < SYNC_SLOW_MS
        return self.mode == "inline"

    def commit(self, now_ms: int) -> bool:
        """End a batch.  True: its replies may be sent now; False: give those that must wait to :meth:`hold`.

        Raises ``StorageError`` when the log fails; nothing may be sent then.
        """
        log = self.log
        self._now_ms = now_ms
        if log.pending:
            log.write(now_ms)
        if self.policy != "always" or log.durable == log.written:
            if self.tracking and not self._syncing:
                self._all_durable()
            return not self._held  # what was held back leaves first
        if self.inline:
            started = time.perf_counter()
            log.sync()
            self._measured((time.perf_counter() - started) * 1000)
            if self.tracking:
                self._track(False)
            return True
        if not self.tracking:
            self._track(True)
        self.request_sync()
        return False

    def _all_durable(self) -> None:
        """Whatever made it so: nobody has to wait.  Go on tracking only if the next sync is the worker's."""
        if self.inline or self.policy != "always":
            self._track(False)
        else:
            self.unsynced.clear()
            self._release()

    def _track(self, tracking: bool) -> None:
        """Begin to keep ``unsynced``, knowing nothing of what is under way; or end it, everything durable."""
        self.tracking = tracking
        self.unsynced.clear()
        if tracking:
            self.unsynced.note_all()
        else:
            self._release()
        self.on_tracking()

    def hold(self, release: Release) -> None:
        """Call ``release`` once everything written by now is durable; in order."""
        self._held.append((self.log.written, release))

    @property
    def holding(self) -> bool:
        """Whether replies are waiting: later ones of the same connection must wait behind them."""
        return bool(self._held)

    def request_sync(self) -> None:
        """Have what is written synced by the worker, now or right after the sync that is running."""
        if self._syncing:
            self._sync_wanted = True
            return
        log = self.log
        if log.pending:
            # A sync can begin in the middle of a batch; what is noted as being synced must be in the file.
            log.write(self._now_ms)
        if log.durable == log.written:
            return
        self._syncing = True
        self._sync_wanted = False
        self.unsynced.sync_begins()
        target = log.written
        sync = log.sync_job()
        elapsed = [0.0]

        def run() -> OSError | None:
            started = time.perf_counter()
            error = sync()
            elapsed[0] = (time.perf_counter() - started) * 1000
            return error

        def done(error: OSError | None) -> None:
            self._syncing = False
            log.finish_sync(target, error)
            self.unsynced.sync_done()
            self._measured(elapsed[0])
            self._release()
            if self._sync_wanted or self._held:
                self.request_sync()

        self._submit(Job(LOG_LANE, run, done))

    def _measured(self, elapsed_ms: float) -> None:
        self.note("wal-sync", elapsed_ms)
        self.sync_mean_ms += (elapsed_ms - self.sync_mean_ms) * SYNC_WEIGHT
        if self.mode == "auto" and self.sync_mean_ms >= SYNC_SLOW_MS and elapsed_ms < SYNC_QUICK_MS:
            self.sync_mean_ms *= 0.9  # come back sooner after a slow spell

    def _release(self) -> None:
        durable = self.log.durable
        while self._held and self._held[0][0] <= durable:
            self._held.popleft()[1]()
        self.on_durable()

    def cron(self, now_ms: int, monotonic: float) -> None:
        """Ten times a second: the sync of ``everysec``, and the vouch when idle.

        Seconds are counted on the ``monotonic`` clock: the wall clock may be set back.
        """
        log = self.log
        if self.policy == "everysec" and log.durable < log.written:
            if monotonic - self._last_sync >= EVERYSEC_SECONDS:
                self._last_sync = monotonic
                self.request_sync()
        elif not self._syncing:
            log.vouch(now_ms)

    def drain(self, now_ms: int) -> None:
        """Make everything durable here and now, and release what was held.

        Not while a sync job is running.
        """
        self.log.write(now_ms)
        self.log.sync()
        self._release()

    @property
    def syncing(self) -> bool:
        """Whether a worker is syncing now."""
        return self._syncing


def _nothing() -> None:
    """Nobody waits."""


def _no_note(kind: str, elapsed_ms: float) -> None:
    """Nobody wants to know."""
