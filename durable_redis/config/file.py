"""Reading configuration files: a setting a line, comments, and ``include`` with patterns.

The syntax is that of redis.conf, so one of redis-server's can be used as it is.  Whatever is wrong stops
the start with a :class:`UsageError` of one line that names the file, the line's number and its text;
settings that are right but have no effect here become ``config.warnings``.

A later setting wins over an earlier one, be it in the same file or another; lines of options that add up
(``save``) do so over all files and the command line.  Paths of ``include`` start where the server was
started, as in Redis.
"""

from __future__ import annotations

import difflib
import glob
from typing import Final

from durable_redis.config.config import Config
from durable_redis.config.kinds import WRONG_NUMBER, InvalidValue
from durable_redis.config.options import INCLUDE, PASSED_DIRECTIVES, REFUSED_DIRECTIVES, USER
from durable_redis.config.words import UnbalancedQuotes, split_words, to_bytes, to_text
from durable_redis.errors import UsageError

FILE_BYTES_MAX: Final = 16 << 20
INCLUDE_DEPTH_MAX: Final = 16
LINE_SHOWN_MAX: Final = 200  # characters of a wrong line that an error repeats
BAD_DIRECTIVE: Final = "Bad directive or wrong number of arguments"
UNBALANCED: Final = "Unbalanced quotes in configuration line"
_REFERENCE: Final = "config/durable-redis.conf explains every option"


class Loader:
    """Puts settings into a :class:`Config` in the order in which they come."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._seen: set[str] = set()

    def load_file(self, path: str, depth: int = 0) -> None:
        """Read a file and what it includes; raises :class:`UsageError`."""
        if depth > INCLUDE_DEPTH_MAX:
            raise UsageError(
                f"{path}: included more than {INCLUDE_DEPTH_MAX} deep", "does a file include itself?"
            )
        try:
            with open(path, "rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(
                f"cannot read configuration file '{path}': {reason}", "check the path"
            ) from error
        self.load_text(to_text(raw), path, depth)

    def load_text(self, text: str, origin: str, depth: int = 0) -> None:
        """Read the text of a file; ``origin`` is its name in errors."""
        if len(text) > FILE_BYTES_MAX:
            raise UsageError(
                f"{origin} is larger than {FILE_BYTES_MAX} bytes", "is this a configuration file?"
            )
        for number, line in enumerate(text.split("\n"), 1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                self.load_line(stripped, f"{origin}:{number}", depth)

    def load_line(self, line: str, place: str, depth: int = 0) -> None:
        """Take one line; ``place`` says where it stands."""
        try:
            words = split_words(line)
        except UnbalancedQuotes as error:
            raise _wrong(place, line, UNBALANCED, "close each quote, with a blank after it") from error
        if words:
            self.load_words(words, line, place, depth)

    def load_words(self, words: list[str], line: str, place: str, depth: int = 0) -> None:
        """Take one setting that is already split."""
        name = words[0].lower()
        if name == INCLUDE and len(words) == 2:
            self._include(words[1], depth)
            return
        if name == USER:
            self.config.user_lines.append((place, [to_bytes(word) for word in words[1:]]))
            return
        if name in REFUSED_DIRECTIVES:
            raise _wrong(place, line, f"{name} is not supported yet", "remove the line")
        if PASSED_DIRECTIVES.get(name) == len(words):
            self.config.warnings.append(f"{place}: '{name}' has no effect here.")
            return
        option = self.config.option(name)
        if option is None:
            raise _wrong(place, line, BAD_DIRECTIVE, self._suggestion(name))
        try:
            warning = self.config.load(name, words[1:], adds=option.name in self._seen)
        except InvalidValue as error:
            hint = f"option '{option.name}' takes one value" if str(error) == WRONG_NUMBER else _REFERENCE
            raise _wrong(place, line, str(error), hint) from error
        self._seen.add(option.name)
        if warning:
            self.config.warnings.append(f"{place}: {warning}")

    def _include(self, pattern: str, depth: int) -> None:
        """Read the files of an ``include``; a pattern may fit none, a plain name has to exist."""
        paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for path in paths:
            self.load_file(path, depth + 1)

    def _suggestion(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.config.names(), 1)
        return f"did you mean '{near[0]}'?" if near else _REFERENCE


def _wrong(place: str, line: str, why: str, hint: str) -> UsageError:
    shown = line if len(line) <= LINE_SHOWN_MAX else line[:LINE_SHOWN_MAX] + "…"
    return UsageError(f"{place}: '{shown}': {why}", hint)
