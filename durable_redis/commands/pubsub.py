"""Publish and subscribe: messages to whoever listens now, kept nowhere.

The registry is ``engine/pubsub.py``.  A command of the SUBSCRIBE family is not answered by one reply but by
a message for each channel, in RESP3 a push; these are sent even where CLIENT REPLY has switched replies off,
as in Redis.  A RESP2 client that is subscribed may do little else: the engine's gates see to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.listening import Subscriptions
from durable_redis.commands.table import (
    FAST,
    LOADING,
    MAY_REPLICATE,
    NOSCRIPT,
    PUBSUB,
    STALE,
    command,
    container,
    key_spec,
)
from durable_redis.errors import ReplyError, shown
from durable_redis.resp.encoder import encode_bytes
from durable_redis.resp.replies import NO_REPLY, Push, Reply

PUBSUB_COMMAND: Final = container("PUBSUB")
_LISTEN: Final = PUBSUB | NOSCRIPT | LOADING | STALE
_PUBLISH: Final = PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE
_LOOK: Final = PUBSUB | LOADING | STALE
_SHARD_CHANNELS: Final = (key_spec("not_key", last=-1),)


# -- publishing ----------------------------------------------------------------------------------------------


@command("PUBLISH", arity=3, flags=_PUBLISH)
def publish(ctx: Context, argv: list[bytes]) -> Reply:
    """Send a message to a channel; how many received it."""
    return ctx.server.messages.pubsub.publish(argv[1], argv[2])


@command("SPUBLISH", arity=3, flags=_PUBLISH, keys=(key_spec("not_key"),))
def spublish(ctx: Context, argv: list[bytes]) -> Reply:
    """Send a message to a shard channel; how many received it."""
    return ctx.server.messages.pubsub.publish_to_shard(argv[1], argv[2])


# -- subscribing ---------------------------------------------------------------------------------------------


@command("SUBSCRIBE", arity=-2, flags=_LISTEN)
def subscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Have what is published to some channels from now on."""
    for channel in argv[1:]:
        ctx.server.messages.pubsub.subscribe(ctx.client, channel)
        _confirm(ctx, b"subscribe", channel, _count(ctx))
    return _changed(ctx)


@command("PSUBSCRIBE", arity=-2, flags=_LISTEN)
def psubscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Have what is published to the channels that fit some patterns."""
    for pattern in argv[1:]:
        ctx.server.messages.pubsub.subscribe_pattern(ctx.client, pattern)
        _confirm(ctx, b"psubscribe", pattern, _count(ctx))
    return _changed(ctx)


@command("SSUBSCRIBE", arity=-2, flags=_LISTEN, keys=_SHARD_CHANNELS)
def ssubscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Have what is published to some shard channels from now on."""
    for channel in argv[1:]:
        ctx.server.messages.pubsub.subscribe_shard(ctx.client, channel)
        _confirm(ctx, b"ssubscribe", channel, _shard_count(ctx))
    return _changed(ctx)


@command("UNSUBSCRIBE", arity=-1, flags=_LISTEN)
def unsubscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Hear no more of some channels, or of all that were subscribed to by name."""
    channels = argv[1:] or list(_subscriptions(ctx).channels)
    return _unsubscribe(ctx, b"unsubscribe", channels, ctx.server.messages.pubsub.unsubscribe, _count)


@command("PUNSUBSCRIBE", arity=-1, flags=_LISTEN)
def punsubscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Hear no more of some patterns, or of all."""
    patterns = argv[1:] or list(_subscriptions(ctx).patterns)
    return _unsubscribe(
        ctx, b"punsubscribe", patterns, ctx.server.messages.pubsub.unsubscribe_pattern, _count
    )


@command("SUNSUBSCRIBE", arity=-1, flags=_LISTEN, keys=_SHARD_CHANNELS)
def sunsubscribe(ctx: Context, argv: list[bytes]) -> Reply:
    """Hear no more of some shard channels, or of all."""
    channels = argv[1:] or list(_subscriptions(ctx).shard_channels)
    return _unsubscribe(
        ctx, b"sunsubscribe", channels, ctx.server.messages.pubsub.unsubscribe_shard, _shard_count
    )


