"""MULTI … EXEC: queueing commands, and executing them as one.

Between MULTI and EXEC a client's commands pass the gates when they come, and again what may have changed
meanwhile (permissions) when they are executed.  Everything that an EXEC applies becomes one transaction of
the log: the engine collects effects until its outermost command is done.

Nothing waits inside of a transaction: a command that would (BLPOP, WAIT) answers as if its time were out.
Messages to the executing client come behind the reply of EXEC.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from durable_redis.acl.check import CHANNEL, COMMAND, KEY
from durable_redis.commands.queueing import Transaction
from durable_redis.commands.session import Client
from durable_redis.commands.table import Command
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import NO_REPLY, NULL_ARRAY, Reply

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

UNQUEUED: Final = frozenset(("EXEC", "DISCARD", "MULTI", "WATCH", "QUIT", "RESET"))
_REFUSED: Final = "EXECABORT Transaction discarded because of previous errors."
_NO_LONGER_ALLOWED: Final = (
    "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
    "This command is no longer allowed for the following reason: {}"
)
_REASONS: Final = {
    COMMAND: "no permission to execute the command or subcommand",
    KEY: "no permission to touch the specified keys",
    CHANNEL: "no permission to access one of the channels used as arguments",
}

logger = logging.getLogger("durable_redis")


class Transactions:
    """The transactions of one engine's clients."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, client: Client) -> None:
        """Queue what the client sends from now on."""
        client.transaction = Transaction()
        self._engine.refresh(client)

    def end(self, client: Client) -> None:
        """The client is in no transaction any more, and watches nothing."""
        client.transaction = None
        self._engine.watching.forget(client)
        self._engine.refresh(client)

    def queue(self, client: Client, transaction: Transaction, command: Command, argv: list[bytes]) -> None:
        """Queue a command.  A client that queues more than it may have as input is closed, as in Redis."""
        transaction.add(command, argv)
        client.out.append(b"+QUEUED\r\n")
        if transaction.size > self._engine.config.get_int("client-query-buffer-limit"):
            logger.warning(
                "closing client %d at %s: its transaction passes client-query-buffer-limit",
                client.id,
                client.address,
            )
            client.closing = True

    def refused(
        self, client: Client, command: Command | None, argv: list[bytes], why: ReplyError
    ) -> ReplyError:
        """A command did not pass the gates: what to answer.  An EXEC that did not ends the transaction."""
        if command is not None and command.name == "EXEC":
            self._engine.inspection.show(client, argv)
            self.end(client)
            return aborted_by(why)
        if client.transaction is not None:
            client.transaction.refused = True
        return why

    def execute(self, client: Client) -> Reply:
        """Execute what is queued; the replies go to ``client.out``."""
        engine = self._engine
        transaction = client.transaction
        assert transaction is not None
        if transaction.refused or engine.watching.is_touched(client):
            refused = transaction.refused
            self.end(client)
            if refused:
                raise ReplyError(_REFUSED)
            return NULL_ARRAY
        engine.watching.forget(client)
        client.out.append(b"*%d\r\n" % len(transaction.queue))
        client.deferred = []
        for command, argv in transaction.queue:
            denial = None
            if client.permissions is not None:
                denial = engine.access.check(client.permissions, command, argv)
            if denial is None:
                engine.call(client, command, argv, engine.perform_nested)
            else:
                engine.access.note_denial(client, denial, "multi")
                engine.reply_error(client, ReplyError(_NO_LONGER_ALLOWED.format(_REASONS[denial.reason])))
        self.end(client)
        return NO_REPLY


def aborted_by(why: ReplyError) -> ReplyError:
    """What EXEC answers when it is refused itself."""
    code, _, text = str(why).partition(" ")
    return ReplyError(f"EXECABORT Transaction discarded because of: {text if code == 'ERR' else why}")
