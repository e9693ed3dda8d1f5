"""CLIENT TRACKING and its kin: having the server say which cached keys have changed.

What a client asked for is in ``listening.py``, who is told what in ``engine/invalidation.py``.  The order in
which options are checked is Redis's; so are the texts.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.listening import Tracking
from durable_redis.commands.table import LOADING, NOSCRIPT, STALE, command
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown, syntax_error
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply, SetReply

_OWN = NOSCRIPT | LOADING | STALE
_SWITCH = (
    "ERR You can't switch {} mode{} before disabling tracking for this client, "
    "and then re-enabling it with a different mode."
)


@command("CLIENT|TRACKING", arity=-3, flags=_OWN, acl=("connection",))
def client_tracking(ctx: Context, argv: list[bytes]) -> Reply:
    """Begin to be told of keys that were read and have changed since, or end it."""
    wanted, prefixes = _parse(ctx, argv)
    switch = argv[2].upper()
    if switch == b"ON":
        _check(ctx.client.tracking, wanted, prefixes)
        if wanted.broadcast:
            wanted.prefixes = dict.fromkeys(prefixes or [b""])
        ctx.server.messages.invalidation.enable(ctx.client, wanted)
    elif switch == b"OFF":
        ctx.server.messages.invalidation.disable(ctx.client)
    else:
        raise syntax_error()
    ctx.server.refresh(ctx.client)
    return OK


def _parse(ctx: Context, argv: list[bytes]) -> tuple[Tracking, list[bytes]]:
    """The options as they stand, and the prefixes in their order."""
    wanted, prefixes = Tracking(), []
    words = iter(range(3, len(argv)))
    for at in words:
        option = argv[at].upper()
        if option in (b"REDIRECT", b"PREFIX") and at + 1 < len(argv):
            next(words)
            if option == b"PREFIX":
                prefixes.append(argv[at + 1])
            elif wanted.redirect:
                raise ReplyError("ERR A client can only redirect to a single other client")
            else:
                wanted.redirect = _redirect(ctx, argv[at + 1])
        elif option == b"BCAST":
            wanted.broadcast = True
        elif option == b"OPTIN":
            wanted.optin = True
        elif option == b"OPTOUT":
            wanted.optout = True
        elif option == b"NOLOOP":
            wanted.noloop = True
        else:
            raise syntax_error()
    return wanted, prefixes


def _redirect(ctx: Context, raw: bytes) -> int:
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    if number not in ctx.server.clients:
        raise ReplyError("ERR The client ID you want redirect to does not exist")
    return number


def _check(current: Tracking | None, wanted: Tracking, prefixes: list[bytes]) -> None:
    """Raise if options do not fit together, or not to how the client tracks already."""
    if prefixes and not wanted.broadcast:
        raise ReplyError("ERR PREFIX option requires BCAST mode to be enabled")
    if current is not None and current.broadcast != wanted.broadcast:
        raise ReplyError(_SWITCH.format("BCAST", " on/off"))
    if wanted.broadcast and (wanted.optin or wanted.optout):
        raise ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST")
    if wanted.optin and wanted.optout:
        raise ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode")
    if current is not None and ((wanted.optin and current.optout) or (wanted.optout and current.optin)):
        raise ReplyError(_SWITCH.format("OPTIN/OPTOUT", ""))
    for at, prefix in enumerate(prefixes):
        for other in current.prefixes if current is not None else ():
            if _overlap(prefix, other):
                raise _overlapping(prefix, "an existing prefix", other)
        for other in prefixes[at + 1 :]:
            if _overlap(prefix, other):
                raise _overlapping(prefix, "another provided prefix", other)


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _overlapping(prefix: bytes, what: str, other: bytes) -> ReplyError:
    return ReplyError(
        f"ERR Prefix '{shown(prefix)}' overlaps with {what} '{shown(other)}'. "
        "Prefixes for a single client must not overlap."
    )


@command("CLIENT|CACHING", arity=3, flags=_OWN, acl=("connection",))
def client_caching(ctx: Context, argv: list[bytes]) -> Reply:
    """Say of the next command whether what it reads is to be tracked, against what is usual."""
    tracking = ctx.client.tracking
    if tracking is None:
        raise ReplyError(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode "
            "with OPTIN or OPTOUT mode enabled"
        )
    word = argv[2].upper()
    if word not in (b"YES", b"NO"):
        raise syntax_error()
    if word == b"YES" and not tracking.optin:
        raise ReplyError("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
    if word == b"NO" and not tracking.optout:
        raise ReplyError("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
    tracking.caching = True
    return OK


@command("CLIENT|GETREDIR", arity=2, flags=_OWN, acl=("connection",))
def client_getredir(ctx: Context, argv: list[bytes]) -> Reply:
    """The client that gets the invalidation messages: 0 for this one itself, -1 if it does not track."""
    tracking = ctx.client.tracking
    return -1 if tracking is None else tracking.redirect


@command("CLIENT|TRACKINGINFO", arity=2, flags=_OWN, acl=("connection",))
def client_trackinginfo(ctx: Context, argv: list[bytes]) -> Reply:
    """How the client tracks keys."""
    tracking = ctx.client.tracking
    if tracking is None:
        return {b"flags": SetReply([b"off"]), b"redirect": -1, b"prefixes": []}
    flags = (
        (b"on", True),
        (b"bcast", tracking.broadcast),
        (b"optin", tracking.optin),
        (b"caching-yes", tracking.optin and tracking.caching),
        (b"optout", tracking.optout),
        (b"caching-no", tracking.optout and tracking.caching),
        (b"noloop", tracking.noloop),
        (b"broken_redirect", tracking.broken),
    )
    return {
        b"flags": SetReply(name for name, holds in flags if holds),
        b"redirect": tracking.redirect,
        b"prefixes": sorted(tracking.prefixes),
    }
