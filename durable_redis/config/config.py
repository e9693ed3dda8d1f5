"""The values of all options: read by everybody, changed by CONFIG SET, by the file and by the command line.

Reading is one dictionary look-up by the option's own name (not an alias).  CONFIG SET changes all of its
options or none: values are checked first, then set, then the listeners of what changed are called; if one
refuses, everything is as before, and those that had already acted are called again with the old values.

Who may change what, and Redis's error texts, are here; the syntax of files is in ``file.py``, what a
value looks like in ``kinds.py``.  Error texts were asked of redis-server 7.0.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durable_redis.config.kinds import InvalidValue
from durable_redis.config.option import Option, State
from durable_redis.config.options import OPTIONS, by_name
from durable_redis.config.rewrite import rewrite_file
from durable_redis.config.words import to_bytes, to_text
from durable_redis.errors import ReplyError, UsageError
from durable_redis.glob import compile_glob

Listener = Callable[[Any], object]

DUPLICATE = "duplicate parameter"
IMMUTABLE = "can't set immutable config"
PROTECTED = "can't set protected config"
NO_FILE = "ERR The server is running without a config file"
_PATTERN_CHARACTERS = frozenset(b"*?[")


class Config:
    """Options and their values.

    A new one has the defaults.  ``path`` is the file that CONFIG REWRITE writes.
    """

    def __init__(self) -> None:
        self.path: str | None = None
        self.user_lines: list[tuple[str, list[bytes]]] = []  # of the file: where, name and rules
        self.written_users: Callable[[], list[str]] = list  # the lines for CONFIG REWRITE
        self.warnings: list[str] = []  # about settings of the file that have no effect
        self._options = by_name()
        self._values: dict[str, Any] = {option.name: option.default_value() for option in OPTIONS}
        self._listeners: dict[str, list[Listener]] = {}

    # -- reading -------------------------------------------------------------------------------------------

    def get_int(self, name: str) -> int:
        """A number, or an amount in bytes."""
        value = self._values[name]
        assert type(value) is int, name
        return value

    def get_bool(self, name: str) -> bool:
        """A yes or no."""
        value = self._values[name]
        assert type(value) is bool, name
        return value

    def get_str(self, name: str) -> str:
        """A text or a choice; of any other option, the text that CONFIG GET shows."""
        value = self._values[name]
        return value if type(value) is str else self.show(name)

    def get_list(self, name: str) -> tuple[str, ...]:
        """The words of an option that has several."""
        value = self._values[name]
        assert type(value) is tuple, name
        return value

    def output_limits(self, kind: str) -> tuple[int, int, int]:
        """``client-output-buffer-limit`` of ``normal``, ``replica`` or ``pubsub``:

        hard bytes, soft bytes, soft seconds.
        """
        normal, replica, pubsub = self._values["client-output-buffer-limit"]
        limits: tuple[int, int, int] = {"replica": replica, "slave": replica, "pubsub": pubsub}.get(
            kind, normal
        )
        return limits

    def value(self, name: str) -> Any:
        """The value of an option by any of its names, as its kind has it."""
        return self._values[self._options[name].name]

    def option(self, name: str) -> Option | None:
        """The declaration under a name in any case, or None."""
        return self._options.get(name.lower())

    def exists(self, name: str) -> bool:
        """Whether there is an option of this name, in any case."""
        return name.lower() in self._options

    def names(self) -> list[str]:
        """All names that patterns find, aliases included."""
        return [name for name, option in self._options.items() if not option.hidden]

    def show(self, name: str) -> str:
        """The text of CONFIG GET for an option by any of its names."""
        option = self._options[name.lower()]
        return option.kind.show(self._values[option.name])

    def get_matching(self, patterns: Sequence[bytes]) -> dict[bytes, bytes]:
        """CONFIG GET: a plain name is shown as it was asked for, what a pattern finds under its own names."""
        found: dict[bytes, bytes] = {}
        seen: set[str] = set()
        for pattern in patterns:
            if _PATTERN_CHARACTERS.isdisjoint(pattern):
                plain = to_text(pattern).lower()
                names = [(plain, pattern)] if plain in self._options else []
            else:
                fits = compile_glob(pattern, ignore_case=True)
                names = [(name, name.encode()) for name in self.names() if fits(name.encode())]
            for name, shown in names:
                if name not in seen:
                    seen.add(name)
                    found[shown] = to_bytes(self.show(name))
        return found

    # -- changing ------------------------------------------------------------------------------------------

    def on_change(self, name: str, listener: Listener) -> None:
        """Call ``listener`` with the new value whenever CONFIG SET changes an option.

        It may refuse with ``UsageError``, ``ReplyError`` or ``InvalidValue``; the text goes to the client,
        and it is called again with the old value.
        """
        assert name in self._values, name
        self._listeners.setdefault(name, []).append(listener)

    def set_many(self, pairs: Sequence[tuple[str | bytes, str | bytes]], *, local: bool = False) -> None:
        """CONFIG SET: change all of these options or none; raises :class:`ReplyError`.

        ``local`` says that the client is on this machine, which some options ask for.
        """
        settings = [(_text(name), _text(value)) for name, value in pairs]
        self._check_settable([name for name, _ in settings], local)
        before = dict(self._values)
        for name, text in settings:
            option = self._options[name.lower()]
            try:
                current = self._values[option.name]
                value = option.parse(option.words(text), current if option.kind.merges else None)
                self._check_value(option, value)
            except InvalidValue as error:
                self._values.clear()
                self._values.update(before)
                raise _failed(name.lower(), str(error)) from error
            self._values[option.name] = value
        changed = [option for option in OPTIONS if self._values[option.name] != before[option.name]]
        self._tell(changed, before)

    def _check_settable(self, names: list[str], local: bool) -> None:
        """Refuse what is unknown, immutable, protected or given twice, whichever comes first."""
        seen: set[str] = set()
        for name in names:
            option = self._options.get(name.lower())
            if option is None:
                text = f"ERR Unknown option or number of arguments for CONFIG SET - '{_shown(name)}'"
                raise ReplyError(text)
            if not option.mutable:
                raise _failed(name, IMMUTABLE)
            if option.protected and not self._may_change_protected(local):
                raise _failed(name, PROTECTED)
            if name.lower() in seen:
                raise _failed(name, DUPLICATE)
            seen.add(name.lower())

    def _may_change_protected(self, local: bool) -> bool:
        allowed = self._values["enable-protected-configs"]
        return bool(allowed == "yes" or (allowed == "local" and local))

    def _check_value(self, option: Option, value: Any) -> None:
        """Refuse a value that the option could have, but not here or not now."""
        if value == self._values[option.name]:
            return
        if option.state is State.RESERVED and value != option.default_value():
            raise InvalidValue(f"{option.name} is not supported yet")
        if option.state is State.FIXED:
            raise InvalidValue(option.why)
        if not option.live:
            raise InvalidValue(f"{option.name} can be changed only by a restart")

    def _tell(self, changed: list[Option], before: dict[str, Any]) -> None:
        """Call the listeners of what changed; if one refuses, undo everything."""
        called: list[tuple[Listener, Any]] = []
        for option in changed:
            for listener in self._listeners.get(option.name, ()):
                called.append((listener, before[option.name]))
                try:
                    listener(self._values[option.name])
                except BaseException as error:
                    self._values.clear()
                    self._values.update(before)
                    for undo, value in reversed(called):
                        undo(value)
                    if isinstance(error, UsageError | ReplyError | InvalidValue):
                        raise _failed(option.name, str(error).removeprefix("ERR ")) from error
                    raise

    def load(self, name: str, words: Sequence[str], *, adds: bool = False) -> str:
        """Take a setting of the file or the command line, before the server runs; the warning about it, or
        nothing.

        With ``adds`` the setting adds to the value of the line before, where the option is of that kind.
        Raises :class:`InvalidValue`.  Listeners are not called.
        """
        option = self._options[name.lower()]
        kept = option.kind.merges or (adds and option.kind.repeats)
        value = option.parse(words, self._values[option.name] if kept else None)
        default = option.default_value()
        if option.state is State.RESERVED and value != default:
            raise InvalidValue(f"{option.name} is not supported yet")
        if option.state is State.FIXED:
            return "" if value == default else option.why
        self._values[option.name] = value
        if option.state is State.IGNORED and value != default and not option.silent:
            return f"option '{option.name}' has no effect here. {option.help}"
        return ""

    # -- the file ------------------------------------------------------------------------------------------

    def rewrite(self) -> None:
        """CONFIG REWRITE: bring the configuration file up to date; raises :class:`ReplyError`."""
        if self.path is None:
            raise ReplyError(NO_FILE)
        try:
            rewrite_file(self.path, self)
        except OSError as error:
            raise ReplyError(f"ERR Rewriting config file: {error.strerror or error}") from error


def _failed(name: str, why: str) -> ReplyError:
    return ReplyError(f"ERR CONFIG SET failed (possibly related to argument '{_shown(name)}') - {why}")


def _shown(name: str) -> str:
    return name.partition("\0")[0]  # as C prints it


def _text(word: str | bytes) -> str:
    return to_text(word) if isinstance(word, bytes) else word
