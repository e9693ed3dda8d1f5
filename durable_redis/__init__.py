"""Durable Redis: a server that speaks Redis and never loses an acknowledged write."""

__version__ = "0.1.0"
REDIS_VERSION = "7.0.15"  # the version whose commands and replies this server has
