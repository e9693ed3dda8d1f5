"""The documents that are made from tables: ``python -m tools.docs`` writes ``docs/commands.md``.

What the server has is taken from its command table and the documentation files beside it, what Redis has
from ``redis_commands``, and what is refused on purpose from ``refusals``; ``commands_page`` puts them on one
page.  Rendering is a pure function, so ``--check`` and a test can say whether the page in the repository is
what would be written now.

The configuration file is not made here: the server prints it itself (``--print-config``).
"""
