"""Opening a data directory: lock, identity, backend, replay of the log's tail, a new segment.

Start order is in :func:`open_storage`; each step fails with a :class:`StorageError` and a hint, and nothing
has been changed by then.  The torn tail of a crash is cut only after everything before it has been read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import hiredis

from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.objects.limits import EncodingLimits
from storage.backends import open_backend
from storage.backends.base import Backend
from storage.directory import DirectoryLock, Identity, open_directory, write_identity
from storage.disk import Disk
from storage.errors import DamagedError, FormatError, StorageError
from storage.records import STATE_KEY, State
from storage.wal.log import Log
from storage.wal.recovery import LogReader


@dataclass(slots=True)
class StorageOptions:
    """How to open a data directory; sizes in bytes.

    ``limits`` are in force while the log is replayed: what comes of it is to look as it did before.
    """

    directory: str
    backend: str
    databases: int
    segment_bytes: int
    memory_bytes: int
    backend_cache_bytes: int
    foreign_files: tuple[str, ...] = ()  # another server's: a directory that holds one is not ours to make
    limits: EncodingLimits = field(default_factory=EncodingLimits)


@dataclass(slots=True)
class OpenStorage:
    """An open data directory.

    ``replayed`` counts bytes of log applied, ``cut_bytes`` of torn tail removed.
    """

    lock: DirectoryLock
    identity: Identity
    backend: Backend
    keyspace: Keyspace
    log: Log
    replayed: int
    cut_bytes: int


def open_storage(disk: Disk, options: StorageOptions, time_ms: int) -> OpenStorage:
    """Open or make the data directory and bring the keyspace to the end of the log."""
    lock = DirectoryLock(options.directory)
    try:
        identity, created = open_directory(
            disk, options.directory, options.backend, time_ms, options.foreign_files
        )
        wal = f"{options.directory}/wal"
        disk.mkdir(wal)
        backend = open_backend(
            options.backend, f"{options.directory}/{options.backend}", cache_bytes=options.backend_cache_bytes
        )
        try:
            opened = recover(disk, wal, backend, identity.log_id, options, time_ms, created)
        except BaseException:
            backend.close()
            raise
        if created:
            write_identity(disk, options.directory, identity)
    except OSError as error:
        lock.release()
        raise StorageError(
            f"cannot open data directory {options.directory}: {error.strerror or error}",
            "check the file system: its free space, its permissions",
        ) from error
    except BaseException:
        lock.release()
        raise
    keyspace, log, replayed, cut_bytes = opened
    return OpenStorage(lock, identity, backend, keyspace, log, replayed, cut_bytes)


def recover(
    disk: Disk,
    wal: str,
    backend: Backend,
    log_id: str,
    options: StorageOptions,
    time_ms: int,
    created: bool,
) -> tuple[Keyspace, Log, int, int]:
    """Replay the log over the backend's checkpoint and open the log behind it."""
    raw = backend.get(STATE_KEY)
    if created:
        if raw is not None and State.decode(raw).position:
            raise FormatError(
                "the backend holds data, but its directory has no IDENTITY", "nothing has been changed"
            )
        write_first_state(backend, log_id)
    elif raw is None:
        raise DamagedError(
            "the backend is empty, but its directory was in use",
            "restore the data directory from a backup or a follower; nothing has been changed",
        )
    keyspace = Keyspace(backend, log_id, options.databases, options.memory_bytes, limits=options.limits)
    state = keyspace.state
    if state.log_id != log_id:
        raise DamagedError(
            "the backend and the directory's IDENTITY belong to different servers",
            "files of two data directories were mixed; nothing has been changed",
        )
    log_reader = LogReader(disk, wal, bytes.fromhex(log_id), state.position, state.db)
    db = state.db
    effects = hiredis.Reader()
    for frame in log_reader.frames():
        effects.feed(frame.payload)
        db = keyspace.replay(frame.db, frame.counts, effects.gets)
        if effects.has_data():
            raise DamagedError(
                "a frame of the log holds something else than commands", "this is a defect: report it"
            )
    log_reader.cut_torn_tail()
    log = Log(disk, wal, bytes.fromhex(log_id), log_reader.position, db, options.segment_bytes, time_ms)
    log.counts = keyspace.counts
    return keyspace, log, log_reader.position - state.position, log_reader.cut_bytes


def write_first_state(backend: Backend, log_id: str) -> None:
    """Make a new backend say whose it is, so that one that was emptied is never taken for new."""
    batch = backend.batch()
    batch.begin()
    batch.put(STATE_KEY, State(log_id).encode())
    batch.commit()
