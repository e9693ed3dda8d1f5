"""Options: one table, their values, the configuration file and the command line.

A leaf: it knows what options are called and what they may be, not what they do.  ``options.py`` is the
table, ``config.py`` the values, ``file.py`` and ``command_line.py`` read settings, ``rewrite.py`` writes
them back, ``reference.py`` renders the shipped ``config/durable-redis.conf``.
"""
