"""The reactor: one task, one nested epoll, whole batches.

A turn is: ready sockets → recv → parse all → execute all → one log append → (fsync) → send all.  After a
turn the loop polls again, lingering a millisecond inside ``epoll_wait``, and goes back to trio when nothing
came or after TRIO_SHARE_SECONDS, so that trio's own cost (about 25 µs a wake-up) is paid once for many
batches.  Background work gets slices between turns.
"""

from __future__ import annotations

import select
import socket
import time
from operator import attrgetter

import hiredis
import trio

from durable_redis.commands.session import Client
from durable_redis.engine.engine import Engine
from durable_redis.net.acceptor import Acceptor
from durable_redis.net.connection import PROBE, Connection
from durable_redis.net.limits import check_idle, check_memory, check_output
from durable_redis.net.shapes import Shapes
from durable_redis.net.tls import TlsSocket
from durable_redis.net.workers import Workers
from durable_redis.resp.parser import RequestParser

RECEIVE_BYTES_MAX = 60 << 10
READY_SOCKETS_MAX = 256  # per turn: bounds the frame that a turn writes
GATHER_ROUNDS_MAX = 4
CHUNKS_PER_SAMPLE = 512
LINGER_SECONDS = 0.001
TRIO_SHARE_SECONDS = 0.010
SLICE_SECONDS = 0.001  # of background work when idle
SLICE_SECONDS_MAX = 0.004  # ... and between two turns, unless they are longer
BACKGROUND_SHARE = 0.4  # of the loop's time while there is traffic
BACKGROUND_SHARE_MAX = 4.0
LAG_MAX = 4  # in units of checkpoint-wal-bytes
IDLE_SECONDS = 0.1
REST_CANDIDATES = 8
_usec_of = attrgetter("usec")


