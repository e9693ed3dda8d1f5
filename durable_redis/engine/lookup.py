"""From the words that a client sent to the command they name, and the errors of names that nobody knows."""

from __future__ import annotations

from durable_redis.commands.table import Command
from durable_redis.errors import ReplyError, shown

_HTTP_WORDS = ("POST", "HOST:")  # a browser that was talked into calling us; Redis closes at once too
_SPELLINGS_MAX = 4096  # of command names that are found without a look at the table
_UNKNOWN_SHOWN_MAX = 128  # characters of the name, and of the arguments, that an error repeats


class CrossProtocolError(Exception):
    """What came in is HTTP."""


class CommandLookup:
    """The command table by the names as clients spell them; ``known`` holds those met so far."""

    def __init__(self, commands: dict[str, Command]) -> None:
        self.known: dict[bytes, Command] = {}
        self._commands = commands

    def find(self, argv: list[bytes]) -> Command:
        """The command or subcommand that ``argv`` names.

        Raises :class:`ReplyError` for unknown names and :class:`CrossProtocolError` for HTTP.
        """
        name = argv[0].decode("latin-1").upper()
        command = self._commands.get(name)
        if command is None:
            if name in _HTTP_WORDS:
                raise CrossProtocolError
            raise ReplyError(_unknown_command(argv))
        if not command.subcommands:
            if len(self.known) < _SPELLINGS_MAX:
                self.known[bytes(argv[0])] = command
            return command
        if len(argv) > 1:
            child = command.subcommands.get(argv[1].decode("latin-1").upper())
            if child is None:
                word = shown(argv[1], _UNKNOWN_SHOWN_MAX)
                raise ReplyError(f"ERR unknown subcommand '{word}'. Try {name} HELP.")
            return child
        return command


def _unknown_command(argv: list[bytes]) -> str:
    arguments = ""
    for word in argv[1:]:
        if len(arguments) >= _UNKNOWN_SHOWN_MAX:
            break
        arguments += f"'{shown(word, _UNKNOWN_SHOWN_MAX - len(arguments))}' "
    name = shown(argv[0], _UNKNOWN_SHOWN_MAX)
    return f"ERR unknown command '{name}', with args beginning with: {arguments}"
