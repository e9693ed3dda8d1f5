"""Scripts: EVAL and functions as one command of one client, whose effects are one transaction of the log.

A script's commands run on a client of its own (:attr:`Scripts.client`), with the database and the user of its
caller, through the gates that Redis has for scripts.  The engine collects what they apply until the outermost
command is done.  Time stands still while a script runs.

A long script is asked every 100,000 instructions whether it may go on (:meth:`Scripts._tick`).  When it has
run for ``busy-reply-threshold`` milliseconds, ``while_busy`` lets ``net`` serve the other connections in
between: they are answered BUSY, unless their command is one of those that may end the script.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from durable_redis.acl.check import CHANNEL, COMMAND, KEY
from durable_redis.commands.session import Client
from durable_redis.commands.table import Command, Flag
from durable_redis.engine.lookup import CrossProtocolError
from durable_redis.engine.monitors import SCRIPT_SOURCE
from durable_redis.engine.script_source import ScriptFlags, split_script
from durable_redis.errors import NOT_AN_INTEGER, ReplyError
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Encoded, Reply
from durable_redis.scripting.host import Random, sha1_hex
from durable_redis.scripting.interpreter import MEMORY_BYTES_MAX, Interpreter, ScriptError, Services

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

NO_SCRIPT: Final = "NOSCRIPT No matching script. Please use EVAL."
NOT_BUSY: Final = "NOTBUSY No scripts in execution right now."
UNKILLABLE: Final = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait "
    "the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
)
_KILLED: Final = b"ERR Script killed by user with SCRIPT KILL..."
_STOPPED: Final = b"ERR The server is shutting down"
_UNKNOWN: Final = "ERR Unknown Redis command called from script"
_WRONG_COUNT: Final = "ERR Wrong number of args calling Redis command from script"
_NOT_FROM_SCRIPT: Final = "ERR This Redis command is not allowed from script"
_READ_ONLY: Final = "ERR Write commands are not allowed from read-only scripts."
_WRITES_IN_RO: Final = "ERR Can not execute a script with write flag using *_ro command."
_DENIED: Final = {
    COMMAND: "ERR The user executing the script can't run this command or subcommand",
    KEY: (
        "ERR The user executing the script can't access at least one of the keys mentioned in the command "
        "arguments"
    ),
    CHANNEL: "ERR The user executing the script can't publish to the channel mentioned in the command",
}
_WRITE: Final = int(Flag.WRITE)  # plain numbers: an operation on flags costs 0.4 µs
_WRITES: Final = int(Flag.WRITE | Flag.MAY_REPLICATE)
_NOSCRIPT: Final = int(Flag.NOSCRIPT)
_BLOCKING: Final = int(Flag.BLOCKING)
_LEVELS: Final = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING)
SCRIPT_OVERHEAD_BYTES: Final = 104

logger = logging.getLogger("durable_redis")


@dataclass(slots=True)
class Running:
    """The script that is being executed."""

    caller: Client
    name: bytes
    argv: list[bytes]
    is_function: bool
    read_only: bool
    allow_oom: bool
    started: float
    wrote: bool = False
    busy: bool = False
    killed: bool = False


class Scripts:
    """The scripts of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.client = Client(0, engine.keyspace.database(0), engine)
        self.client.authenticated = True
        self.running: Running | None = None
        self.while_busy: Callable[[], None] = _nothing  # set by ``net``
        self.exit_at_once: Callable[[], None] = _cannot_exit  # the same
        self.cached: dict[bytes, tuple[ScriptFlags, int]] = {}
        self.check_loading: Callable[[], bytes | None] = _may_go_on  # the code of a library runs
        self._flags: dict[str, int] = {}
        self._eval: Interpreter | None = None
        self._random = Random()  # one for all scripts, as in Redis

    @property
    def caller(self) -> Client | None:
        """The client whose script is being executed."""
        return self.running.caller if self.running is not None else None

    @property
    def busy_error(self) -> ReplyError | None:
        """What other clients are told, if a script runs for long."""
        running = self.running
        if running is None or not running.busy:
            return None
        kind = "FUNCTION" if running.is_function else "SCRIPT"
        return ReplyError(
            f"BUSY Redis is busy running a script. You can only call {kind} KILL or SHUTDOWN NOSAVE."
        )

    # -- EVAL ------------------------------------------------------------------------------------------------

    def evaluate(self, client: Client, argv: list[bytes], *, read_only: bool) -> Reply:
        """EVAL and EVAL_RO."""
        self._engine.inspection.show(client, argv)
        keys, arguments = split_arguments(argv)
        sha = sha1_hex(argv[1])
        if sha not in self.cached:
            self._make_room()
            self._load(sha, argv[1])
        return self._run_cached(client, argv, sha, keys, arguments, read_only)

    def evaluate_cached(self, client: Client, argv: list[bytes], *, read_only: bool) -> Reply:
        """EVALSHA and EVALSHA_RO."""
        self._engine.inspection.show(client, argv)
        sha = argv[1].lower()
        if len(sha) != 40:
            raise ReplyError(NO_SCRIPT)
        keys, arguments = split_arguments(argv)
        if sha not in self.cached:
            raise ReplyError(NO_SCRIPT)
        return self._run_cached(client, argv, sha, keys, arguments, read_only)

    def load(self, source: bytes) -> bytes:
        """SCRIPT LOAD: the script's hash."""
        sha = sha1_hex(source)
        if sha not in self.cached:
            self._load(sha, source)
        return sha

    def flush(self) -> None:
        """SCRIPT FLUSH: forget all scripts, and begin with a new Lua."""
        self.cached.clear()
        interpreter, self._eval = self._eval, None
        if interpreter is not None:
            interpreter.close()

    def _load(self, sha: bytes, source: bytes) -> None:
        flags, body = split_script(source)
        self.interpreter.load_script(sha, body)
        self.cached[sha] = (flags, len(source))

    def _make_room(self) -> None:
        """Scripts that are made up anew for each call would fill Lua's memory: then all are forgotten."""
        if self._eval is not None and self._eval.memory_bytes > MEMORY_BYTES_MAX // 2:
            logger.warning("the scripts take half of Lua's memory: forgetting all of them")
            self.flush()

    @property
    def interpreter(self) -> Interpreter:
        """The Lua of EVAL."""
        if self._eval is None:
            self._eval = Interpreter(self.services(), for_eval=True)
        return self._eval

    @property
    def memory_bytes(self) -> int:
        """What the Lua of EVAL uses."""
        return self._eval.memory_bytes if self._eval is not None else 0

    @property
    def scripts_bytes(self) -> int:
        """The sources of the cached scripts, and what goes with them."""
        return sum(size + SCRIPT_OVERHEAD_BYTES for _, size in self.cached.values())

    def _run_cached(
        self,
        client: Client,
        argv: list[bytes],
        sha: bytes,
        keys: list[bytes],
        arguments: list[bytes],
        read_only: bool,
    ) -> Reply:
        flags = self.cached[sha][0]
        interpreter = self.interpreter
        return self.execute(
            client,
            argv,
            sha,
            flags,
            read_only,
            is_function=False,
            run=lambda: interpreter.run(sha, keys, arguments, client.protocol),
        )

    # -- executing -------------------------------------------------------------------------------------------

    def execute(
        self,
        client: Client,
        argv: list[bytes],
        name: bytes,
        flags: ScriptFlags,
        read_only: bool,
        *,
        is_function: bool,
        run: Callable[[], bytes],
    ) -> Reply:
        """Run a script or a function for a client; its reply."""
        assert self.running is None, "scripts do not call scripts"
        if flags.declared:
            self._engine.check_script(flags.no_writes, flags.allow_oom)
            if read_only and not flags.no_writes:
                raise ReplyError(_WRITES_IN_RO)
        own = self.client
        own.protocol = 2
        own.user, own.permissions = client.user, client.permissions
        own.context.select(client.db.index)
        self.running = Running(
            client,
            name,
            argv,
            is_function,
            read_only or flags.no_writes,
            flags.declared and flags.allow_oom,
            time.monotonic(),
        )
        try:
            return Encoded(run())
        finally:
            self.running = None

    def services(self) -> Services:
        """What an interpreter asks of the engine."""

        def set_protocol(protocol: int) -> None:
            self.client.protocol = protocol

        return Services(
            self._perform,
            self._tick,
            self._log,
            set_protocol,
            lambda: self.client.protocol,
            self._may_execute,
            self._random,
            self._engine.config.get_str("redis-version"),
        )

    def _log(self, level: int, text: bytes) -> None:
        logger.log(_LEVELS[level], "%s", text.decode("utf-8", "replace"))

    def _find(self, argv: list[bytes]) -> Command:
        try:
            return self._engine.find_command(argv)
        except (ReplyError, CrossProtocolError) as error:
            raise ReplyError(_UNKNOWN) from error

    def _perform(self, argv: list[bytes]) -> Reply:
        """redis.call: Redis's gates for scripts, in its order, then the command."""
        engine, running = self._engine, self.running
        assert running is not None
        command = None
        try:
            command = self._find(argv)
            flags = self._flags.get(command.name)
            if flags is None:
                flags = self._flags[command.name] = int(command.flags)
            self._check_gates(running, command, argv, flags)
        except ReplyError as error:
            if command is not None:
                command.rejected_calls += 1
            engine.count_error(error)
            raise
        if flags & _WRITE:
            running.wrote = True
        started = time.perf_counter()
        try:
            reply = engine.perform_nested(self.client, command, argv)
        except ReplyError as error:
            engine.count_error(error)
            raise
        finally:
            engine.inspection.timed(self.client, command, argv, started, SCRIPT_SOURCE)
        tracking = running.caller.tracking
        if tracking is not None:
            caching = tracking.caching
            engine.messages.invalidation.remember(running.caller, command, argv)
            tracking.caching = caching  # it is for the whole script
        return reply

    def _check_gates(self, running: Running, command: Command, argv: list[bytes], flags: int) -> None:
        engine = self._engine
        if not command.accepts(len(argv)) or command.handler is None:
            raise ReplyError(_WRONG_COUNT)
        if flags & _NOSCRIPT:
            raise ReplyError(_NOT_FROM_SCRIPT)
        if self.client.permissions is not None:
            denial = engine.access.check(self.client.permissions, command, argv)
            if denial is not None:
                engine.access.note_denial(running.caller, denial, "lua")
                raise ReplyError(_DENIED[denial.reason])
        if flags & _WRITES and running.read_only:
            raise ReplyError(_READ_ONLY)
        if engine.disk_full or engine.maintenance.evicting:
            takes_memory = flags & Flag.DENYOOM and not (running.wrote or running.allow_oom)
            engine.check_room(command.flags, argv, takes_memory=bool(takes_memory))
        if flags & _BLOCKING and command.name.startswith("XREAD") and _asks_to_wait(argv):
            name = argv[0].decode("latin-1")
            raise ReplyError(f"ERR {name} command is not allowed with BLOCK option from scripts")

    def _may_execute(self, argv: list[bytes]) -> bool | None:
        """redis.acl_check_cmd; None if there is no such command."""
        try:
            command = self._find(argv)
        except ReplyError:
            return None
        user = self.client.permissions
        return user is None or self._engine.access.check(user, command, argv) is None

    # -- long scripts ----------------------------------------------------------------------------------------

    def _tick(self) -> bytes | None:
        """Called from within a running script: the error that ends it, if it has to end."""
        running = self.running
        if running is None:
            return self.check_loading()
        elapsed_ms = (time.monotonic() - running.started) * 1000
        if elapsed_ms < self._engine.config.get_int("busy-reply-threshold"):
            return None
        if not running.busy:
            running.busy = True
            logger.warning(
                "slow script detected: still in execution after %d milliseconds; its name is %s",
                elapsed_ms,
                running.name.decode("latin-1"),
            )
        self.while_busy()
        if self._engine.shutdown is not None:
            if running.wrote:
                # Half of a script must not get into the log, nor into a last checkpoint.
                self.exit_at_once()
            return _STOPPED
        return _KILLED if running.killed else None

    def kill(self, *, is_function: bool) -> None:
        """SCRIPT KILL and FUNCTION KILL: end the script that runs."""
        running = self.running
        if running is None:
            raise ReplyError(NOT_BUSY)
        if running.is_function != is_function:
            error = self.busy_error
            assert error is not None
            raise error
        if running.wrote:
            raise ReplyError(UNKILLABLE)
        running.killed = True


def split_arguments(argv: list[bytes], not_a_number: str = NOT_AN_INTEGER) -> tuple[list[bytes], list[bytes]]:
    """The keys and the other arguments of EVAL and FCALL."""
    count = parse_integer(argv[2])
    if count is None:
        raise ReplyError(not_a_number)
    if count > len(argv) - 3:
        raise ReplyError("ERR Number of keys can't be greater than number of args")
    if count < 0:
        raise ReplyError("ERR Number of keys can't be negative")
    return argv[3 : 3 + count], argv[3 + count :]


def _asks_to_wait(argv: list[bytes]) -> bool:
    for word in argv[1:]:
        option = word.lower()
        if option == b"block":
            return True
        if option == b"streams":
            return False
    return False


def is_counted(error: ReplyError) -> bool:
    """Whether an error was counted when the command in the script failed."""
    return isinstance(error, ScriptError) and error.counted


def _may_go_on() -> None:
    """Nothing is being loaded."""


def _nothing() -> None:
    """Nobody else is there."""


def _cannot_exit() -> None:
    raise AssertionError("nobody can end this process")
