"""One connection: bytes in, commands to the engine, replies out.

The hot path is :meth:`Connection.receive`.  hiredis parses a whole chunk at 140-160 ns a command; since it
is lenient and cannot say whether it stopped between two commands, each chunk is followed by a probe
(``:0``), which comes back as the integer 0 exactly when everything before it was whole.  No command is
executed before the next one, or the probe, has been seen behind it.  Whatever is not whole, plain commands
goes to the strict parser (``resp/parser.py``), which owns limits, inline commands and the protocol's errors;
so one hiredis reader serves all connections.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from typing import TYPE_CHECKING

import hiredis

from durable_redis.commands.session import Client
from durable_redis.engine.fast import payload_of_writes
from durable_redis.engine.fast_collections import WROTE
from durable_redis.errors import ProtocolError
from durable_redis.keyspace.database import Database
from durable_redis.net.limits import check_output
from durable_redis.net.shapes import HEAD_BYTES, Shape
from durable_redis.net.tls import TlsSocket
from durable_redis.resp.parser import RequestParser

if TYPE_CHECKING:
    from durable_redis.net.reactor import Reactor

RECEIVE_BYTES_MIN = 960  # with the object's header, malloc serves this from its thread cache
PROBE = b":0\r\n"
_find_huge_array = re.compile(rb"\*[0-9]{7}").search  # hiredis would allocate what the header says
_ERRORS = (TypeError, IndexError, KeyError, hiredis.ProtocolError, ProtocolError)


def _is_suspect(data: bytes) -> bool:
    """Whether a chunk may hold what hiredis takes without a word: inline commands, huge arrays, simple
    strings, maps, sets, pushes and the like.

    It may be wrong about an innocent chunk, never about a guilty one.  0.1 µs and a few ns for each command
    more, since the searches for one byte run at the speed of memory.
    """
    if data[0] != 42:
        return True
    if (data[2:3] != b"\r" or data.count(b"*") > 1) and _find_huge_array(data) is not None:
        return True
    return (
        (43 in data and b"\n+" in data)
        or (61 in data and b"\n=" in data)
        or (40 in data and b"\n(" in data)
        or (37 in data and b"\n%" in data)
        or (126 in data and b"\n~" in data)
        or (62 in data and b"\n>" in data)
        or (124 in data and b"\n|" in data)
    )


class Connection:
    """A socket and its client."""

    __slots__ = (
        "backlog",
        "backlog_bytes",
        "client",
        "closed",
        "fd",
        "held",
        "out",
        "parser",
        "reactor",
        "reading",
        "receive_bytes",
        "recv",
        "send",
        "socket",
        "soft_limit_since_ms",
    )

    def __init__(self, reactor: Reactor, sock: socket.socket | TlsSocket, client: Client) -> None:
        self.reactor = reactor
        self.socket = sock
        self.fd = sock.fileno()
        self.client = client
        self.out = client.out
        self.recv = sock.recv
        self.send = sock.send
        self.parser: RequestParser | None = None  # set while input is anything but whole plain commands
        self.backlog: deque[memoryview] = deque()  # replies that the socket did not take
        self.backlog_bytes = 0
        self.soft_limit_since_ms = 0
        self.held = 0  # groups of replies that wait for the log
        self.closed = False
        self.reading = True
        self.receive_bytes = RECEIVE_BYTES_MIN  # grows when a chunk fills it

    # -- input -----------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Execute the commands of a chunk."""
        client = self.client
        reactor = self.reactor
        shapes = reactor.shapes_by_length.get(len(data))
        if shapes is not None and self.parser is None:
            shape = shapes.get(data[:HEAD_BYTES])
            if shape is not None and self._receive_shaped(data, client, reactor, shape):
                return
        if self.parser is not None or not client.authenticated or _is_suspect(data):
            self.receive_strictly(data)
            return
        engine = reactor.engine
        gets = reactor.reader.gets
        reactor.reader.feed(data + PROBE)
        out = self.out
        fast = client.fast
        db = client.db
        calls = reactor.fast_calls
        previous = None
        run = count = 0
        writes: list[list[bytes]] = []
        argv = None
        words: list[bytes] = []
        try:
            following = gets()
            while argv := following:
                words = argv
                following = gets()
                if following is False:
                    break  # a cut bulk string may have swallowed the probe: this command is not to be trusted
                handler = fast.get(argv[0])
                if handler is not None and (done := handler(db, argv, out)):
                    if done == WROTE:
                        writes.append(argv)
                    if handler is not previous:
                        if previous is not None:
                            calls[previous] += run
                        previous = handler
                        run = 0
                    run += 1
                    count += 1
                    continue
                if writes:
                    self._log(db, writes)
                    writes = []
                engine.execute(client, argv)
                count += 1
                if client.is_waiting or client.closing:
                    self._start_parser()  # what comes now, even in this very turn, has to wait there
                    break
                fast = client.fast
                db = client.db
        except _ERRORS:
            argv = None  # the strict parser will say what is wrong
        if previous is not None:
            calls[previous] += run
        whole = argv == 0 and type(argv) is int and not reactor.reader.has_data()
        if writes:
            self._log(db, writes)
        if not whole:
            self._leave_hot_path(data, count)
        elif run == count == 1:
            reactor.shapes.learn(data, words)

    def _receive_shaped(self, data: bytes, client: Client, reactor: Reactor, shape: Shape) -> bool:
        """Execute a chunk that may be one plain command; False if nothing has been done."""
        name, header, start, end, middle, second = shape
        handler = client.fast.get(name)
        if handler is None or data[:start] != header or data[-2:] != b"\r\n":
            return False
        if not second:
            argv = [name, data[start:-2]]
        elif data[end:second] == middle:
            argv = [name, data[start:end], data[second:-2]]
        else:
            return False
        db = client.db
        done = handler(db, argv, self.out)
        if not done:
            return False
        reactor.fast_calls[handler] += 1
        if done == WROTE:
            log = reactor.engine.log
            if log.db == db.index:
                log.pending.append(data)  # the chunk is its own log payload
            else:
                log.append(db.index, data)
        return True

    def _log(self, db: Database, writes: list[list[bytes]]) -> None:
        # Encoded anew: hiredis does not look at the two bytes behind a bulk string, so the chunk may hold
        # what another parser would take otherwise.
        self.reactor.engine.log.append(db.index, payload_of_writes(writes))

    def _leave_hot_path(self, data: bytes, count: int) -> None:
        """hiredis did not come to the end: the strict parser takes what is behind ``count`` commands."""
        reactor = self.reactor
        reactor.reader = hiredis.Reader()
        if self.client.closing:
            return
        offset = reactor.rest_offset(data, count)
        if offset >= 0:
            self.receive_strictly(data[offset:])
            return
        parser = self._start_parser()
        try:
            parser.feed(data)
            for _ in range(count):
                parser.next_command()
        except ProtocolError as error:
            self._protocol_error(error)
        else:
            self.resume()

    def _start_parser(self) -> RequestParser:
        parser = self.parser = self.reactor.make_parser()
        parser.authenticated = self.client.authenticated
        return parser

    def receive_strictly(self, data: bytes) -> None:
        """Execute what the strict parser finds; back to the hot path when nothing is left over."""
        parser = self.parser or self._start_parser()
        try:
            parser.feed(data)
        except ProtocolError as error:
            self._protocol_error(error)
        else:
            self.resume()

    def resume(self) -> None:
        """Execute what is in the strict parser, until the client blocks or a command is incomplete."""
        client = self.client
        parser = self.parser
        if parser is None:
            return
        engine = self.reactor.engine
        try:
            while not client.is_waiting and not client.closing:
                argv = parser.next_command()
                if argv is None:
                    break
                engine.execute(client, argv)
                parser.authenticated = client.authenticated
        except ProtocolError as error:
            self._protocol_error(error)
            return
        client.query_bytes = parser.pending_bytes
        if parser.at_boundary and not client.query_bytes and not (client.is_waiting or client.closing):
            self.parser = None

    def _protocol_error(self, error: ProtocolError) -> None:
        """Say what was wrong, then close."""
        self.reactor.engine.statistics.protocol_errors += 1
        if str(error):
            self.client.out.append(b"-" + str(error).encode("latin-1") + b"\r\n")
        self.client.closing = True

    # -- output ----------------------------------------------------------------------------------------------

    def flush(self) -> int:
        """Send what has collected in ``client.out``; what the socket does not take waits in the backlog.

        How many bytes that was.
        """
        out = self.out
        if not out:
            self.reactor.engine.statistics.writes -= 1
            if self.client.closing:
                self.close_if_done()
            return 0
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self.deliver(data)
        return len(data)

    def deliver(self, data: bytes) -> None:
        """Send encoded replies, in order behind the backlog."""
        if self.closed:
            self.reactor.engine.statistics.writes -= 1
            return
        sent = 0
        if not self.backlog:
            try:
                sent = self.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self.close()
                return
            if sent == len(data):
                if self.client.closing:
                    self.close_if_done()
                return
        else:
            self.reactor.engine.statistics.writes -= 1  # send_backlog counts
        self.backlog.append(memoryview(data)[sent:])
        self.backlog_bytes += len(data) - sent
        self.client.output_bytes = self.backlog_bytes
        self.reactor.watch(self)
        self.reactor.slow.add(self)
        engine = self.reactor.engine
        check_output(engine, self, engine.keyspace.now_ms)

    def send_backlog(self) -> None:
        """The socket can take more."""
        backlog = self.backlog
        self.reactor.engine.statistics.writes += 1
        try:
            while backlog:
                sent = self.send(backlog[0])
                self.backlog_bytes -= sent
                if sent < len(backlog[0]):
                    backlog[0] = backlog[0][sent:]
                    break
                backlog.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close()
            return
        self.client.output_bytes = self.backlog_bytes
        if not backlog:
            self.soft_limit_since_ms = 0
            self.reactor.slow.discard(self)
            self.reactor.watch(self)
            if self.client.closing:
                self.close_if_done()

    def input_ended(self) -> None:
        """The peer sends no more; replies that are under way still reach it if it reads on."""
        self.client.closing = True
        if self.out or self.held or self.backlog:
            self.reading = False
            self.reactor.watch(self)
        else:
            self.close()

    def close_if_done(self) -> None:
        """Close a closing connection once nothing is left to be sent."""
        if not self.backlog and not self.held and not self.out:
            self.close()

    def close(self) -> None:
        """Close at once; nothing more is sent."""
        if not self.closed:
            self.closed = True
            self.reactor.forget(self)
            self.socket.close()
