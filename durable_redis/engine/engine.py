"""The engine: executes commands of clients against the keyspace, and knows nothing of sockets.

``net`` feeds it commands batch by batch: :meth:`Engine.begin_batch`, :meth:`Engine.execute` for each command
that the hot path did not take, :meth:`Engine.commit`.  Replies collect in ``client.out`` and may be sent
when commit says so.  Effects of one command become one piece of log payload, in MULTI/EXEC if there are
several.

Rules: gates come before handlers, in Redis's order (``processCommand``); no handler writes to the log; a
defect in a handler that has already applied something stops the process, since memory and log may then
differ.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from durable_redis.clock import Clock
from durable_redis.commands.command_docs import CommandDocs
from durable_redis.commands.context import LARGE_EFFECT_BYTES, PENDING, Wait
from durable_redis.commands.session import (
    NO_FAST,
    REPLY_OFF,
    REPLY_ON,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Client,
    is_kept,
)
from durable_redis.commands.table import Command, Flag
from durable_redis.config.config import Config
from durable_redis.engine.access import Access
from durable_redis.engine.background import Background
from durable_redis.engine.durability import Durability
from durable_redis.engine.fast import FastCommands
from durable_redis.engine.functions import Functions
from durable_redis.engine.inspection import Inspection
from durable_redis.engine.lookup import CommandLookup, CrossProtocolError
from durable_redis.engine.maintenance import LOG_MARGIN_BYTES, Maintenance
from durable_redis.engine.messages import Messages, check_subscriber
from durable_redis.engine.monitors import check_monitor
from durable_redis.engine.pausing import Pause
from durable_redis.engine.recovery import OpenStorage
from durable_redis.engine.scripts import Scripts, is_counted
from durable_redis.engine.statistics import Statistics
from durable_redis.engine.transactions import UNQUEUED, Transactions
from durable_redis.engine.waiting import Waiting
from durable_redis.engine.watching import Watching
from durable_redis.errors import ProtocolError, ReplyError
from durable_redis.keyspace.effects import MANY_DATABASES, Effect
from durable_redis.objects.limits import OPTIONS as LIMIT_OPTIONS
from durable_redis.resp.encoder import encode
from durable_redis.resp.replies import NO_REPLY, Reply
from storage.errors import DamagedError, DiskFullError, StorageError
from storage.wal.frame import PAYLOAD_BYTES_MAX
from storage.wal.log import payload_of

DISK_FULL = (
    "MISCONF Disk is full: writes are refused until there is space again. DEL, EXPIRE and FLUSH still work."
)
TRANSACTION_TOO_LARGE = f"ERR a transaction or script may not change more than {PAYLOAD_BYTES_MAX} bytes"
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
NO_AUTHENTICATION = "NOAUTH Authentication required."
_MULTI = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC = b"*1\r\n$4\r\nEXEC\r\n"
PENDING_BYTES_MAX = 32 << 20  # a batch with more payload than this is written as several frames

Perform = Callable[[Client, Command, list[bytes]], Reply]

logger = logging.getLogger("durable_redis")


class Engine:
    """One server's data and clients."""

    def __init__(
        self,
        config: Config,
        storage: OpenStorage,
        commands: dict[str, Command],
        clock: Clock,
    ) -> None:
        self.config = config
        self.storage = storage
        self.keyspace = storage.keyspace
        self.log = storage.log
        self.commands = commands
        self._lookup = CommandLookup(commands)
        self.command_docs = CommandDocs()
        self.clock = clock
        self.statistics = Statistics()
        self.background = Background()
        self.clients: dict[int, Client] = {}
        self.started_ms = clock.now_ms()
        self.run_id = secrets.token_hex(20)  # Sentinel and clients tell restarts by it
        self.durability = Durability(
            self.log,
            config.get_str("appendfsync"),
            config.get_str("wal-sync-mode"),
            self.background.jobs.append,
        )
        self.waiting = Waiting(self)
        self.pause = Pause(self)
        self.durability.on_durable = self.waiting.poll
        self.durability.on_tracking = self._observers_changed
        self.unsynced = self.durability.unsynced
        self.shutdown: str | None = None  # set by SHUTDOWN, SIGTERM: "save"
        self.disk_full = False
        self.peers: Any = None  # what ``net`` tells INFO about itself
        self._next_client = 1
        self._effects: list[tuple[int, Effect]] = []
        self._nested_bytes = 0  # of effects that wait for the command around theirs, about
        self.messages = Messages(self.keyspace, self.clients)
        self.inspection = Inspection(clock, self.messages.pushed)
        self.durability.note = self.background.note = self.inspection.note
        self.watching = Watching(self.keyspace, self.refresh_gates)
        self.fast = FastCommands(self.unsynced, self.watching.names)
        self.transactions = Transactions(self)
        self.scripts = Scripts(self)
        self.functions = Functions(self)
        self.maintenance = Maintenance(self)
        self.access = Access(self, commands)
        self.access.load_configured(config.user_lines)
        config.written_users = self.access.configuration_lines
        self._listen()
        self.keyspace.now_ms = self.started_ms

    def _listen(self) -> None:
        """Follow the options that may change while the server runs."""
        config = self.config
        self.messages.on_change = self._observers_changed
        self.messages.follow(config)
        self.inspection.on_change = self.refresh_gates
        self.inspection.follow(config, self.statistics)

        def on(name: str, apply: Callable[[], None]) -> None:
            config.on_change(name, lambda *_: apply())

        on("appendfsync", self._policy_changed)
        on("wal-sync-mode", self._policy_changed)
        on("requirepass", self.access.password_changed)
        on("acllog-max-len", self.access.options_changed)
        on("acl-pubsub-default", self.access.options_changed)
        on("maxmemory", self.maintenance.memory_changed)
        on("maxmemory-policy", self.maintenance.memory_changed)
        self.maintenance.memory_changed()
        for name in LIMIT_OPTIONS:
            on(name, self._limits_changed)
        self._limits_changed()

    def _limits_changed(self) -> None:
        for name, field in LIMIT_OPTIONS.items():
            setattr(self.keyspace.limits, field, self.config.get_int(name))

    def _policy_changed(self) -> None:
        self.durability.policy = self.config.get_str("appendfsync")
        self.durability.mode = self.config.get_str("wal-sync-mode")
        if self.durability.policy == "always":
            self.request_sync()

    # -- clients ---------------------------------------------------------------------------------------------

    def connect(self, address: str, local_address: str, fd: int) -> Client:
        """A new client; ``net`` sets ``kill`` and sends what collects in ``out``."""
        client = Client(self._next_client, self.keyspace.database(0), self)
        self._next_client += 1
        client.address, client.local_address, client.fd = address, local_address, fd
        client.created_ms = client.active_ms = self.keyspace.now_ms
        client.authenticated = self.access.users.default.is_open
        self.clients[client.id] = client
        self.statistics.connections += 1
        self.refresh(client)
        return client

    def disconnect(self, client: Client) -> None:
        """The client's link is gone."""
        self.clients.pop(client.id, None)
        self.waiting.forget(client)
        self.pause.postponed.pop(client.id, None)
        self.messages.forget(client)
        self.inspection.leave(client)
        self.watching.forget(client)
        client.release()

    def refresh(self, client: Client) -> None:
        """Decide anew whether the client may use the hot path."""
        client.permissions = self.access.restricted(client)
        client.fast = self.fast.tables[client.protocol] if client.is_plain else NO_FAST

    def refresh_gates(self) -> None:
        """Decide anew what the hot path may do for anybody; the tables change in place."""
        paused = bool(self.pause.until_ms)
        closed = self.inspection.closes_hot_path
        reads = not (closed or (paused and not self.pause.writes_only) or self.messages.watches_reads)
        closed = closed or self.disk_full or self.maintenance.evicting
        writes = not (closed or paused or self.messages.watches_writes)
        self.fast.allow(reads, writes, self.durability.tracking, bool(self.watching.names))

    def _observers_changed(self) -> None:
        """Who has to see effects is another one now: what is not durable while a worker syncs, messages."""
        sink = self._track_effect if self.durability.tracking else self._log_effect
        self.keyspace.sink = self.messages.observed(sink)
        self.refresh_gates()

    def kill_client(self, client: Client) -> None:
        """Close a client's connection at once."""
        client.closing = True
        client.kill()

    # -- batches ---------------------------------------------------------------------------------------------

    def begin_batch(self) -> None:
        """Take the time: every command of the batch sees the same."""
        self.keyspace.now_ms = self.clock.now_ms()

    def commit(self) -> bool:
        """End a batch: write the log, sync it if that is the policy.  True if the replies may be sent now."""
        return self.durability.commit(self.keyspace.now_ms)

    def execute(self, client: Client, argv: list[bytes]) -> None:
        """Execute one command; its reply, if there is one yet, is in ``client.out``.

        Raises :class:`ProtocolError` if an argument is not a bulk string.
        """
        for word in argv:
            if type(word) is not bytes:
                raise ProtocolError("ERR Protocol error: expected '$'")
        out = client.out
        mark = len(out)
        if client.reply_mode == REPLY_SKIP_NEXT:
            client.reply_mode = REPLY_SKIP
        command = self._lookup.known.get(argv[0])
        try:
            if command is None or command.subcommands:
                command = self._lookup.find(argv)
            self._check_gates(client, command, argv)
        except CrossProtocolError:
            logger.warning(
                "closing client %d at %s: it speaks HTTP, as in an attack", client.id, client.address
            )
            client.closing = True
        except ReplyError as error:
            if command is not None:
                command.rejected_calls += 1
            self.reply_error(client, self.transactions.refused(client, command, argv, error))
        else:
            transaction = client.transaction
            flags = command.flags if transaction is None else transaction.flags_of(command)
            if self.pause.until_ms and self.pause.holds_back(client, flags, argv):
                return
            if transaction is None or command.name in UNQUEUED:
                client.last_command = command.name
                self.call(client, command, argv, self.perform)
                self._finish(client)
                if client.tracking is not None:
                    self.messages.invalidation.remember(client, command, argv)
            else:
                self.transactions.queue(client, transaction, command, argv)
        if client.reply_mode != REPLY_ON:
            if client.reply_mode == REPLY_SKIP:
                client.reply_mode = REPLY_ON
                client.wait_is_silent = client.wait is not None
                out[mark:] = filter(is_kept, out[mark:])
            elif client.reply_mode == REPLY_OFF:
                out[mark:] = filter(is_kept, out[mark:])
            self.refresh(client)

    def call(self, client: Client, command: Command, argv: list[bytes], perform: Perform) -> None:
        """Execute a command that has passed the gates, and put its reply into ``client.out``."""
        started = time.perf_counter()
        try:
            reply = perform(client, command, argv)
        except ReplyError as error:
            self.reply_error(client, error)
        else:
            if isinstance(reply, Wait):
                self.waiting.begin(client, reply)
            elif reply is not NO_REPLY:
                encode(reply, client.protocol, client.out)
        self.inspection.timed(client, command, argv, started)

    def perform(self, client: Client, command: Command, argv: list[bytes]) -> Reply:
        """Execute a command; its reply, or raise the :class:`ReplyError` that it is."""
        assert command.handler is not None
        self.statistics.commands += 1
        command.calls += 1
        effects = self._effects
        before = len(effects)
        if self.durability.tracking:
            self.unsynced.executing(command, argv)
        try:
            reply = command.handler(client.context, argv)
        except ReplyError:
            command.failed_calls += 1
            raise
        except DamagedError as error:
            # Reading met it, so nothing has changed; other keys are as good as before.
            if len(effects) > before:
                raise
            command.failed_calls += 1
            logger.error("%s: %s (%s)", command.name, error, error.hint)
            raise ReplyError(f"ERR the data on disk is damaged: {error}") from error
        except StorageError:
            raise
        except Exception as error:
            if len(effects) > before:
                raise AssertionError(f"{command.name} failed after it had changed data") from error
            self.maintenance.report_defect(command.name, error)
            raise ReplyError("ERR internal error; the server's log says more") from error
        return reply

    def perform_nested(self, client: Client, command: Command, argv: list[bytes]) -> Reply:
        """Execute one of several commands that take effect together; as :meth:`perform`, but nothing waits.

        Their effects are kept until the command around them is done.
        """
        if self._nested_bytes > LARGE_EFFECT_BYTES and command.flags & Flag.WRITE:
            self.reserve(sum(map(len, argv)))
        before, bytes_before = len(self._effects), self._nested_bytes
        try:
            reply = self.perform(client, command, argv)
        finally:
            if self._nested_bytes == bytes_before:  # else a script in EXEC has counted its own
                for _, effect in islice(self._effects, before, None):
                    self._nested_bytes += sum(map(len, effect)) + 32 * len(effect)
            if self.messages.invalidation.noted:
                self.messages.invalidation.flush(self.scripts.caller or client)
        if client.tracking is not None:
            self.messages.invalidation.remember(client, command, argv)
        if isinstance(reply, Wait):
            now = reply.poll()
            reply = reply.at_once() if now is PENDING else now
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def _finish(self, client: Client) -> None:
        """The outermost command is done: log what it has applied, and tell who wants to know."""
        if self.scripts.running is not None:
            return  # somebody else's command while a script runs: what is there to log is the script's
        if self._effects:
            self.flush_effects(client)
            if self.waiting.blocked.ready:
                self.waiting.serve_blocked()
        if client.deferred is not None:
            client.out += client.deferred
            client.deferred = None

    def _check_gates(self, client: Client, command: Command, argv: list[bytes]) -> None:
        """Redis's ``processCommand``: what keeps a command from being executed, in its order."""
        if not command.accepts(len(argv)) or command.handler is None:
            raise ReplyError(f"ERR wrong number of arguments for '{command.name.lower()}' command")
        if not client.authenticated and not command.flags & Flag.NO_AUTH:
            raise ReplyError(NO_AUTHENTICATION)
        flags = command.flags
        queues = False
        if client.transaction is not None:
            if flags & Flag.NO_MULTI:
                raise ReplyError("ERR Command not allowed inside a transaction")
            flags = client.transaction.flags_of(command)
            queues = command.name not in UNQUEUED
        if client.permissions is not None:
            self.access.demand(client, client.permissions, command, argv)
        if self.scripts.running is None:
            self.check_room(flags, argv, takes_memory=bool(queues or flags & Flag.DENYOOM))
        if client.subscriptions is not None:
            check_subscriber(client, command)
        if self.scripts.running is not None and not command.flags & Flag.ALLOW_BUSY:
            busy = self.scripts.busy_error
            assert busy is not None
            raise busy
        if client.is_monitor:
            check_monitor(flags)

    def check_room(self, flags: Flag, argv: list[bytes], *, takes_memory: bool) -> None:
        """Raise if there is no memory, or no disk, for a command with these flags."""
        if takes_memory and self.maintenance.evicting and not self.maintenance.make_room():
            raise ReplyError(OUT_OF_MEMORY)
        if self.disk_full and flags & Flag.WRITE:
            if flags & Flag.DENYOOM:
                raise ReplyError(DISK_FULL)
            self._check_log_room(argv)

    def check_script(self, no_writes: bool, allow_oom: bool) -> None:
        """Raise if a script that says what it does may not run now."""
        if no_writes:
            return
        if self.disk_full:
            raise ReplyError(DISK_FULL)
        self.check_room(Flag.DENYOOM, [], takes_memory=not allow_oom)

    def find_command(self, argv: list[bytes]) -> Command:
        """The command that ``argv`` names; raises as ``lookup.py`` says."""
        command = self._lookup.known.get(argv[0])
        return command if command is not None else self._lookup.find(argv)

    def _check_log_room(self, argv: list[bytes]) -> None:
        """On a full disk, deletions and the like go into log that has been prepared, while there is some."""
        needed = sum(map(len, self.log.pending)) + sum(map(len, argv)) + 32 * len(argv)
        if not self.log.fits(needed + LOG_MARGIN_BYTES):
            self.reserve(needed + LOG_MARGIN_BYTES)  # disk-reserve is there for this

    def reply_error(self, client: Client, error: ReplyError) -> None:
        """Answer with an error, and count it."""
        if not is_counted(error):
            self.count_error(error)
        encode(error, client.protocol, client.out)

    def count_error(self, error: ReplyError) -> None:
        """Note an error for INFO."""
        code = str(error).split(" ", 1)[0]
        self.statistics.error_replies += 1
        if len(self.statistics.errors) < 128 or code in self.statistics.errors:
            self.statistics.errors[code] = self.statistics.errors.get(code, 0) + 1

    # -- effects ---------------------------------------------------------------------------------------------

    def _log_effect(self, db: int, effect: Effect) -> None:
        self._effects.append((db, effect))

    def _track_effect(self, db: int, effect: Effect) -> None:
        self._log_effect(db, effect)
        self.unsynced.note(effect)

    def flush_effects(self, client: Client | None = None) -> None:
        """Give the log what has been applied since the last call, as one transaction if it is several."""
        effects = self._effects
        log = self.log
        if self.messages.invalidation.noted:
            self.messages.invalidation.flush(client)
        if self.waiting.blocked.waiting:
            self.waiting.blocked.note(effects)
        if self.watching.names:
            self.watching.note(effects)
        if len(effects) == 1:
            db, effect = effects[0]
            log.append(db, payload_of((effect,)))
            if effect[0] in MANY_DATABASES:
                log.mixed = True
        elif effects:
            log.append(effects[0][0], _MULTI)
            for db, effect in effects:
                log.append(db, payload_of((effect,)))
                if effect[0] in MANY_DATABASES:
                    log.mixed = True
            log.append(log.db, _EXEC)
        effects.clear()
        self._nested_bytes = 0

    @property
    def holds_clients(self) -> bool:
        """Whether any client's input must wait, because it is blocked or its command was held back."""
        return bool(self.waiting or self.pause.postponed)

    # -- requests of commands --------------------------------------------------------------------------------

    def count_fast_calls(self) -> None:
        """Bring the command table's counters up to date with the hot path."""
        self.inspection.count(self.fast.take_calls(), self.commands, self.statistics)

    def request_sync(self) -> None:
        """WAITAOF: have the log synced soon, whatever the policy."""
        if self.log.pending:
            self.log.write(self.keyspace.now_ms)
        self.durability.request_sync()

    def reserve(self, payload_bytes: int) -> None:
        """Make sure that the log will take a large effect, on top of what this batch has written."""
        waiting = sum(map(len, self.log.pending))
        if waiting > PENDING_BYTES_MAX and not self._effects:
            self.log.write(self.keyspace.now_ms)
            waiting = 0
        waiting += self._nested_bytes
        if waiting + payload_bytes > PAYLOAD_BYTES_MAX:
            raise ReplyError(TRANSACTION_TOO_LARGE)
        try:
            self.log.reserve(waiting + payload_bytes)
        except DiskFullError as error:
            raise ReplyError(DISK_FULL) from error

    def replica_acks(self, position: int) -> int:
        """How many replicas have acknowledged the log up to a position; replication is not built yet."""
        return 0
