"""Which words of a command are secrets: what SLOWLOG and MONITOR show in their place.

A password must not come to light where an operator looks for slow commands.  The commands that carry one
have a function here that says at which positions; everything else is shown as it came.  Options of CONFIG SET
are secret by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

REDACTED: Final = b"(redacted)"
SECRET_OPTIONS: Final = frozenset(
    (b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass")
)


def shown_argv(name: str, argv: list[bytes]) -> list[bytes]:
    """The words of the command ``name`` (``CONFIG|SET`` for a subcommand) without its secrets."""
    finder = _FINDERS.get(name)
    if finder is None:
        return argv
    shown = argv.copy()
    for position in finder(argv):
        if position < len(shown):
            shown[position] = REDACTED
    return shown


def _everything(argv: list[bytes]) -> Iterable[int]:
    return range(1, len(argv))


def _hello(argv: list[bytes]) -> Iterable[int]:
    at = 2
    while at < len(argv):
        option = argv[at].upper()
        if option == b"AUTH":
            yield from (at + 1, at + 2)
        at += {b"AUTH": 3, b"SETNAME": 2}.get(option, 1)


def _config_set(argv: list[bytes]) -> Iterable[int]:
    return (at + 1 for at in range(2, len(argv), 2) if argv[at].lower() in SECRET_OPTIONS)


def _acl_setuser(argv: list[bytes]) -> Iterable[int]:
    return range(2, len(argv))


def _migrate(argv: list[bytes]) -> Iterable[int]:
    at = 6
    while at < len(argv):
        option = argv[at].upper()
        if option == b"KEYS":
            return
        secrets = {b"AUTH": 1, b"AUTH2": 2}.get(option, 0)
        yield from range(at + 1, at + 1 + secrets)
        at += 1 + secrets


_FINDERS: Final[Mapping[str, Callable[[list[bytes]], Iterable[int]]]] = MappingProxyType(
    {
        "AUTH": _everything,
        "HELLO": _hello,
        "CONFIG|SET": _config_set,
        "ACL|SETUSER": _acl_setuser,
        "MIGRATE": _migrate,
    }
)
