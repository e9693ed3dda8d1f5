"""Closing connections that take too much: silence, memory, or output that nobody fetches.

A class of clients has a hard limit in bytes, and a soft one that may be exceeded for some seconds
(``client-output-buffer-limit``).  Connections with a backlog are looked at ten times a second, and whenever
it grows, since much may be published meanwhile.  All others are looked at only if ``timeout`` or
``maxmemory-clients`` is set: there may be thousands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from durable_redis.commands.client_list import memory_of

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine
    from durable_redis.net.connection import Connection


def check_idle(engine: Engine, connections: Iterable[Connection], now_ms: int) -> None:
    """Close those that have been silent for longer than ``timeout``, unless they wait for something."""
    timeout_ms = engine.config.get_int("timeout") * 1000
    if not timeout_ms:
        return
    for connection in list(connections):
        client = connection.client
        waits = client.is_waiting or client.subscriptions is not None
        if now_ms - client.active_ms > timeout_ms and not waits:
            engine.statistics.timeouts += 1
            connection.close()


def check_memory(engine: Engine, connections: Iterable[Connection]) -> None:
    """Close those that take most while all together take more than ``maxmemory-clients``."""
    limit = engine.config.get_int("maxmemory-clients")
    if limit < 0:
        limit = engine.config.get_int("maxmemory") * -limit // 100
    if not limit:
        return
    sizes = {connection: memory_of(connection.client) for connection in connections}
    total = sum(sizes.values())
    for connection in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= limit:
            return
        if not connection.client.no_evict:
            total -= sizes[connection]
            engine.statistics.evicted_clients += 1
            connection.close()


def check_output(engine: Engine, connection: Connection, now_ms: int) -> None:
    """Close a connection if what it has not taken is beyond the limits of its class."""
    hard, soft, soft_seconds = engine.config.output_limits(connection.client.output_class)
    size = connection.backlog_bytes
    over_soft = bool(soft) and size > soft
    if not over_soft:
        connection.soft_limit_since_ms = 0
    elif not connection.soft_limit_since_ms:
        connection.soft_limit_since_ms = now_ms
    too_long = over_soft and now_ms - connection.soft_limit_since_ms >= soft_seconds * 1000
    if (hard and size > hard) or too_long:
        engine.statistics.output_limit_disconnections += 1
        connection.close()
