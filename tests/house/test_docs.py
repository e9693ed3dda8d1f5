"""What is claimed is written, and what is written is true: pages, README, options, dependencies."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from durable_redis.commands import build_commands
from durable_redis.commands.command_docs import load_docs
from durable_redis.commands.table import Command
from durable_redis.config.option import State
from durable_redis.config.options import OPTIONS
from tests.support.client import ErrorReply
from tests.support.oracle_commands import FIELD_EXPIRY
from tests.support.servers import OracleServer
from tests.support.whole_engine import WholeEngine
from tools.docs.__main__ import PAGE, main
from tools.docs.commands_page import every_command, missing_in, render, shown
from tools.docs.redis_commands import REDIS_COMMANDS
from tools.docs.refusals import NEVER, REFUSALS, Refusal

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
NAMED_FILES = sorted({name for name in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in name})
MEASURED = {"docs/benchmarks.md": "make bench"}
NEWER_THAN_ORACLE = {"WAITAOF", "CLIENT|NO-TOUCH", "CLIENT|SETINFO", "CLUSTER|MYSHARDID"} | FIELD_EXPIRY
PYTHON_FILES = sorted(
    path for package in ("durable_redis", "storage", "tools") for path in (REPOSITORY / package).rglob("*.py")
)


@pytest.fixture(scope="module")
def commands() -> dict[str, Command]:
    return every_command(build_commands())


def error_of(reply: object) -> str:
    """The text of an error reply; anything else fails."""
    assert isinstance(reply, ErrorReply), f"answered with {reply!r}"
    return reply.decode()


def test_the_page_of_commands_is_what_would_be_written() -> None:
    assert PAGE.read_text("utf-8") == render(build_commands(), load_docs()), "run make docs"


def test_check_sees_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    assert main(["--check", "--output", str(page)]) == 1
    assert main(["--output", str(page)]) == 0
    assert main(["--check", "--output", str(page)]) == 0
    page.write_text(page.read_text("utf-8").replace("`GETBIT`", "`GETBITS`"), "utf-8")
    assert main(["--check", "--output", str(page)]) == 1
    assert "make docs" in capsys.readouterr().err


def test_every_command_is_documented_and_in_its_group(commands: dict[str, Command]) -> None:
    docs = load_docs()
    assert commands.keys() == docs.keys()
    groups = {name: group for group, names in REDIS_COMMANDS.items() for name in names}
    assert {name: docs[name].group for name in commands} == {name: groups[name] for name in commands}


def test_every_present_command_has_a_row(commands: dict[str, Command]) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| -?\d+ \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(map(shown, commands))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.calls[0])
def test_refused_calls_are_answered_as_the_page_says(refusal: Refusal) -> None:
    engine = WholeEngine()
    for call in refusal.calls:
        assert error_of(engine.call(*call.split())) == refusal.answer, call


def test_whatever_is_declared_as_not_built_is_on_the_page(commands: dict[str, Command]) -> None:
    listed = [call for refusal in REFUSALS for call in refusal.calls]
    for name, command in commands.items():
        handler = command.handler
        if handler is not None and handler.__module__.endswith(".not_built") and not name.endswith("|HELP"):
            assert any(f"{call} ".startswith(f"{shown(name)} ") for call in listed), name


def test_missing_commands_are_unknown(commands: dict[str, Command]) -> None:
    engine = WholeEngine()
    for names in REDIS_COMMANDS.values():
        for name in missing_in(names, commands):
            first, _, second = name.partition("|")
            expected = (
                f"ERR unknown subcommand '{second}'. Try {first} HELP."
                if first in commands
                else f"ERR unknown command '{first}', with args beginning with: "
            )
            assert error_of(engine.call(*name.split("|"))).startswith(expected), name


def test_what_will_not_come_is_missing(commands: dict[str, Command]) -> None:
    missing = {name for names in REDIS_COMMANDS.values() for name in missing_in(names, commands)}
    assert NEVER.keys() <= missing


@pytest.mark.differential
def test_no_command_of_redis_is_forgotten(oracle: OracleServer, commands: dict[str, Command]) -> None:
    with oracle.client() as client:
        theirs = {name.decode().upper() for name in client.call("COMMAND", "LIST")}
    known = {name for names in REDIS_COMMANDS.values() for name in names}
    assert theirs
    assert theirs - known == set()
    assert not {name for name in commands.keys() - theirs if "|" not in name} - NEWER_THAN_ORACLE


def test_every_option_is_in_the_configuration_file() -> None:
    text = (REPOSITORY / "config" / "durable-redis.conf").read_text("utf-8")
    written = {line.split()[0] for line in text.splitlines() if line and not line.startswith("#")}
    expected = {option.name for option in OPTIONS if option.state is State.SUPPORTED and not option.hidden}
    assert written == expected


@pytest.mark.parametrize("name", NAMED_FILES)
def test_files_that_the_readme_names_exist(name: str) -> None:
    if name in MEASURED and not (REPOSITORY / name).exists():
        pytest.skip(f"{name} is not there yet: {MEASURED[name]} writes it")
    assert (REPOSITORY / name).is_file()


def test_the_readme_names_files() -> None:
    assert {"docs/commands.md", "storage/FORMAT.md", "config/durable-redis.conf"} <= set(NAMED_FILES)


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_packages_and_modules_say_what_they_are_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_dependencies_are_explained() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    text = (REPOSITORY / "docs" / "dependencies.md").read_text("utf-8")
    rows = set(re.findall(r"^\| ([\w-]+) \|", text, re.MULTILINE)) - {"package", "---"}
    assert rows == {package_of(line) for line in project["dependencies"]}
    (development,) = re.findall(r"^For development: (.+)$", text, re.MULTILINE)
    for line in project["optional-dependencies"]["dev"]:
        assert re.search(rf"\b{re.escape(package_of(line))}\b", development), line


def package_of(requirement: str) -> str:
    """The name in a requirement."""
    found = re.match(r"[\w-]+", requirement)
    assert found, requirement
    return found[0]
