"""What the operator sees: one line per finished cell, and on a terminal a live line that says what runs now.

Into a file or a pipe only the lines go, so a log stays readable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """One line per cell on the console that was passed in."""

    __slots__ = ("_console", "_started")

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def line(self, text: str) -> None:
        """Print one line, with the time since the start of the run."""
        seconds = int(time.monotonic() - self._started)
        self._console.print(f"{seconds // 60:3d}:{seconds % 60:02d}  {text}", markup=False, highlight=False)

    @contextmanager
    def live(self, text: str) -> Iterator[None]:
        """Show ``text`` while the block runs, where the console is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(text, spinner="line"):
            yield