class Reactor:
    """Serves all connections of an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reader = hiredis.Reader()
        self.workers = Workers()
        self.connections: dict[int, Connection] = {}
        self.fast_calls = engine.fast.calls
        self.stopping = False
        self._epoll = select.epoll()
        self.acceptor = Acceptor(self, self._epoll)
        self._listeners = self.acceptor.listeners
        self._by_client: dict[int, Connection] = {}
        self._credit = 0.0
        self._credit_from = time.perf_counter()
        self._epoll.register(self.workers.wake_fd, select.EPOLLIN)
        self._next_limit_check_ms = 0
        self._until_sample = 1
        self._sample_gap = 1  # doubles: the first calls shall not count as if they had cost nothing
        self._commands = [
            command
            for parent in engine.commands.values()
            for command in (parent, *parent.subcommands.values())
        ]
        engine.fast.on_untimed = self._sample_soon
        self.shapes = Shapes()
        self.shapes_by_length = self.shapes.by_length
        self._pushed = engine.messages.pushed  # clients that were sent something unasked
        self.slow: set[Connection] = set()  # those with a backlog
        self._shown: set[Connection] = set()  # of this batch: whose replies must wait for the log

    # -- loop ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until :attr:`stopping`.  Raises ``StorageError`` when the log fails."""
        while not self.stopping:
            with trio.move_on_after(self._idle_seconds()):
                await trio.lowlevel.wait_readable(self._epoll.fileno())
            self.turns()
            await trio.lowlevel.checkpoint()

    def _idle_seconds(self) -> float:
        if self.engine.background.has_steps or self.engine.background.jobs:
            return 0.0
        deadline = self.engine.waiting.next_deadline_ms
        if deadline:
            left = (deadline - self.engine.clock.now_ms()) / 1000
            return min(IDLE_SECONDS, max(0.001, left))
        return IDLE_SECONDS

    def turns(self) -> None:
        """Serve batch after batch until nothing is ready or trio should have its share."""
        poll = self._epoll.poll
        background = self.engine.background
        statistics = self.engine.statistics
        now = time.perf_counter()
        until = now + TRIO_SHARE_SECONDS
        events = poll(0, READY_SOCKETS_MAX)
        while True:
            started = now
            self._turn(events)
            self._between_turns(bool(events), started)
            now = time.perf_counter()
            if now - started > statistics.turn_seconds_notable:
                self.engine.inspection.turned(now - started, statistics)
            if now >= until or self.stopping:
                return
            events = poll(0 if background.has_steps else LINGER_SECONDS, READY_SOCKETS_MAX)
            now = time.perf_counter()
            if not events and not background.has_steps:
                return

    def _turn(self, events: list[tuple[int, int]]) -> None:
        engine = self.engine
        engine.begin_batch()
        touched: list[Connection] = []
        self._serve(events, touched)
        if engine.log.pending and engine.durability.inline:
            # A sync costs as much as dozens of commands: take along what has arrived meanwhile.
            for _ in range(GATHER_ROUNDS_MAX):
                events = self._epoll.poll(0, READY_SOCKETS_MAX)
                if not events:
                    break
                self._serve(events, touched)
        engine.statistics.turns += 1
        self._finish_batch(touched)

    def _serve(self, events: list[tuple[int, int]], touched: list[Connection]) -> None:
        """Receive from and execute for every ready socket; those with replies are appended to ``touched``."""
        engine = self.engine
        connections = self.connections
        now_ms = engine.keyspace.now_ms
        tracking = engine.durability.tracking
        unsynced = engine.unsynced
        received = 0
        until_sample = chunks = self._until_sample
        for fd, mask in events:
            connection = connections.get(fd)
            if connection is None:
                self._special(fd)
                continue
            if mask & select.EPOLLOUT:
                connection.send_backlog()
                if connection.closed or mask == select.EPOLLOUT:
                    continue
            if not connection.reading:  # only the end of a blocked client's link wakes us
                connection.close()
                continue
            wanted = connection.receive_bytes
            try:
                data = connection.recv(wanted)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                connection.close()
                continue
            if not data:
                connection.input_ended()
                continue
            length = len(data)
            received += length
            if length == wanted:
                connection.receive_bytes = min(length * 4, RECEIVE_BYTES_MAX)
            until_sample -= 1
            if until_sample:
                connection.receive(data)
            else:
                until_sample = self._sample_gap = min(2 * self._sample_gap, CHUNKS_PER_SAMPLE)
                chunks += until_sample
                self._receive_timed(connection, data)
            connection.client.active_ms = now_ms
            touched.append(connection)
            if tracking and unsynced.shown:
                unsynced.shown = False
                self._shown.add(connection)
        self._until_sample = until_sample
        engine.statistics.reads += chunks - until_sample
        engine.statistics.input_bytes += received

    def _sample_soon(self) -> None:
        """A command that has not been measured yet is in use."""
        self._until_sample = 1

    def _receive_timed(self, connection: Connection, data: bytes) -> None:
        """Once in CHUNKS_PER_SAMPLE: measure what the hot path's commands cost, for INFO commandstats."""
        statistics = self.engine.statistics
        calls, commands = dict(self.fast_calls), statistics.commands
        measured = sum(map(_usec_of, self._commands))
        started = time.perf_counter()
        connection.receive(data)
        seconds = time.perf_counter() - started
        seconds -= (sum(map(_usec_of, self._commands)) - measured) / 1e6
        self.engine.fast.timed(calls, seconds, statistics.commands - commands)

    def _finish_batch(self, touched: list[Connection]) -> None:
        """Commit, and send the replies now or when the log is durable."""
        engine = self.engine
        if engine.waiting.resumed:
            self._resume(touched)
        if self._pushed:
            self._take_pushed(touched)
        tracked = engine.durability.tracking
        engine.statistics.writes += len(touched)  # whoever has nothing to send takes it back
        if engine.commit():
            if tracked:
                self._shown.clear()
            if engine.waiting:
                engine.waiting.poll()
            sent = 0
            for connection in touched:
                sent += connection.flush()
            engine.statistics.output_bytes += sent
        elif touched:
            self._hold(touched, tracked)
        if engine.holds_clients:
            for connection in touched:
                if connection.client.is_waiting:
                    self._stop_reading(connection)

    def _hold(self, touched: list[Connection], tracked: bool) -> None:
        """Hold back what must wait for the log, and what comes behind such replies; send the rest.

        All of it if it was not ``tracked`` who is shown what.
        """
        group = []
        for connection in touched:
            if tracked and not connection.held and connection not in self._shown:
                self.engine.statistics.output_bytes += connection.flush()
                continue
            out = connection.client.out
            data = b"".join(out)
            self.engine.statistics.output_bytes += len(data)
            group.append((connection, data))
            out.clear()
            connection.held += 1
        self._shown.clear()
        self.engine.statistics.writes -= sum(not data for _, data in group)
        if not group:
            return

        def release() -> None:
            for connection, data in group:
                connection.held -= 1
                if data:
                    connection.deliver(data)
                elif connection.client.closing:
                    connection.close_if_done()

        self.engine.durability.hold(release)

    def _resume(self, touched: list[Connection]) -> None:
        """Let clients go on whose waiting has ended; each may block again at once."""
        engine = self.engine
        for _ in range(1000):
            if not engine.waiting.resumed:
                return
            resumed, engine.waiting.resumed = engine.waiting.resumed, []
            for client in resumed:
                connection = self._by_client.get(client.id)
                if connection is not None and not connection.closed:
                    self._start_reading(connection)
                    connection.resume()
                    if engine.durability.tracking:
                        self._shown.add(connection)  # what it waited for may not be durable
                        engine.unsynced.shown = False
                    if connection not in touched:
                        touched.append(connection)

    def _take_pushed(self, touched: list[Connection]) -> None:
        """Let those be sent something who have not asked for it (``engine/messages.py``), before all others.

        So who has seen the reply to a change can rely on it that caching clients have been sent word.  What
        they are told of may not be durable.
        """
        engine = self.engine
        shown = engine.durability.tracking and engine.unsynced.hides_something
        told: list[Connection] = []
        for client in engine.messages.take_pushed():
            connection = self._by_client.get(client.id)
            if connection is not None:
                told.append(connection)
                if shown:
                    self._shown.add(connection)
        touched[:0] = told

    def _between_turns(self, busy: bool, turn_started: float) -> None:
        """Jobs to the workers, timers, the ten-times-a-second work, and a slice for the background."""
        engine = self.engine
        background = engine.background
        now_ms = engine.keyspace.now_ms
        if engine.waiting.next_deadline_ms and engine.waiting.next_deadline_ms <= now_ms:
            engine.waiting.timers()
        engine.maintenance.cron()
        engine.maintenance.pressure()
        if engine.waiting.resumed or engine.log.pending or self._pushed:
            self._finish_batch([])
        if now_ms >= self._next_limit_check_ms:
            self._next_limit_check_ms = now_ms + 100
            for connection in list(self.slow):
                check_output(engine, connection, now_ms)
            check_idle(engine, self.connections.values(), now_ms)
            check_memory(engine, self.connections.values())
            self.acceptor.handshakes.close_late(now_ms)
        while background.jobs:
            self.workers.submit(background.jobs.popleft())
        now = time.perf_counter()
        if background.has_steps:
            self._credit += (now - self._credit_from) * self._background_share()
            if not busy:
                self._credit = SLICE_SECONDS
            if self._credit > 0:
                begun = time.perf_counter()
                # As long as the turn before it at most: a load of long turns would starve shorter slices.
                credit = min(self._credit, max(SLICE_SECONDS_MAX, now - turn_started))
                background.run(credit)
                self._credit = credit - (time.perf_counter() - begun)
                if engine.log.pending or self._pushed:
                    self._finish_batch([])
                while background.jobs:
                    self.workers.submit(background.jobs.popleft())
        self._credit_from = now
        if engine.shutdown is not None:
            self.stopping = True

    def _background_share(self) -> float:
        """More for the checkpoint the further it is behind, up to slowing the writers."""
        lag = self.engine.maintenance.checkpoint_lag()
        return BACKGROUND_SHARE * max(1.0, lag) if lag < LAG_MAX else BACKGROUND_SHARE_MAX

    def client_connection(self, client: Client) -> Connection | None:
        """The connection of a client, if it has one."""
        return self._by_client.get(client.id)

    def poll_now(self) -> list[tuple[int, int]]:
        """What is ready, without waiting."""
        return self._epoll.poll(0, READY_SOCKETS_MAX)

    def _special(self, fd: int) -> None:
        if fd == self.workers.wake_fd:
            self.workers.take_finished()
        elif fd in self._listeners:
            self.acceptor.accept(self._listeners[fd])

    # -- connections -----------------------------------------------------------------------------------------

    def serve(self, sock: socket.socket | TlsSocket, client: Client) -> Connection:
        """Serve an accepted client over its socket, which does not block."""
        connection = Connection(self, sock, client)
        client.kill = connection.close
        self.connections[connection.fd] = connection
        self._by_client[client.id] = connection
        self._epoll.register(connection.fd, select.EPOLLIN)
        return connection

    def forget(self, connection: Connection) -> None:
        """A connection is closing."""
        self._epoll.unregister(connection.fd)
        del self.connections[connection.fd]
        self.slow.discard(connection)
        del self._by_client[connection.client.id]
        self.engine.disconnect(connection.client)

    def make_parser(self) -> RequestParser:
        """A strict parser with the limits of the moment."""
        parser = RequestParser()
        self._set_limits(parser)
        return parser

    def _set_limits(self, parser: RequestParser) -> None:
        config = self.engine.config
        parser.bulk_bytes_max = config.get_int("proto-max-bulk-len")
        parser.query_buffer_max = config.get_int("client-query-buffer-limit")

    def limits_changed(self, *_: object) -> None:
        """Parsers that are in use take the new limits too."""
        for connection in self.connections.values():
            if connection.parser is not None:
                self._set_limits(connection.parser)

    def rest_offset(self, data: bytes, count: int) -> int:
        """Where the rest begins behind the first ``count`` commands of a chunk; -1 if it is not easy to say.

        Tried from the end with hiredis, since the rest is usually one cut command: 140 ns a command instead
        of a microsecond.
        """
        if count == 0:
            return 0
        at = len(data)
        for _ in range(REST_CANDIDATES):
            at = data.rfind(b"\r\n*", 0, at)
            if at < 0:
                break
            if _whole_commands(data[: at + 2]) == count:
                return at + 2
        return -1

    def watch(self, connection: Connection) -> None:
        """Wake up for what the connection waits for: input if it reads, room for its backlog, or its end.

        The end of a closing one is known, and would be reported without end.
        """
        events = select.EPOLLIN if connection.reading else 0
        if connection.backlog:
            events |= select.EPOLLOUT
        if not connection.reading and not connection.client.closing:
            events |= select.EPOLLRDHUP
        self._epoll.modify(connection.fd, events)

    def _stop_reading(self, connection: Connection) -> None:
        """A blocked client's input waits in the socket; only its end is noticed."""
        if connection.reading and not connection.closed:
            connection.reading = False
            self.watch(connection)

    def _start_reading(self, connection: Connection) -> None:
        if not connection.reading:
            connection.reading = True
            self.watch(connection)

    # -- end -------------------------------------------------------------------------------------------------

    def finish_jobs(self) -> None:
        """Run background work to its end: nothing else is served meanwhile."""
        background = self.engine.background
        while not background.idle or self.workers.running:
            while background.jobs:
                self.workers.submit(background.jobs.popleft())
            if background.has_steps:
                background.run(SLICE_SECONDS)
            elif self.workers.running:
                self._epoll_wait_for_workers()

    def _epoll_wait_for_workers(self) -> None:
        poller = select.poll()
        poller.register(self.workers.wake_fd, select.POLLIN)
        poller.poll(1000)
        self.workers.take_finished()

    def close(self) -> None:
        """Close every connection and the worker threads."""
        for connection in list(self.connections.values()):
            connection.close()
        self.workers.close()
        self._epoll.close()


def _whole_commands(data: bytes) -> int:
    """How many commands ``data`` consists of; -1 if it is not just whole commands."""
    reader = hiredis.Reader()
    reader.feed(data + PROBE)
    count = 0
    try:
        while (argv := reader.gets()) and type(argv) is list:
            count += 1
    except hiredis.ProtocolError:
        return -1
    return count if argv == 0 and type(argv) is int and not reader.has_data() else -1
