"""The console command ``durable-redis-server``: parse, log, serve, and say in one line why not.

Exit codes: 0 after a clean stop; 1 when the data or the disk is the reason (locked, foreign, damaged, full);
2 when the command line, the configuration or an address is.  What the options mean is in ``config/``; what
happens then, in ``net/server.py``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from durable_redis import REDIS_VERSION, __version__
from durable_redis.clock import SystemClock
from durable_redis.config.command_line import Action, parse_command_line
from durable_redis.config.config import Config
from durable_redis.errors import UsageError
from storage.errors import StorageError

PROGRAM = "durable-redis-server"
EXIT_STORAGE = 1
EXIT_USAGE = 2
LEVELS = {
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "nothing": logging.CRITICAL,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    try:
        invocation = parse_command_line(
            sys.argv[1:] if arguments is None else arguments, lambda: sys.stdin.buffer.read()
        )
        if invocation.action is Action.VERSION:
            print(f"{PROGRAM} {__version__} (as Redis {REDIS_VERSION})")
            return 0
        if invocation.action is Action.PRINT:
            print(invocation.text, end="")
            return 0
        if invocation.action is Action.CHECK:
            print("the configuration is right")
            return 0
        start_logging(invocation.config)
        from durable_redis.net.server import serve

        return serve(invocation.config, SystemClock())
    except UsageError as error:
        return _refuse(str(error), error.hint, EXIT_USAGE)
    except StorageError as error:
        return _refuse(str(error), error.hint, EXIT_STORAGE)


def start_logging(config: Config) -> None:
    """Log as ``loglevel`` and ``logfile`` say; without a file to the standard output."""
    path = config.get_str("logfile")
    try:
        handler: logging.Handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stdout)
    except OSError as error:
        raise UsageError(
            f"cannot write the log file {path}: {error.strerror}", "see option 'logfile'"
        ) from error
    handler.setFormatter(
        logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    root = logging.getLogger("durable_redis")
    root.addHandler(handler)
    root.setLevel(LEVELS[config.get_str("loglevel")])
    config.on_change("loglevel", lambda level: root.setLevel(LEVELS[level]))
    for warning in config.warnings:
        root.warning("%s", warning)


def _refuse(message: str, hint: str, code: int) -> int:
    """Say why not, in one line on the standard error."""
    print(f"{PROGRAM}: {message}" + (f" ({hint})" if hint else ""), file=sys.stderr)
    return code
