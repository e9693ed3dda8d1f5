"""The rules of the house, checked on the syntax trees of all modules.

Layers import downwards only, each foreign library stays in its corner, nothing below ``net`` is
asynchronous, nobody sleeps or prints, no module is dead, and each opens by saying what it is for.  The
helpers are tried on small sources first, so that a rule which no longer sees anything does not pass in
silence.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("durable_redis", "storage")
LINES_MAX = 500

# A layer imports the layers behind it and itself; what stands in one tuple stands side by side.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("net",),
    ("engine", "replication", "persistence"),
    ("acl",),
    ("scripting",),
    ("commands",),
    ("keyspace",),
    ("objects",),
    ("storage",),
)
LEAVES = frozenset({"resp", "errors", "config", "clock", "glob", "heap", "__init__"})
HOME_OF = {
    "trio": ("durable_redis/net/",),
    "plyvel": ("storage/backends/",),
    "lmdb": ("storage/backends/",),
    "threading": ("durable_redis/net/", "storage/"),
    "concurrent": ("durable_redis/net/", "storage/"),
    "asyncio": (),
}
MAY_SLEEP = {"durable_redis/commands/debug.py": "DEBUG SLEEP stops the server: that is what it is for"}
ENTRY_POINTS = frozenset({"durable_redis.__main__", "durable_redis.cli"})


def module_paths() -> list[Path]:
    """Every module of the product."""
    return sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def relative(path: Path) -> str:
    """A path as the messages name it."""
    return path.relative_to(REPOSITORY).as_posix()


def module_name(path: Path) -> str:
    """The dotted name a module is imported by."""
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING``: a name for the type checker is not a dependency."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def imported_modules(tree: ast.AST, name: str, *, is_package: bool = False) -> Iterator[str]:
    """Dotted names of all imports, late ones included; ``from a import b`` yields ``a`` and ``a.b``."""
    for node in statements_that_run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")[
                    : None if is_package and node.level == 1 else -node.level + is_package
                ]
                base = ".".join([*parents, base] if base else parents)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> str:
    """The layer of a module of ours, by its dotted name."""
    parts = name.split(".")
    if parts[0] == "storage":
        return "storage"
    return parts[1] if len(parts) > 1 and not parts[1].startswith("__v") else "__init__"


def may_import(importer: str, imported: str) -> bool:
    """Whether one layer may import another."""
    if importer == imported or imported in LEAVES or imported.isupper():  # a constant of the root package
        return importer != "storage" or imported == "storage"
    if importer in LEAVES:
        return False
    ranks = {layer: rank for rank, layers in enumerate(LAYERS) for layer in layers}
    return ranks[importer] < ranks[imported]


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call of a plain name or attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield node.lineno, function.id
            elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                yield node.lineno, f"{function.value.id}.{function.attr}"


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text("utf-8"), str(path))


every_module = pytest.mark.parametrize("path", module_paths(), ids=relative)


@every_module
def test_imports_point_down(path: Path) -> None:
    name = module_name(path)
    layer = layer_of(name)
    wrong = sorted(
        {
            f"{layer} imports {layer_of(found)} ({found})"
            for found in imported_modules(tree_of(path), name, is_package=path.name == "__init__.py")
            if found.split(".")[0] in PACKAGES
            and not (found in PACKAGES and found != "storage")
            and not may_import(layer, layer_of(found))
        }
    )
    assert not wrong, f"{relative(path)}: {wrong}"


@every_module
def test_libraries_stay_at_home(path: Path) -> None:
    place = relative(path)
    tops = {found.split(".")[0] for found in imported_modules(tree_of(path), module_name(path))}
    for library, homes in HOME_OF.items():
        if library in tops:
            assert place.startswith(tuple(homes)), (
                f"{place} imports {library}, which belongs into {homes or 'no module'}"
            )


@every_module
def test_no_async_below_net(path: Path) -> None:
    if relative(path).startswith("durable_redis/net/"):
        return
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    lines = [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]
    assert not lines, f"{relative(path)} is asynchronous in lines {lines}"


@every_module
def test_nobody_sleeps_or_prints(path: Path) -> None:
    allowed = {"print"} if layer_of(module_name(path)) in ("cli", "__main__") else set()
    banned = {"print", "breakpoint", "exec", "eval"} - allowed
    if relative(path).startswith("durable_redis/") and relative(path) not in MAY_SLEEP:
        banned |= {"time.sleep", "sleep"}
    found = [(line, name) for line, name in calls(tree_of(path)) if name in banned]
    assert not found, f"{relative(path)}: {found}"


@every_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = tree_of(path)
    if path.name == "__init__.py" and not tree.body:
        return
    assert ast.get_docstring(tree), f"{relative(path)} has no docstring"


@every_module
def test_a_file_is_one_idea(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LINES_MAX, f"{relative(path)} has {lines} lines: it is two ideas, split it"


@every_module
def test_nothing_global_is_changed(path: Path) -> None:
    lines = [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Global)]
    assert not lines, f"{relative(path)} uses global in lines {lines}"


def test_no_module_is_dead() -> None:
    """Each module is imported by another one, or is where a process begins."""
    used = set(ENTRY_POINTS)
    for path in [*module_paths(), *(REPOSITORY / "tools").rglob("*.py")]:
        name = module_name(path)
        names = set(imported_modules(tree_of(path), name, is_package=path.name == "__init__.py"))
        used |= names - {name}
    dead = [
        relative(path)
        for path in module_paths()
        if path.name != "__init__.py"
        and module_name(path) not in used
        and not started_as_a_process(module_name(path))
    ]
    assert not dead, f"never imported: {dead}"


def started_as_a_process(name: str) -> bool:
    """Whether some module starts this one with ``python -m``."""
    return any(f'"{name}"' in path.read_text("utf-8") for path in module_paths())


def test_modules_import_without_starting_anything() -> None:
    """Importing opens no thread and no socket: there is only code of ours behind it."""
    statements = (ast.For, ast.While, ast.With, ast.Try)
    for path in module_paths():
        if path.name == "__main__.py":
            continue
        loops = [node.lineno for node in tree_of(path).body if isinstance(node, statements)]
        assert not loops, f"{relative(path)} does work on import in lines {loops}"


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("net", "engine", True),
        ("engine", "net", False),
        ("engine", "persistence", False),
        ("keyspace", "commands", False),
        ("commands", "resp", True),
        ("resp", "errors", True),
        ("resp", "storage", False),
        ("storage", "errors", False),
        ("storage", "storage", True),
        ("objects", "storage", True),
        ("cli", "storage", True),
    ],
)
def test_the_rule_of_layers(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_imports_are_seen() -> None:
    """Relative and late imports count."""
    source = (
        "if TYPE_CHECKING:\n    import types_only\n"
        "def f():\n    from .sibling import x\n    from ..engine import y\n    import a.b\n"
    )
    found = set(imported_modules(ast.parse(source), "durable_redis.net.server"))
    assert {"durable_redis.net.sibling", "durable_redis.engine", "durable_redis.engine.y", "a.b"} <= found
    assert "types_only" not in found


def test_every_package_has_modules() -> None:
    names = {path.parts[len(REPOSITORY.parts)] for path in module_paths()}
    assert names == set(PACKAGES)
    assert sys.version_info >= (3, 11)
