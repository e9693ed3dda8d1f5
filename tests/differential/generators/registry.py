"""The generators by name.  A new group is one file beside this one and one row here."""

from __future__ import annotations

from typing import Final

from tests.differential.generators import (
    bitmaps,
    expiry,
    geo,
    hashes,
    hyperloglog,
    keys,
    lists,
    server,
    sets,
    sort,
    sorted_sets,
    streams,
    strings,
)
from tests.differential.generators.source import Generator, Source
from tests.support.script import Step

_ALONE: Final[dict[str, Generator]] = {
    "strings": strings.generate,
    "bitmaps": bitmaps.generate,
    "keys": keys.generate,
    "expiry": expiry.generate,
    "server": server.generate,
    "hashes": hashes.generate,
    "sets": sets.generate,
    "sorted_sets": sorted_sets.generate,
    "lists": lists.generate,
    "streams": streams.generate,
    "geo": geo.generate,
    "hyperloglog": hyperloglog.generate,
}


def _mixed(source: Source) -> Step:
    return source.random.choice(tuple(_ALONE.values()))(source)


# SORT stays out of the mixture: redis-server refuses to sort when a number was out of range in any command
# before, because it does not reset the errno that it looks at.
GENERATORS: Final[dict[str, Generator]] = _ALONE | {"mixed": _mixed, "sort": sort.generate}
