"""What commands share that wait for keys: the timeout, and the wait itself.

A blocking command first tries what its plain form does; only if there is nothing does it wait.  While it
waits its attempt is repeated for each key that was changed (``engine/blocking.py``); other types under a key
do not end the waiting, as in Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durable_redis.commands.context import Context, KeyWait
from durable_redis.errors import ReplyError
from durable_redis.resp.numbers import parse_long_double

_LONG_MAX = (1 << 63) - 1


def block_timeout_ms(raw: bytes) -> int:
    """A timeout in seconds, fractions allowed, as milliseconds; 0 is for ever.

    Raises for what is no number, negative or too large.
    """
    seconds = parse_long_double(raw)
    if seconds is None:
        raise ReplyError("ERR timeout is not a float or out of range")
    if not seconds.is_finite:
        raise ReplyError("ERR timeout is negative")
    scaled = seconds.mantissa * 1000
    exponent = seconds.exponent
    timeout_ms = scaled << exponent if exponent >= 0 else -(-scaled >> -exponent)
    if not 0 <= timeout_ms <= _LONG_MAX:
        raise ReplyError("ERR timeout is negative")
    return timeout_ms


def wait_for_keys(
    ctx: Context,
    keys: Sequence[bytes],
    timeout_ms: int,
    attempt: Callable[[bytes], Any],
    timeout_reply: Any,
) -> KeyWait:
    """The reply of a command that waits until ``attempt(key)`` gives something else than ``PENDING``.

    ``attempt`` is called with a key of ``keys`` that was changed; ``timeout_ms`` 0 waits for ever.
    """
    deadline_ms = ctx.now_ms + timeout_ms if timeout_ms else 0
    if deadline_ms > _LONG_MAX:
        raise ReplyError("ERR timeout is out of range")
    return KeyWait(tuple(dict.fromkeys(keys)), attempt, deadline_ms, lambda: timeout_reply)
