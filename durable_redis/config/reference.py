"""The reference configuration file, rendered from the option table.

``config/durable-redis.conf`` in the repository is exactly this text; a test says so when it is not.  It
names every option that the server has, with its explanation and its default, and none of those that are
only taken for Redis's sake.
"""

from __future__ import annotations

import textwrap
from typing import Final

from durable_redis.config.option import Option, State
from durable_redis.config.options import OPTIONS

WIDTH: Final = 100
_HEAD: Final = """\
# Durable Redis: every option, explained, with its default.
#
# The syntax is that of redis.conf, and a redis.conf can be used as it is: options that mean nothing here are
# passed over with a warning. Start the server with the path of this file, or give options with the command:
#
#   durable-redis-server durable-redis.conf --port 7000
#
# Amounts of memory take units: 1k is 1000 bytes, 1kb is 1024, and likewise m, mb, g, gb. Values with blanks
# stand in quotes. CONFIG SET changes most options while the server runs, CONFIG REWRITE writes it down here.
#
# include /path/to/other.conf      reads another file at this place; patterns (*.conf) work
"""


def render_reference() -> str:
    """The text of the reference file."""
    parts = [_HEAD]
    group = ""
    for option in OPTIONS:
        if option.state is not State.SUPPORTED or option.hidden:
            continue
        if option.group != group:
            group = option.group
            parts.append(f"\n{f'##### {group.upper()} ':#<{WIDTH}}\n")
        parts.append(_entry(option))
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


def _entry(option: Option) -> str:
    notes = "" if option.mutable and option.live else " Takes effect at the next start."
    comment = textwrap.fill(
        option.help + notes,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    if option.kind.multi:
        arguments = option.kind.lines(option.default_value())
    else:
        arguments = [option.default or '""']
    return "\n".join(["", comment, *(f"{option.name} {argument}" for argument in arguments)])
