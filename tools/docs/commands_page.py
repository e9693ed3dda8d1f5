"""The page of all commands: those that are there, those that are refused, those that are missing.

:func:`render` takes the command table and its documentation and returns the text of ``docs/commands.md``.
Every name is on the page once as present or once as missing; a name that Redis does not have would be a
mistake in one of the tables, and is asserted against.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from durable_redis.commands.command_docs import CommandDoc
from durable_redis.commands.table import Command
from tools.docs.redis_commands import REDIS_COMMANDS
from tools.docs.refusals import NEVER, REFUSALS

WIDTH: Final = 120
TITLES: Final = {"hyperloglog": "HyperLogLog", "pubsub": "Pub/sub", "sorted-set": "Sorted set"}
_HEAD: Final = """\
# Commands

<!-- Made by `make docs` from the command table; change that, not this page. -->

What this server answers, beside the commands of Redis 7.2. `redis-cli` shows the same with `COMMAND DOCS`.
*Arity* counts the words of a call, the command's name included; a negative one is the least.
"""


def render(table: dict[str, Command], docs: dict[str, CommandDoc]) -> str:
    """The text of the page.  Every command of ``table`` must be in ``docs``."""
    present = every_command(table)
    known = {name for names in REDIS_COMMANDS.values() for name in names}
    assert present.keys() <= known, f"no commands of Redis: {sorted(present.keys() - known)}"
    parts = [_HEAD, "\n## Here\n"]
    for group, names in REDIS_COMMANDS.items():
        rows = [_row(present[name], docs[name]) for name in names if name in present]
        if rows:
            parts.append(f"\n### {title(group)}\n\n{_table_head()}" + "".join(rows))
    parts.append(_refused())
    parts.append(_missing(present))
    return "".join(parts)


def every_command(table: dict[str, Command]) -> dict[str, Command]:
    """Commands and subcommands by full name."""
    found = dict(table)
    for parent in table.values():
        found.update((child.name, child) for child in parent.subcommands.values())
    return found


def missing_in(names: tuple[str, ...], present: dict[str, Command]) -> Iterator[str]:
    """Those of ``names`` that are unknown to the server; CLUSTER answers for all of its subcommands."""
    for name in names:
        parent = present.get(name.partition("|")[0])
        answered_by_parent = parent is not None and not parent.subcommands
        if name not in present and not answered_by_parent:
            yield name


def title(group: str) -> str:
    """The heading of a group."""
    return TITLES.get(group, group.capitalize())


def shown(name: str) -> str:
    """A name as it is typed."""
    return name.replace("|", " ")


def _table_head() -> str:
    return "| command | arity | what it does | since | complexity |\n| --- | --- | --- | --- | --- |\n"


def _row(command: Command, doc: CommandDoc) -> str:
    cells = (f"`{shown(command.name)}`", str(command.arity), doc.summary, doc.since, doc.complexity)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _refused() -> str:
    rows = "".join(
        f"| {', '.join(f'`{call}`' for call in refusal.calls)} | `{refusal.answer}` | {refusal.reason} |\n"
        for refusal in REFUSALS
    )
    return (
        "\n## Here, and refused\n\n"
        "These are in the tables above, since tools ask for them; these calls are answered with an error:\n\n"
        "| call | answer | why |\n| --- | --- | --- |\n" + rows
    )


def _missing(present: dict[str, Command]) -> str:
    text = _paragraph(
        "A missing command is answered as any unknown name is: `ERR unknown command 'HSET', with args "
        "beginning with: …`, and a missing subcommand of a command that is there with `ERR unknown "
        "subcommand 'LIST'. Try ACL HELP.` Nothing is ever answered with a false OK."
    )
    parts = ["\n## Not there yet\n\n", text]
    for group, names in REDIS_COMMANDS.items():
        missing = [name for name in missing_in(names, present) if not _never(name)]
        if missing:
            parts.append("\n" + _paragraph(f"**{title(group)}**: " + ", ".join(map(shown, missing))))
    parts.append("\n## Not to come\n\n")
    parts += [f"- `{shown(name)}` {reason}.\n" for name, reason in NEVER.items()]
    return "".join(parts)


def _never(name: str) -> bool:
    return name in NEVER or name.partition("|")[0] in NEVER


def _paragraph(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"
