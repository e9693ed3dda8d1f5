"""Options of the process: what it logs, and what clients may do to it."""

from __future__ import annotations

import re
from typing import Final

from durable_redis import REDIS_VERSION
from durable_redis.config.kinds import LONG_MAX, Enum, Integer, Text
from durable_redis.config.option import Option, in_group

_VERSION: Final = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")


def _wrong_version(text: str) -> str:
    return "" if _VERSION.fullmatch(text) else "a version is three numbers with dots between them"


PROCESS: Final = in_group(
    "process",
    Option(
        "loglevel",
        Enum("debug", "verbose", "notice", "warning"),
        "notice",
        "How much is logged: 'debug' (for developers), 'verbose', 'notice' (what an operator wants to "
        "know), 'warning' (only what needs attention).",
    ),
    Option(
        "logfile",
        Text(),
        "",
        "File to which log lines are appended; empty for the standard output. (The log of writes is "
        "something else: see 'dir'.)",
        mutable=False,
    ),
    Option(
        "enable-debug-command",
        Enum("no", "yes", "local"),
        "no",
        "Who may use DEBUG, which can stop or crash the server: nobody, everybody, or clients on this "
        "machine.",
        mutable=False,
    ),
    Option(
        "enable-protected-configs",
        Enum("no", "yes", "local"),
        "no",
        "Who may change options with CONFIG SET that could be used to take over the machine: nobody, "
        "everybody, or clients on this machine.",
        mutable=False,
    ),
    Option(
        "redis-version",
        Text(_wrong_version),
        REDIS_VERSION,
        "The version of Redis that HELLO and INFO tell. Some clients use what is here only where they see a "
        "newer one: redis-py, for one, caches on its own side from 7.4.0 on.",
    ),
    Option(
        "busy-reply-threshold",
        Integer(0, LONG_MAX),
        "5000",
        "Milliseconds after which a script counts as slow: other clients are then answered BUSY, and SCRIPT "
        "KILL, FUNCTION KILL and SHUTDOWN NOSAVE may end it.",
        aliases=("lua-time-limit",),
    ),
)
