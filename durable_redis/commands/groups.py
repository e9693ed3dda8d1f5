"""The modules that declare commands, in the order in which COMMAND lists them.

Adding a group is one line here.  Importing this module registers nothing: ``table.build_table`` reads the
declarations.
"""

from __future__ import annotations

from types import ModuleType

from durable_redis.commands import (
    bitfield,
    bitmaps,
    blocking_pops,
    client,
    client_list,
    command_command,
    configuration,
    connection,
    databases,
    debug,
    expiry,
    generic,
    hashes,
    info,
    iteration,
    lcs,
    list_pops,
    lists,
    memory,
    not_built,
    objects,
    saving,
    server,
    sets,
    sets_algebra,
    sort,
    sorted_set_algebra,
    sorted_set_ranges,
    sorted_sets,
    strings,
    waiting,
)

MODULES: tuple[ModuleType, ...] = (
    strings,
    lcs,
    bitmaps,
    bitfield,
    hashes,
    lists,
    list_pops,
    sets,
    sets_algebra,
    sorted_sets,
    sorted_set_ranges,
    sorted_set_algebra,
    blocking_pops,
    generic,
    sort,
    expiry,
    iteration,
    objects,
    databases,
    connection,
    client,
    client_list,
    waiting,
    command_command,
    server,
    configuration,
    saving,
    info,
    memory,
    debug,
    not_built,
)
