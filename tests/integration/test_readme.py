"""What the README shows can be typed: make targets, console commands and their options are there."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from durable_redis.config.command_line import Action, parse_command_line

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
MAKEFILE = (REPOSITORY / "Makefile").read_text("utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
FOREIGN = {"redis-cli", "redis-benchmark", "kill"}
PLACEHOLDER = "["


def scripts() -> dict[str, str]:
    """Console commands of the package."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, str] = project["scripts"]
    return found


def words_of(line: str) -> list[str]:
    """The words of a console line, without its comment."""
    return shlex.split(line, comments=True)


def targets() -> set[str]:
    """The targets of the Makefile that are not files."""
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_make_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join([*LINES, *re.findall(r"`([^`\n]+)`", README)])))
    assert {"run", "test", "bench"} <= named
    assert named <= targets()


def test_the_makefile_explains_targets_that_exist() -> None:
    explained = set(re.findall(r"^# make ([a-z-]+) ", MAKEFILE, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert explained
    assert explained <= targets() == set(phony[1].split())


def test_every_command_shown_is_known() -> None:
    assert LINES
    programs = {words_of(line)[0] for line in LINES}
    assert programs - FOREIGN <= scripts().keys() | {"make"}


def test_console_commands_lead_to_functions() -> None:
    for target in scripts().values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.startswith("durable-redis-server") and PLACEHOLDER not in line]
)
def test_options_shown_are_taken(line: str) -> None:
    arguments = words_of(line.partition(" > ")[0])[1:]
    invocation = parse_command_line(arguments, lambda: b"")
    assert invocation.action is (Action.PRINT if "--print-config" in arguments else Action.SERVE)


def test_other_options_named_in_the_readme_are_taken() -> None:
    for name, value in re.findall(r"`--([a-z-]+) ([\w.]+)`", README):
        parse_command_line([f"--{name}", value], lambda: b"")


def test_continuous_integration_calls_what_the_readme_names() -> None:
    assert "\nmake test\n" in (REPOSITORY / ".ci" / "run").read_text("utf-8")
