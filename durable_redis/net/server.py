"""Start order, serving, and the clean stop.

Start: lock and open the data, replay, listen, say that we are ready.  Stop (SIGTERM, SIGINT, SHUTDOWN):
accept nobody, finish what is in flight, checkpoint, close the log with a vouch, exit 0; the next start has
nothing to replay.  A log that fails stops the server at once and without a reply to anything that is not on
disk.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import AsyncIterator
from typing import NoReturn

import trio

from durable_redis.clock import Clock
from durable_redis.commands import build_commands
from durable_redis.config.config import Config
from durable_redis.engine.engine import Engine
from durable_redis.engine.maintenance import machine_memory_bytes
from durable_redis.engine.recovery import StorageOptions, open_storage
from durable_redis.heap import hold_thresholds
from durable_redis.net.busy import BusyTurns
from durable_redis.net.descriptors import check_clients, fit_clients
from durable_redis.net.listeners import open_listeners
from durable_redis.net.reactor import Reactor
from durable_redis.net.tls import OPTIONS as TLS_OPTIONS
from durable_redis.net.tls import make_context
from durable_redis.objects.limits import configured_limits
from storage.disk import RealDisk
from storage.errors import StorageError

logger = logging.getLogger("durable_redis")

FILES_OF_REDIS = ("dbfilename", "appenddirname", "appendfilename")  # the options that name them


def serve(config: Config, clock: Clock) -> int:
    """Run a server until it is told to stop; the exit code.

    Raises ``StorageError`` or ``UsageError`` from the start.
    """
    return trio.run(_serve, config, clock)


async def _serve(config: Config, clock: Clock) -> int:
    # From here on a signal means a clean stop, even one that comes while the log is being replayed.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        engine, reactor = _start(config, clock)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_signals, signals, engine)
                await reactor.run()
                nursery.cancel_scope.cancel()
            _stop(engine, reactor)
        except* StorageError as group:
            _die(group.exceptions[0])
    return 0


def _start(config: Config, clock: Clock) -> tuple[Engine, Reactor]:
    """Listen, open the data, be ready.  Raises ``UsageError`` or ``StorageError`` with nothing left open."""
    hold_thresholds()
    warning = fit_clients(config)
    if warning:
        logger.warning("%s", warning)
    if config.get_int("tls-port"):
        make_context(config)  # what is wrong with it is told before anything is opened
    listeners = open_listeners(config)
    started = clock.monotonic()
    try:
        storage = open_storage(RealDisk(), storage_options(config), clock.now_ms())
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    engine = Engine(config, storage, build_commands(), clock)
    reactor = Reactor(engine)
    reactor.acceptor.handshakes.options_changed()
    engine.peers = reactor
    engine.scripts.while_busy = BusyTurns(reactor).serve
    engine.scripts.exit_at_once = _exit_at_once
    for listener in listeners:
        reactor.acceptor.listen(listener)
        logger.info("listening on %s", listener.name)
    config.on_change("port", reactor.acceptor.listen_anew)
    config.on_change("bind", reactor.acceptor.listen_anew)
    config.on_change("tls-port", reactor.acceptor.listen_anew)
    for name in TLS_OPTIONS:
        config.on_change(name, reactor.acceptor.handshakes.options_changed)
    config.on_change("maxclients", check_clients)
    for name in ("proto-max-bulk-len", "client-query-buffer-limit"):
        config.on_change(name, reactor.limits_changed)
    logger.info(
        "ready after %.3f s: %d keys, %d bytes of log replayed%s",
        clock.monotonic() - started,
        sum(engine.keyspace.counts(index)[0] for index in range(engine.keyspace.database_count)),
        storage.replayed,
        f", {storage.cut_bytes} bytes of torn tail cut" if storage.cut_bytes else "",
    )
    gc.collect()
    gc.freeze()
    gc.disable()  # maintenance.py collects
    return engine, reactor


def _die(error: BaseException) -> NoReturn:
    """The log or the backend failed: end at once, without a reply to anything that is not on disk."""
    logger.critical("storage failed, stopping without further replies: %s", error)
    os.write(2, f"durable-redis-server: {error} ({getattr(error, 'hint', '')})\n".encode())
    os._exit(1)


def _exit_at_once() -> NoReturn:
    """SHUTDOWN NOSAVE in a script that has written: the next start replays what was acknowledged."""
    logger.warning("ending at once: a script that has written was stopped half-way, and is forgotten")
    os._exit(0)


async def _watch_signals(signals: AsyncIterator[int], engine: Engine) -> None:
    async for number in signals:
        logger.info("received %s: stopping", signal.Signals(number).name)
        engine.shutdown = "save"


def _stop(engine: Engine, reactor: Reactor) -> None:
    """Finish what is in flight, checkpoint, close."""
    reactor.acceptor.stop()
    engine.begin_batch()
    reactor.finish_jobs()
    engine.durability.drain(engine.keyspace.now_ms)
    if engine.log.written > engine.keyspace.state.position:
        engine.maintenance.start_checkpoint()
        reactor.finish_jobs()
    engine.log.close(engine.keyspace.now_ms)
    reactor.close()
    engine.keyspace.backend.close()
    engine.storage.lock.release()
    logger.info("stopped; everything is on disk")


def storage_options(config: Config) -> StorageOptions:
    """What the options say about the data directory."""
    return StorageOptions(
        directory=os.path.abspath(config.get_str("dir")),
        backend=config.get_str("backend"),
        databases=config.get_int("databases"),
        segment_bytes=config.get_int("wal-segment-size"),
        memory_bytes=config.get_int("maxmemory") or machine_memory_bytes(),
        backend_cache_bytes=config.get_int("backend-cache"),
        foreign_files=tuple(filter(None, map(config.get_str, FILES_OF_REDIS))),
        limits=configured_limits(config.get_int),
    )
