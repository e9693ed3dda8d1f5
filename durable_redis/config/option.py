"""What an option is: its declaration, from which everything that knows about options is derived.

CONFIG GET and SET, the configuration file, the command line, CONFIG REWRITE, the shipped reference file and
the tests read these declarations; there is no other list of options.  Adding one is adding a declaration to
its group.

A state says how far an option is true.  *Supported*: code reads it.  *Fixed*: it has one possible value
here, and asking for another is refused at run time and passed over with a warning in a file.  *Reserved*:
it promises something that is not built yet, so any value but the default is refused.  *Ignored*: a knob of
Redis without meaning here; taken and shown, so that files and tools can be reused, with a warning when a
file sets it to something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from durable_redis.config.kinds import Kind


class State(Enum):
    """How far an option is true; see the module."""

    SUPPORTED = "supported"
    FIXED = "fixed"
    RESERVED = "reserved"
    IGNORED = "ignored"


@dataclass(slots=True, frozen=True)
class Option:
    """One option.  ``default`` is written as in a configuration file; ``help`` is one paragraph for
    operators.

    ``mutable`` is false where Redis refuses CONFIG SET too; ``live`` is false where Redis can change it
    while it runs and we cannot.  ``protected`` options change only as ``enable-protected-configs`` allows;
    ``hidden`` ones do not match patterns; ``always_written`` ones go into every rewritten file; ``silent``
    ones are ignored without a warning.  ``why`` explains a fixed option.
    """

    name: str
    kind: Kind
    default: str
    help: str
    group: str = ""
    aliases: tuple[str, ...] = ()
    state: State = State.SUPPORTED
    mutable: bool = True
    live: bool = True
    protected: bool = False
    hidden: bool = False
    always_written: bool = False
    silent: bool = False
    why: str = ""

    def words(self, text: str) -> list[str]:
        """The words of a value that came as one text: several only if the option takes several."""
        if not self.kind.multi:
            return [text]
        return text.split(" ") if text else []

    def parse(self, words: Sequence[str], before: Any = None) -> Any:
        """The value of a setting.

        One word may hold several, as in ``--save "60 1"``.  Raises ``InvalidValue``.
        """
        if self.kind.multi and len(words) == 1:
            words = self.words(words[0])
        return self.kind.parse(words, before)

    def default_value(self) -> Any:
        """The value of the default."""
        return self.kind.parse(self.words(self.default), None)


def in_group(group: str, *options: Option) -> tuple[Option, ...]:
    """Options with their group's name."""
    return tuple(replace(option, group=group) for option in options)


def in_state(state: State, *options: Option) -> tuple[Option, ...]:
    """Options with a state."""
    return tuple(replace(option, state=state) for option in options)
