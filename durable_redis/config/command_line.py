"""The command line, as redis-server takes it: ``[CONF] [--option value …] [-]``.

Every option of a configuration file is an option of the command line, with two dashes in front and any
number of values; a file comes first, then the standard input (``-`` as the first or the last word), then
the options, and what comes later wins.  ``--version``, ``--help``, ``--check-config`` and
``--print-config`` do not start a server.

Parsing has no effects but reading the files; starting, printing and exit codes are the business of ``cli``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from durable_redis.config.config import Config
from durable_redis.config.file import BAD_DIRECTIVE, Loader
from durable_redis.config.reference import render_reference
from durable_redis.config.words import UnbalancedQuotes, quote, split_words, to_text
from durable_redis.errors import UsageError

ORIGIN: Final = "command line"
STDIN: Final = "standard input"
HELP: Final = """\
Usage: durable-redis-server [FILE] [--OPTION VALUE ...] ... [-]

  FILE             configuration file, in the syntax of redis.conf
  --OPTION VALUE   any option of that file; it wins over the file
  -                read more of a configuration file from the standard input

  -v, --version    print the version and exit
  -h, --help       print this text and exit
  --check-config   read the configuration, say whether it is right, and exit
  --print-config   print a configuration file with every option explained, and exit

Examples:
  durable-redis-server
  durable-redis-server --port 7000 --dir /var/lib/durable-redis --maxmemory 2gb
  durable-redis-server /etc/durable-redis.conf --appendfsync everysec
  echo 'requirepass secret' | durable-redis-server --port 7000 -
"""


class Action(Enum):
    """What the operator wants."""

    SERVE = "serve"
    CHECK = "check"
    PRINT = "print"
    VERSION = "version"


@dataclass(slots=True)
class Invocation:
    """A parsed command line; ``text`` is what PRINT prints."""

    action: Action
    config: Config
    text: str = ""


def parse_command_line(arguments: Sequence[str], read_stdin: Callable[[], bytes]) -> Invocation:
    """Parse what follows the program's name.  Raises :class:`UsageError`.

    ``read_stdin`` is called only if the standard input is asked for.
    """
    config = Config()
    words = list(arguments)
    if len(words) == 1:
        if words[0] in ("-v", "--version"):
            return Invocation(Action.VERSION, config)
        if words[0] in ("-h", "--help"):
            return Invocation(Action.PRINT, config, HELP)
        if words[0] == "--print-config":
            return Invocation(Action.PRINT, config, render_reference())
    action = Action.SERVE
    if "--check-config" in words:
        words.remove("--check-config")
        action = Action.CHECK
    _load(words, config, read_stdin)
    return Invocation(action, config)


def _load(words: list[str], config: Config, read_stdin: Callable[[], bytes]) -> None:
    """Fill ``config`` from the file, the standard input and the options, in this order."""
    loader = Loader(config)
    from_stdin = False
    if words and not words[0].startswith("-"):
        config.path = os.path.abspath(words.pop(0))
        loader.load_file(config.path)
    if words and words[0] == "-":
        words.pop(0)
        from_stdin = True
    elif words and words[-1] == "-":
        words.pop()
        from_stdin = True
    settings = split_settings(words)
    if from_stdin:
        loader.load_text(to_text(read_stdin()), STDIN)
    for setting in settings:
        shown = " ".join([setting[0], *map(quote, setting[1:])])
        loader.load_words(setting, shown, ORIGIN)


def split_settings(words: Sequence[str]) -> list[list[str]]:
    """The settings among the words, name first.

    A word with two dashes begins a setting, unless it stands where the first value of one is missing: so
    passwords may begin with dashes, and ``--save --port 1`` alone is told apart, as in Redis.  ``"--port
    1"`` as one word works too.
    """
    settings: list[list[str]] = []
    wants_value = False
    for word in words:
        if word.startswith("--") and not wants_value:
            try:
                setting = split_words(word[2:])
            except UnbalancedQuotes:
                setting = []
            if not setting:
                raise UsageError(f"{ORIGIN}: '{word}': {BAD_DIRECTIVE}", "see --help")
            settings.append(setting)
            wants_value = len(setting) == 1
            continue
        if not settings:
            raise UsageError(
                f"{ORIGIN}: '{word}': {BAD_DIRECTIVE}", "options begin with two dashes; see --help"
            )
        if word.startswith("--") and settings[-1][0].lower() == "save" and wants_value:
            settings.append(split_words(word[2:]))
            wants_value = len(settings[-1]) == 1
            continue
        settings[-1].append(word)
        wants_value = False
    return settings
