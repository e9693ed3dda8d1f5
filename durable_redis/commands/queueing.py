"""What a client has queued since MULTI, and what it watches."""

from __future__ import annotations

from durable_redis.commands.table import Command, Flag

QUEUED_COMMAND_BYTES = 120  # of a queued command beside its words


class Transaction:
    """The commands of one client between MULTI and EXEC.  ``size`` is in bytes, as ``multi-mem`` shows it."""

    __slots__ = ("flags", "queue", "refused", "size")

    def __init__(self) -> None:
        self.queue: list[tuple[Command, list[bytes]]] = []
        self.flags = Flag(0)  # of all commands together
        self.refused = False  # a command was not accepted: EXEC will fail
        self.size = 0

    def add(self, command: Command, argv: list[bytes]) -> None:
        """Queue a command that has passed the gates."""
        self.queue.append((command, argv))
        self.flags |= command.flags
        self.size += QUEUED_COMMAND_BYTES + sum(map(len, argv))

    def flags_of(self, command: Command) -> Flag:
        """The flags of a command that comes now: EXEC does what all of the queue does."""
        return command.flags | self.flags if command.name == "EXEC" else command.flags


class Watch:
    """The keys that one client watches: by database and key, whether the key was there.

    ``touched`` says that one of them has changed since.
    """

    __slots__ = ("keys", "touched")

    def __init__(self) -> None:
        self.keys: dict[tuple[int, bytes], bool] = {}
        self.touched = False
