"""Commands that tools send and that are not built: each says so, under its real name.

An unknown command would send people looking for a typing error, and an empty reply would be a lie; the
declarations are Redis's own, so arity, flags and categories are already right.  A command leaves this
module when it is built. Cluster commands answer what every Redis without cluster mode answers.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.table import FAST, LOADING, STALE, command
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import Reply


@command("CLUSTER", arity=-2)
@command("ASKING", arity=1, flags=FAST, acl=("connection",))
@command("READONLY", arity=1, flags=LOADING | STALE | FAST, acl=("connection",))
@command("READWRITE", arity=1, flags=LOADING | STALE | FAST, acl=("connection",))
def cluster(ctx: Context, argv: list[bytes]) -> Reply:
    """There are no slots to speak of."""
    raise ReplyError("ERR This instance has cluster support disabled")
