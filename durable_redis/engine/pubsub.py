"""Who is subscribed to what, and handing messages to them.

A message is encoded once per protocol and the bytes are shared by all receivers.  They are appended to each
client's ``out`` behind what is there already; the client is noted in ``pushed``, so that ``net`` sends at the
end of the batch what it has not asked for.  So messages leave when the batch's log is durable, like replies.

The order is Redis's: first those who are subscribed to the channel, in the order in which they subscribed,
then those of each pattern that fits, patterns in the order in which they came into use.  Shard channels are
apart from the others and know no patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from durable_redis.commands.listening import Subscriptions
from durable_redis.commands.session import REPLY_ON, Client, Kept
from durable_redis.glob import compile_glob, glob_match
from durable_redis.resp.encoder import encode_bytes
from durable_redis.resp.replies import Push

Fits = Callable[[bytes], bool]
Clients = dict[Client, None]


class PubSub:
    """The registry of one server.  ``pushed`` collects the clients to which something was appended."""

    def __init__(self, pushed: set[Client]) -> None:
        self.channels: dict[bytes, Clients] = {}
        self.shard_channels: dict[bytes, Clients] = {}
        self.patterns: dict[bytes, tuple[Fits, Clients]] = {}
        self.pushed = pushed

    # -- messages --------------------------------------------------------------------------------------------

    def publish(self, channel: bytes, message: bytes) -> int:
        """Send a message to a channel; how many receivers there are, a client once for each way to it."""
        receivers = 0
        clients = self.channels.get(channel)
        if clients:
            receivers = self._send(clients, Push((b"message", channel, message)))
        for pattern, (fits, clients) in self.patterns.items():
            if fits(channel):
                receivers += self._send(clients, Push((b"pmessage", pattern, channel, message)))
        return receivers

    def publish_to_shard(self, channel: bytes, message: bytes) -> int:
        """Send a message to a shard channel; how many receivers there are."""
        clients = self.shard_channels.get(channel)
        return self._send(clients, Push((b"smessage", channel, message))) if clients else 0

    def _send(self, clients: Clients, message: Push) -> int:
        encoded = (encode_bytes(message, 2), encode_bytes(message, 3))
        for client in clients:
            client.push(encoded[client.protocol - 2])
        self.pushed.update(clients)
        return len(clients)

    def push(self, client: Client, data: bytes) -> None:
        """Send a client bytes that it has not asked for."""
        client.push(data)
        self.pushed.add(client)

    def answer(self, client: Client, data: bytes) -> None:
        """Send the client whose command is being executed bytes that are its even when replies are off."""
        client.out.append(data if client.reply_mode == REPLY_ON else Kept(data))

    # -- subscriptions ---------------------------------------------------------------------------------------

    def subscribe(self, client: Client, channel: bytes) -> None:
        """Let a client have what is published to a channel."""
        self.channels.setdefault(channel, {})[client] = None
        _of(client).channels[channel] = None

    def subscribe_shard(self, client: Client, channel: bytes) -> None:
        """Let a client have what is published to a shard channel."""
        self.shard_channels.setdefault(channel, {})[client] = None
        _of(client).shard_channels[channel] = None

    def subscribe_pattern(self, client: Client, pattern: bytes) -> None:
        """Let a client have what is published to the channels that fit a pattern."""
        if pattern not in self.patterns:
            self.patterns[pattern] = channel_predicate(pattern), {}
        self.patterns[pattern][1][client] = None
        _of(client).patterns[pattern] = None

    def unsubscribe(self, client: Client, channel: bytes) -> None:
        """End a subscription, if there is one."""
        subscriptions = client.subscriptions
        if subscriptions is not None:
            subscriptions.channels.pop(channel, None)
            _remove(self.channels, channel, client)
            _settle(client)

    def unsubscribe_shard(self, client: Client, channel: bytes) -> None:
        """End a subscription to a shard channel, if there is one."""
        subscriptions = client.subscriptions
        if subscriptions is not None:
            subscriptions.shard_channels.pop(channel, None)
            _remove(self.shard_channels, channel, client)
            _settle(client)

    def unsubscribe_pattern(self, client: Client, pattern: bytes) -> None:
        """End a subscription to a pattern, if there is one."""
        subscriptions = client.subscriptions
        if subscriptions is not None:
            subscriptions.patterns.pop(pattern, None)
            self._remove_pattern(pattern, client)
            _settle(client)

    def leave(self, client: Client) -> None:
        """End all subscriptions of a client."""
        subscriptions, client.subscriptions = client.subscriptions, None
        if subscriptions is None:
            return
        for channel in subscriptions.channels:
            _remove(self.channels, channel, client)
        for channel in subscriptions.shard_channels:
            _remove(self.shard_channels, channel, client)
        for pattern in subscriptions.patterns:
            self._remove_pattern(pattern, client)

    def _remove_pattern(self, pattern: bytes, client: Client) -> None:
        found = self.patterns.get(pattern)
        if found is not None:
            found[1].pop(client, None)
            if not found[1]:
                del self.patterns[pattern]

    # -- looking ---------------------------------------------------------------------------------------------

    def active_channels(self, pattern: bytes | None) -> list[bytes]:
        """The channels with subscribers, or those of them that fit a pattern."""
        return _fitting(self.channels, pattern)

    def active_shard_channels(self, pattern: bytes | None) -> list[bytes]:
        """The shard channels with subscribers, or those of them that fit a pattern."""
        return _fitting(self.shard_channels, pattern)

    def subscribers(self, channel: bytes) -> int:
        """How many clients are subscribed to a channel, patterns not counted."""
        return len(self.channels.get(channel, ()))

    def shard_subscribers(self, channel: bytes) -> int:
        """How many clients are subscribed to a shard channel."""
        return len(self.shard_channels.get(channel, ()))


def channel_predicate(pattern: bytes) -> Fits:
    """Which channels fit a pattern; unlike a key, a channel without a name does not fit a star."""
    fits = compile_glob(pattern)
    fits_nothing = glob_match(pattern, b"")
    return lambda channel: fits(channel) if channel else fits_nothing


def _fitting(channels: Iterable[bytes], pattern: bytes | None) -> list[bytes]:
    return list(channels if pattern is None else filter(channel_predicate(pattern), channels))


def _of(client: Client) -> Subscriptions:
    if client.subscriptions is None:
        client.subscriptions = Subscriptions()
    return client.subscriptions


def _settle(client: Client) -> None:
    """A client without subscriptions is as if it had never had any."""
    if client.subscriptions is not None and client.subscriptions.empty:
        client.subscriptions = None


def _remove(channels: dict[bytes, Clients], channel: bytes, client: Client) -> None:
    clients = channels.get(channel)
    if clients is not None:
        clients.pop(client, None)
        if not clients:
            del channels[channel]
