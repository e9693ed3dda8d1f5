"""What a server does beside answering: checkpoints, sweep, expiry, the memory budget, room on the disk.

:meth:`Maintenance.cron` runs ten times a second and starts tasks (``background.py``); each task is a
generator of short steps and worker jobs.  Everything here may be late without being wrong: the log already
holds the truth.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from typing import TYPE_CHECKING

from durable_redis.engine.background import BACKEND_LANE, FILES_LANE, LOG_LANE, Job, Task
from durable_redis.engine.huge_pages import HugePages
from durable_redis.heap import give_back
from durable_redis.keyspace.checkpoint import guarded
from storage.errors import StorageError

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

CRON_MS = 100
LOADED_BYTES_PER_CHECK = 16 << 20
EVICTIONS_PER_COMMAND = 16
ESTIMATES_PER_LIMIT = 16  # memory is estimated again when so large a part of ``maxmemory`` has been written
CHECKPOINT_ELEMENTS = 250_000  # of large collections: they take 75 MB until then, and 1 s of a replay
SWEEP_SECONDS = 0.25
RETRY_SECONDS = 1.0
LOG_MARGIN_BYTES = 256 << 10  # of prepared log, kept on a full disk for removals that nobody asked for
COLLECT_OBJECTS = 10_000
COLLAPSE_GROWTH_BYTES = 32 << 20
AUTOMATIC_MEMORY_SHARE = 0.6

logger = logging.getLogger("durable_redis")


class Maintenance:
    """Background work of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.last_checkpoint_ms = engine.started_ms
        self.last_checkpoint_error = ""
        self.failures_in_row = 0  # checkpoints since the last good one
        self.checkpoint_started_ms = 0  # of the one that is running
        self.active_expire = True  # DEBUG SET-ACTIVE-EXPIRE: whether expired keys leave without being touched
        self.startup_bytes = max(0, resident_memory_bytes() - engine.keyspace.memory.estimate())
        self.evicting = False
        self.policy = "noeviction"
        self._next_cron_ms = 0
        self._retry = 0.0
        self._last_checkpoint = engine.clock.monotonic()
        self._spare_retry = 0.0
        self._save_requested = False
        self._checked_position = engine.log.written
        self._changed_elements = 0  # since the last checkpoint began, at the last look
        self.huge_pages = HugePages()
        self._collapsed_at_bytes = 0

    # -- ten times a second ----------------------------------------------------------------------------------

    def cron(self) -> None:
        """Look at everything once; call it at any rate, it acts every CRON_MS."""
        engine = self.engine
        now = engine.keyspace.now_ms
        if now < self._next_cron_ms <= now + CRON_MS:
            return
        self._next_cron_ms = now + CRON_MS
        seconds = engine.clock.monotonic()
        engine.count_fast_calls()
        engine.statistics.sample(seconds)
        engine.durability.cron(now, seconds)
        self._changed_elements = engine.keyspace.changed_elements
        self._check_disk()
        self._check_memory()
        memory = engine.keyspace.memory
        engine.statistics.note_exceeded(self.evicting and memory.used_bytes > memory.limit_bytes, seconds)
        background = engine.background
        if engine.log.wants_spare and seconds >= self._spare_retry:
            background.start("spare", self._spare_task())
        if engine.keyspace.may_expire and self.active_expire:
            background.start("expiry", self._expiry_task())
        if engine.keyspace.has_remains:
            background.start("bury", self._bury_task())
        if self.checkpoint_due():
            self.start_checkpoint()
        elif engine.keyspace.sweep_pending and not background.running("checkpoint"):
            background.start("sweep", self._sweep_task())
        if engine.fast.guards and not engine.watching.names:
            engine.refresh_gates()  # not before: who watches once does so again
        self._collect_garbage()

    def _collect_garbage(self) -> None:
        """The cyclic collector runs here only, over what is new; what survives is never looked at again.

        A full collection would stop the loop for 100 ms per million entries.  So objects that live long must
        not end in cycles: a client's are undone when it leaves.
        """
        if gc.get_count()[0] > COLLECT_OBJECTS:
            gc.collect(0)
            gc.freeze()

    # -- disk ------------------------------------------------------------------------------------------------

    def _check_disk(self) -> None:
        """Refuse growth while the disk has less than ``disk-reserve`` left; heal when it has more."""
        engine = self.engine
        reserve = engine.config.get_int("disk-reserve")
        free = engine.log.disk.free_bytes(engine.log.directory)
        full = free < (reserve + reserve // 4 if engine.disk_full else reserve)
        if full != engine.disk_full:
            engine.disk_full = full
            engine.refresh_gates()
            if full:
                logger.error("disk is full: %d bytes free, less than disk-reserve; writes are refused", free)
            else:
                logger.warning("disk has space again: writes are accepted")
        # What expired is hidden, but stays, while the log has no room for its removal.
        log_low = full and not engine.log.fits(LOG_MARGIN_BYTES)
        engine.keyspace.may_expire = not (log_low or engine.pause.until_ms)

    def _spare_task(self) -> Task:
        engine = self.engine
        keep = engine.config.get_int("wal-retention-bytes")
        try:
            recycled = engine.log.release(engine.keyspace.state.position, keep)
        except OSError as error:
            logger.error("cannot tidy the log's directory: %s", error)
            self._spare_retry = engine.clock.monotonic() + RETRY_SECONDS
            return
        result = yield Job(FILES_LANE, engine.log.spare_job(recycled))
        if not engine.log.finish_spare(result):
            logger.error("cannot prepare the next log segment: %s", result)
            self._spare_retry = engine.clock.monotonic() + RETRY_SECONDS

    # -- memory ----------------------------------------------------------------------------------------------

    def memory_changed(self) -> None:
        """``maxmemory`` or its policy has a new value; 0 stands for a share of the machine's memory."""
        config = self.engine.config
        limit = config.get_int("maxmemory")
        self.policy = config.get_str("maxmemory-policy")
        self.evicting = self.policy != "noeviction" and limit > 0
        memory = self.engine.keyspace.memory
        memory.counts_cold = self.evicting
        memory.limit_bytes = limit or int(machine_memory_bytes() * AUTOMATIC_MEMORY_SHARE)
        self.engine.refresh_gates()

    def _check_memory(self) -> None:
        memory = self.engine.keyspace.memory
        unchanged = self._checked_position == self.engine.log.written and not memory.loaded_bytes
        if unchanged and not memory.over_limit():
            if memory.used_bytes > memory.limit_bytes:
                self._unpin()
            return
        if self.evicting:
            memory.estimate()
            memory.prepare_eviction()
            self.make_room()
        else:
            memory.shrink()
        self._collapse_when_grown()
        self._checked_position = self.engine.log.written

    def _unpin(self) -> None:
        """Only what waits for a checkpoint passes the limit: let it wait no longer."""
        engine = self.engine
        engine.keyspace.memory.estimate()
        behind = engine.log.written > engine.keyspace.state.position
        if behind and engine.clock.monotonic() >= self._retry:
            self.start_checkpoint()

    def _collapse_when_grown(self) -> None:
        """Ask for huge pages each time the data has grown by COLLAPSE_GROWTH_BYTES."""
        used = self.engine.keyspace.memory.used_bytes
        if used - self._collapsed_at_bytes >= COLLAPSE_GROWTH_BYTES and not self.huge_pages.refused:
            self._collapsed_at_bytes = used
            self.engine.background.start("huge-pages", self._huge_pages_task())
        self._collapsed_at_bytes = min(self._collapsed_at_bytes, used)

    def _huge_pages_task(self) -> Task:
        self.huge_pages.start()
        more = True
        while more:
            more = yield Job(FILES_LANE, self.huge_pages.job)

    def pressure(self) -> None:
        """Called between batches: look early at what the next tenth of a second could overrun.

        That is memory when much has come in since the last look, and the disk as soon as no log segment is
        in reserve.
        """
        log = self.engine.log
        if log.wants_spare and not self.engine.disk_full:
            self._check_disk()
        memory = self.engine.keyspace.memory
        written = log.written - self._checked_position
        if memory.loaded_bytes + written > min(LOADED_BYTES_PER_CHECK, memory.limit_bytes // 16):
            self._check_memory()

    def make_room(self) -> bool:
        """Evict until the data fits ``maxmemory``; False if it does not and nothing more can go."""
        engine = self.engine
        memory = engine.keyspace.memory
        samples = engine.config.get_int("maxmemory-samples")
        if engine.log.written - self._checked_position > memory.limit_bytes // ESTIMATES_PER_LIMIT:
            memory.estimate()
            self._checked_position = engine.log.written
            if memory.pinned_bytes > memory.limit_bytes // ESTIMATES_PER_LIMIT:
                self.start_checkpoint()  # evicted keys take memory until then
        made = True
        started = time.perf_counter()
        for _ in range(EVICTIONS_PER_COMMAND):
            if not memory.over_limit():
                break
            if not memory.evict(self.policy, samples):
                if self._checked_position == engine.log.written:
                    made = False
                    break
                memory.estimate()  # clients may have deleted something since
                self._checked_position = engine.log.written
        engine.flush_effects()
        engine.inspection.note("eviction-cycle", (time.perf_counter() - started) * 1000)
        return made

    # -- keys ------------------------------------------------------------------------------------------------

    def _expiry_task(self) -> Task:
        engine = self.engine
        statistics = engine.statistics
        more = True
        while more and engine.keyspace.may_expire and self.active_expire:
            started, turn = time.perf_counter(), statistics.turns
            more = engine.keyspace.expire_due()
            engine.flush_effects()
            statistics.expire_seconds += time.perf_counter() - started
            yield None
            statistics.expire_cuts += more and statistics.turns != turn

    def _bury_task(self) -> Task:
        while self.engine.keyspace.bury():
            yield None
        yield Job(FILES_LANE, give_back)

    def _sweep_task(self) -> Task:
        """Delete a part of what FLUSH, and DEL of large collections, left in the backend.

        It goes on for a moment only: a checkpoint and the end of the server wait for it.  What is left then
        is for the next one.
        """
        engine = self.engine
        deadline = engine.clock.monotonic() + SWEEP_SECONDS
        while engine.clock.monotonic() < deadline:
            changes = engine.keyspace.sweep_changes()
            if not changes:
                if engine.disk_full:  # the backend would give the space back some time, but it is needed now
                    yield Job(BACKEND_LANE, guarded(engine.keyspace.backend.compact))
                return
            batch = engine.keyspace.backend.batch()
            error = yield Job(BACKEND_LANE, guarded(batch.begin))
            if error is None:
                for number, (key, record) in enumerate(changes):
                    if record is None:
                        batch.delete(key)
                    else:
                        batch.put(key, record)
                    if number % 64 == 0:
                        yield None
                error = yield Job(BACKEND_LANE, guarded(batch.commit))
            if error is not None:
                logger.error("sweep of flushed keys failed: %s", error)
                return

    # -- checkpoints -----------------------------------------------------------------------------------------

    def checkpoint_due(self) -> bool:
        """Whether enough has happened, or enough time has passed, since the last one."""
        engine = self.engine
        seconds = engine.clock.monotonic()
        behind = engine.log.written - engine.keyspace.state.position
        if seconds < self._retry or engine.background.running("sweep"):
            return False
        if self._save_requested:
            return True
        if not behind:
            return False
        if behind >= engine.config.get_int("checkpoint-wal-bytes"):
            return True
        if engine.keyspace.changed_elements >= CHECKPOINT_ELEMENTS:
            return True
        # On a full disk only a checkpoint gives back the space of what was deleted, and of the log.
        interval = RETRY_SECONDS if engine.disk_full else engine.config.get_int("checkpoint-interval")
        return seconds - self._last_checkpoint >= interval

    def checkpoint_lag(self) -> float:
        """How far the backend is behind the log, 1 being where a checkpoint begins."""
        engine = self.engine
        behind = engine.log.written - engine.keyspace.state.position
        lag = behind / engine.config.get_int("checkpoint-wal-bytes")
        return max(lag, self._changed_elements / CHECKPOINT_ELEMENTS)

    def start_checkpoint(self) -> bool:
        """Begin a checkpoint now; False if one is under way."""
        if self.engine.background.running("sweep"):
            self._save_requested = True
            return False
        return self.engine.background.start("checkpoint", self._checkpoint_task())

    def request_checkpoint(self) -> None:
        """Begin a checkpoint of everything executed so far: now, or when what is under way has ended."""
        if not self.start_checkpoint():
            self._save_requested = True

    def _checkpoint_task(self) -> Task:
        engine = self.engine
        keyspace, log = engine.keyspace, engine.log
        self._save_requested = False
        self.checkpoint_started_ms = keyspace.now_ms
        started = time.perf_counter()
        batch = keyspace.backend.batch()
        error: StorageError | None = yield Job(BACKEND_LANE, guarded(batch.begin))
        if error is not None:
            self._checkpoint_failed(error)
            return
        log.write(keyspace.now_ms)
        position = log.written
        checkpoint = keyspace.begin_checkpoint(batch, position, log.db, keyspace.now_ms)
        for _ in checkpoint.slices():
            yield None
        encoded = time.perf_counter()
        # The backend must never be ahead of the log: under everysec and no the log is synced first.
        while log.durable < position:
            target = log.written
            log.finish_sync(target, (yield Job(LOG_LANE, log.sync_job())))
        committing = time.perf_counter()
        error = yield Job(BACKEND_LANE, checkpoint.commit_job())
        committed = time.perf_counter()
        for _ in keyspace.end_checkpoint(error is None):
            yield None
        if error is not None:
            self._checkpoint_failed(error)
            return
        self.last_checkpoint_ms = keyspace.now_ms
        self._last_checkpoint = engine.clock.monotonic()
        self.last_checkpoint_error = ""
        self.failures_in_row = 0
        statistics = engine.statistics
        statistics.checkpoints += 1
        statistics.checkpoint_keys += checkpoint.keys
        statistics.checkpoint_ms = (time.perf_counter() - started) * 1000
        logger.debug(
            "checkpoint at %d: %d keys, %.2f s to encode, %.2f s to commit, %.2f s in all",
            position,
            checkpoint.keys,
            encoded - started,
            committed - committing,
            statistics.checkpoint_ms / 1000,
        )
        engine.waiting.poll()

    def _checkpoint_failed(self, error: StorageError) -> None:
        """Everything stays dirty and in the log; try again in a second."""
        self.last_checkpoint_error = str(error)
        self.failures_in_row += 1
        self.engine.statistics.checkpoint_failures += 1
        self._retry = self.engine.clock.monotonic() + RETRY_SECONDS
        self._save_requested = True
        logger.error("checkpoint failed: %s (%s)", error, error.hint)
        self.engine.waiting.poll()

    def statistics(self) -> dict[str, int]:
        """Facts for INFO: memory in bytes, the checkpoint that is running or asked for."""
        return {
            "resident_bytes": resident_memory_bytes(),
            "startup_bytes": self.startup_bytes,
            "machine_bytes": machine_memory_bytes(),
            "checkpoint_running": int(self.engine.background.running("checkpoint")),
            "checkpoint_requested": int(self._save_requested),
            "checkpoint_started_ms": self.checkpoint_started_ms,
        }

    def report_defect(self, command: str, error: Exception) -> None:
        """A handler failed in a way that is our mistake."""
        logger.error("defect in %s: %r", command, error, exc_info=error)


def resident_memory_bytes() -> int:
    """Memory that the process occupies now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def machine_memory_bytes() -> int:
    """Memory of the machine, or of the control group if that is less."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, "rb") as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total
