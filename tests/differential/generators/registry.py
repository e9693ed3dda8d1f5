"""The generators by name.  A new group is one file beside this one and one row here."""

from __future__ import annotations

from typing import Final

from tests.differential.generators import bitmaps, expiry, keys, server, strings
from tests.differential.generators.source import Generator, Source
from tests.support.script import Step

_ALONE: Final[dict[str, Generator]] = {
    "strings": strings.generate,
    "bitmaps": bitmaps.generate,
    "keys": keys.generate,
    "expiry": expiry.generate,
    "server": server.generate,
}


def _mixed(source: Source) -> Step:
    return source.random.choice(tuple(_ALONE.values()))(source)


GENERATORS: Final[dict[str, Generator]] = _ALONE | {"mixed": _mixed}
