"""The command line: ``python -m tools.docs`` writes the pages, with ``--check`` it only compares.

Exit codes: 0 written or equal, 1 a page differs from what would be written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from durable_redis.commands import build_commands
from durable_redis.commands.command_docs import load_docs
from tools.docs.commands_page import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def main(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.docs", description="Write docs/commands.md from the command table."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page (default: docs/commands.md)")
    options = parser.parse_args(arguments)
    page: Path = options.output
    text = render(build_commands(), load_docs())
    if options.check:
        if page.is_file() and page.read_text("utf-8") == text:
            return 0
        print(f"docs: {page.name} is out of date: run make docs", file=sys.stderr)
        return 1
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