def _unsubscribe(
    ctx: Context,
    kind: bytes,
    names: list[bytes],
    leave: Callable[..., None],
    count: Callable[[Context], int],
) -> Reply:
    for name in names:
        leave(ctx.client, name)
        _confirm(ctx, kind, name, count(ctx))
    if not names:
        _confirm(ctx, kind, None, count(ctx))
    return _changed(ctx)


def _subscriptions(ctx: Context) -> Subscriptions:
    return ctx.client.subscriptions or Subscriptions()


def _count(ctx: Context) -> int:
    subscriptions = _subscriptions(ctx)
    return len(subscriptions.channels) + len(subscriptions.patterns)


def _shard_count(ctx: Context) -> int:
    return len(_subscriptions(ctx).shard_channels)


def _confirm(ctx: Context, kind: bytes, name: bytes | None, count: int) -> None:
    message = encode_bytes(Push((kind, name, count)), ctx.client.protocol)
    ctx.server.messages.pubsub.answer(ctx.client, message)


def _changed(ctx: Context) -> Reply:
    """The end of each of these commands: a RESP2 client may do other things now than before."""
    ctx.server.refresh(ctx.client)
    return NO_REPLY


# -- looking -------------------------------------------------------------------------------------------------


@command("PUBSUB|CHANNELS", arity=-2, flags=_LOOK)
def pubsub_channels(ctx: Context, argv: list[bytes]) -> Reply:
    """The channels that somebody is subscribed to, or those of them that fit a pattern."""
    return ctx.server.messages.pubsub.active_channels(_only_pattern(argv))


@command("PUBSUB|SHARDCHANNELS", arity=-2, flags=_LOOK)
def pubsub_shardchannels(ctx: Context, argv: list[bytes]) -> Reply:
    """The shard channels that somebody is subscribed to, or those of them that fit a pattern."""
    return ctx.server.messages.pubsub.active_shard_channels(_only_pattern(argv))


@command("PUBSUB|NUMSUB", arity=-2, flags=_LOOK)
def pubsub_numsub(ctx: Context, argv: list[bytes]) -> Reply:
    """How many clients are subscribed to each of some channels, patterns not counted."""
    subscribers = ctx.server.messages.pubsub.subscribers
    return [word for channel in argv[2:] for word in (channel, subscribers(channel))]


@command("PUBSUB|SHARDNUMSUB", arity=-2, flags=_LOOK)
def pubsub_shardnumsub(ctx: Context, argv: list[bytes]) -> Reply:
    """How many clients are subscribed to each of some shard channels."""
    subscribers = ctx.server.messages.pubsub.shard_subscribers
    return [word for channel in argv[2:] for word in (channel, subscribers(channel))]


@command("PUBSUB|NUMPAT", arity=2, flags=_LOOK)
def pubsub_numpat(ctx: Context, argv: list[bytes]) -> Reply:
    """How many patterns there are, each counted once whoever is subscribed to it."""
    return len(ctx.server.messages.pubsub.patterns)


@command("PUBSUB|HELP", arity=2, flags=LOADING | STALE)
def pubsub_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Channels that somebody is subscribed to by name; of those, the ones that fit a pattern.",
        "NUMPAT",
        "    How many different patterns clients are subscribed to.",
        "NUMSUB [<channel> [<channel> ...]]",
        "    How many clients are subscribed to each of these channels by name.",
        "SHARDCHANNELS [<pattern>]",
        "    Like CHANNELS, for shard channels.",
        "SHARDNUMSUB [<shardchannel> [<shardchannel> ...]]",
        "    Like NUMSUB, for shard channels.",
        "HELP",
        "    Show this text.",
    ]


def _only_pattern(argv: list[bytes]) -> bytes | None:
    """The pattern behind a subcommand, if there is one; raises if there is more."""
    if len(argv) > 3:
        word = shown(argv[1], 128)
        raise ReplyError(
            f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
        )
    return argv[2] if len(argv) == 3 else None
