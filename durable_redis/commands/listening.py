"""What a client listens to: subscriptions, and keys that it wants to hear of (client-side caching).

A client that listens to nothing has None in place of these, so it costs nothing.  The registries that find
the clients of a channel or a key are in ``engine/pubsub.py`` and ``engine/invalidation.py``; they and what is
noted here change together.
"""

from __future__ import annotations


class Subscriptions:
    """The channels, patterns and shard channels of one client, in the order in which they came."""

    __slots__ = ("channels", "patterns", "shard_channels")

    def __init__(self) -> None:
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}

    @property
    def empty(self) -> bool:
        """Whether the client is subscribed to nothing."""
        return not (self.channels or self.patterns or self.shard_channels)


class Tracking:
    """How a client tracks keys, as CLIENT TRACKING set it up.

    ``redirect`` is the client that gets the messages, 0 for the client itself; ``caching`` says that CLIENT
    CACHING was called just now; ``broken`` that ``redirect`` has been found gone.
    """

    __slots__ = ("broadcast", "broken", "caching", "noloop", "optin", "optout", "prefixes", "redirect")

    def __init__(self) -> None:
        self.redirect = 0
        self.broadcast = False
        self.optin = False
        self.optout = False
        self.noloop = False
        self.caching = False
        self.broken = False
        self.prefixes: dict[bytes, None] = {}  # with ``broadcast``; the empty one is for every key

    @property
    def remembers(self) -> bool:
        """Whether the keys of the command that is executing now are to be remembered."""
        if self.optin:
            return self.caching
        return not (self.broadcast or (self.optout and self.caching))
