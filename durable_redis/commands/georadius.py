"""GEORADIUS and its variants, the predecessors of GEOSEARCH.

They are one command each for "around a place" and "around a member", know circles only, and may store what
they find; the variants that end in ``_RO`` may not.  The search itself is that of ``geo_search.py``.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.geo_search import Search, run
from durable_redis.commands.table import (
    DENYOOM,
    MOVABLEKEYS,
    READ_KEY,
    READONLY,
    WRITE,
    KeySpec,
    command,
)
from durable_redis.errors import syntax_error
from durable_redis.resp.replies import Reply

_ACL: Final = ("geo",)
_PLACE_WORDS: Final = 6  # command key longitude latitude radius unit
_MEMBER_WORDS: Final = 5  # command key member radius unit


def _keys(start_from: int) -> tuple[KeySpec, ...]:
    """The key that is read, and the one behind STORE or STOREDIST."""
    words = ("STORE", "STOREDIST")
    return READ_KEY + tuple(KeySpec(("OW", "update"), ("keyword", word, start_from)) for word in words)


@command(
    "GEORADIUS",
    arity=-6,
    flags=WRITE | DENYOOM | MOVABLEKEYS,
    keys=_keys(_PLACE_WORDS),
    acl=_ACL,
)
def georadius(ctx: Context, argv: list[bytes]) -> Reply:
    """The members in a circle around a place, as a reply or as a sorted set."""
    return run(ctx, _around_place(ctx, argv, may_store=True))


@command("GEORADIUS_RO", arity=-6, flags=READONLY, keys=READ_KEY, acl=_ACL)
def georadius_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """The members in a circle around a place."""
    return run(ctx, _around_place(ctx, argv, may_store=False))


@command(
    "GEORADIUSBYMEMBER",
    arity=-5,
    flags=WRITE | DENYOOM | MOVABLEKEYS,
    keys=_keys(_MEMBER_WORDS),
    acl=_ACL,
)
def georadiusbymember(ctx: Context, argv: list[bytes]) -> Reply:
    """The members in a circle around one of them, as a reply or as a sorted set."""
    return run(ctx, _around_member(ctx, argv, may_store=True))


@command("GEORADIUSBYMEMBER_RO", arity=-5, flags=READONLY, keys=READ_KEY, acl=_ACL)
def georadiusbymember_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """The members in a circle around one of them."""
    return run(ctx, _around_member(ctx, argv, may_store=False))


def _around_place(ctx: Context, argv: list[bytes], *, may_store: bool) -> Search:
    search = Search(argv[0], ctx.sorted_set(argv[1]))
    search.take_place(argv[2], argv[3])
    search.take_circle(argv[4], argv[5])
    _read_options(search, argv[_PLACE_WORDS:], may_store=may_store)
    return search


def _around_member(ctx: Context, argv: list[bytes], *, may_store: bool) -> Search:
    search = Search(argv[0], ctx.sorted_set(argv[1]))
    if search.found is not None:
        search.take_member(argv[2])
        search.take_circle(argv[3], argv[4])
    _read_options(search, argv[_MEMBER_WORDS:], may_store=may_store)
    return search


def _read_options(search: Search, words: list[bytes], *, may_store: bool) -> None:
    at = 0
    while at < len(words):
        option = words[at].upper()
        taken = search.take_option(option, words[at + 1 :])
        if taken < 0:
            if not may_store or option not in (b"STORE", b"STOREDIST") or at + 1 == len(words):
                raise syntax_error()
            search.store = words[at + 1]
            search.store_distances = option == b"STOREDIST"
            taken = 1
        at += 1 + taken
    search.check_store("STORE option in GEORADIUS")
    search.check_any()
