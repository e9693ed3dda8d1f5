"""ACL: users, what they may do, and what was denied.

The rules and their descriptions belong to ``acl/``, what changes for clients to ``engine/access.py``; here
are the words of the command.  Replies and errors are redis-server 7.0.15's.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from durable_redis.commands.context import Context
from durable_redis.commands.table import ADMIN, CATEGORIES, LOADING, NOSCRIPT, STALE, command, container
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply, SetReply

if TYPE_CHECKING:
    from durable_redis.acl.selector import Selector

PASSWORD_BITS: Final = 256
PASSWORD_BITS_MAX: Final = 4096
LOG_ENTRIES: Final = 10
BAD_BITS: Final = (
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to "
    f"{PASSWORD_BITS_MAX}"
)
_ANYBODY = NOSCRIPT | LOADING | STALE
_ADMIN = ADMIN | NOSCRIPT | LOADING | STALE

ACL: Final = container("ACL")


# -- users ---------------------------------------------------------------------------------------------------


@command("ACL|WHOAMI", arity=2, flags=_ANYBODY)
def acl_whoami(ctx: Context, argv: list[bytes]) -> Reply:
    """The name of the connection's user."""
    return ctx.client.user


@command("ACL|USERS", arity=2, flags=_ADMIN)
def acl_users(ctx: Context, argv: list[bytes]) -> Reply:
    """The names of all users."""
    return ctx.server.access.users.names()


@command("ACL|LIST", arity=2, flags=_ADMIN)
def acl_list(ctx: Context, argv: list[bytes]) -> Reply:
    """A line of rules for each user."""
    return ctx.server.access.users.lines()


@command("ACL|GETUSER", arity=3, flags=_ADMIN)
def acl_getuser(ctx: Context, argv: list[bytes]) -> Reply:
    """The rules of a user by kind; null if there is no such user."""
    user = ctx.server.access.users.by_name.get(argv[2])
    if user is None:
        return None
    reply: dict[bytes, Reply] = {b"flags": SetReply(user.flags()), b"passwords": list(user.passwords)}
    reply.update(_described(user.root))
    reply[b"selectors"] = [_described(selector) for selector in user.selectors]
    return reply


def _described(selector: Selector) -> dict[bytes, Reply]:
    return {
        b"commands": selector.describe_commands(),
        b"keys": selector.describe_keys(),
        b"channels": selector.describe_channels(),
    }


@command("ACL|SETUSER", arity=-3, flags=_ADMIN)
def acl_setuser(ctx: Context, argv: list[bytes]) -> Reply:
    """Change a user by rules, or make a new one; all of the rules count or none."""
    ctx.server.access.set_user(argv[2], argv[3:])
    return OK


@command("ACL|DELUSER", arity=-3, flags=_ADMIN)
def acl_deluser(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete users and close their connections; how many there were."""
    if b"default" in argv[2:]:
        raise ReplyError("ERR The 'default' user cannot be removed")
    return ctx.server.access.delete_users(argv[2:], ctx.client)


@command("ACL|LOAD", arity=2, flags=_ADMIN)
def acl_load(ctx: Context, argv: list[bytes]) -> Reply:
    """Read the users from the file again, all or none."""
    ctx.server.access.load_file(ctx.client)
    return OK


@command("ACL|SAVE", arity=2, flags=_ADMIN)
def acl_save(ctx: Context, argv: list[bytes]) -> Reply:
    """Write the users into the file."""
    ctx.server.access.save_file()
    return OK


# -- what may be done ----------------------------------------------------------------------------------------


@command("ACL|CAT", arity=-2, flags=_ANYBODY)
def acl_cat(ctx: Context, argv: list[bytes]) -> Reply:
    """The categories, or the commands of one."""
    if len(argv) > 3:
        raise _wrong_arguments(argv)
    if len(argv) == 2:
        return [category.encode() for category in CATEGORIES]
    catalog = ctx.server.access.users.catalog
    names = catalog.by_category.get(argv[2].decode("latin-1").lower())
    if names is None:
        raise ReplyError(f"ERR Unknown category '{shown(argv[2])}'")
    return [name.encode() for name in catalog.in_order(names)]


@command("ACL|DRYRUN", arity=-4, flags=_ADMIN)
def acl_dryrun(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether a user could run a command, without running it."""
    server = ctx.server
    user = server.access.users.by_name.get(argv[2])
    if user is None:
        raise ReplyError(f"ERR User '{shown(argv[2])}' not found")
    words = argv[3:]
    found = server.commands.get(words[0].decode("latin-1").upper())
    if found is not None and found.subcommands and len(words) > 1:
        found = found.subcommands.get(words[1].decode("latin-1").upper())
    if found is None:
        raise ReplyError(f"ERR Command '{shown(words[0])}' not found")
    if not found.accepts(len(words)):
        raise ReplyError(f"ERR wrong number of arguments for '{found.name.lower()}' command")
    denial = server.access.check(user, found, words)
    return OK if denial is None else denial.explanation


@command("ACL|LOG", arity=-2, flags=_ADMIN)
def acl_log(ctx: Context, argv: list[bytes]) -> Reply:
    """What was denied lately, or forget it."""
    if len(argv) > 3:
        raise _wrong_arguments(argv)
    log = ctx.server.access.log
    if len(argv) == 3 and argv[2].lower() == b"reset":
        log.clear()
        return OK
    count = LOG_ENTRIES if len(argv) == 2 else parse_integer(argv[2])
    if count is None:
        raise ReplyError(NOT_AN_INTEGER)
    return [
        {
            b"count": entry.count,
            b"reason": entry.reason.encode(),
            b"context": entry.context.encode(),
            b"object": entry.object,
            b"username": entry.username,
            b"age-seconds": max(ctx.now_ms - entry.time_ms, 0) / 1000,
            b"client-info": entry.client_info,
        }
        for entry in log.entries[: max(count, 0)]
    ]


@command("ACL|GENPASS", arity=-2, flags=_ANYBODY)
def acl_genpass(ctx: Context, argv: list[bytes]) -> Reply:
    """A random password in hex."""
    if len(argv) > 3:
        raise _wrong_arguments(argv)
    bits = PASSWORD_BITS if len(argv) == 2 else parse_integer(argv[2])
    if bits is None:
        raise ReplyError(NOT_AN_INTEGER)
    if not 0 < bits <= PASSWORD_BITS_MAX:
        raise ReplyError(BAD_BITS)
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


def _wrong_arguments(argv: list[bytes]) -> ReplyError:
    return ReplyError(
        f"ERR unknown subcommand or wrong number of arguments for '{shown(argv[1])}'. Try ACL HELP."
    )


@command("ACL|HELP", arity=2, flags=LOADING | STALE)
def acl_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CAT [<category>]",
        "    Name the categories of commands, or the commands of one.",
        "DELUSER <username> [<username> ...]",
        "    Delete users and close their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Tell whether a user could run a command, without running it.",
        "GENPASS [<bits>]",
        "    Make a random password, of 256 bits unless told otherwise.",
        "GETUSER <username>",
        "    Show a user's rules by kind.",
        "LIST",
        "    Show every user's rules, as files have them.",
        "LOAD",
        "    Read the users from the file of option aclfile again.",
        "LOG [<count> | RESET]",
        "    Show what was denied lately, or forget it.",
        "SAVE",
        "    Write the users into the file of option aclfile.",
        "SETUSER <username> <rule> [<rule> ...]",
        "    Change a user by rules, or make a new one.",
        "USERS",
        "    Name the users.",
        "WHOAMI",
        "    Name the connection's user.",
        "HELP",
        "    Show this text.",
    ]
