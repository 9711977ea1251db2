"""The order of imports in this repository, read from its files: called by cog for architecture.md, and by the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mnistarena"

ORDER = (
    ("cli",),
    ("api",),
    ("verify", "doctor", "testing", "executors"),
    ("report", "inference"),
    ("execution",),
    ("evidence",),
    ("trial",),
    ("pretrained", "builtin"),
    ("plan",),
    ("engine",),
    ("spec",),
    ("store", "data"),
    ("plugin",),
    ("stats", "paths", "text", "environment"),
    ("errors", "version"),
)
"""Each package or module of mnistarena imports only what stands in a later row."""

LEAVES = {name for row in ORDER[-2:] for name in row} - {"stats"}
"""Small modules that anything may import; the drawing leaves them out."""


@dataclass(frozen=True)
class Import:
    """One import statement: where it stands and which module it names."""

    path: Path
    line: int
    _: KW_ONLY
    module: str
    at_module_level: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import of a file, those inside functions too; those for a type checker only do not count."""
    return tuple(_imports(path, ast.parse(path.read_text("utf-8")), at_module_level=True))


def _imports(path: Path, node: ast.AST, *, at_module_level: bool) -> Iterator[Import]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            module = alias.name if isinstance(node, ast.Import) else _named(path, node, alias.name)
            yield Import(path, node.lineno, module=module, at_module_level=at_module_level)
    elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        inside = at_module_level and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from _imports(path, child, at_module_level=inside)


def _named(path: Path, statement: ast.ImportFrom, name: str) -> str:
    """The module that `from … import name` names: `name` itself where it is a module."""
    parent = list(path.relative_to(ROOT).parts[: -statement.level]) if statement.level else []
    module = ".".join([*parent, *(statement.module or "").split(".")]).strip(".")
    folder = ROOT.joinpath(*module.split("."))
    is_module = folder.joinpath(name).is_dir() or folder.joinpath(f"{name}.py").is_file()
    return f"{module}.{name}" if is_module else module


def room(module: str) -> str:
    """The package or module directly below mnistarena that a module belongs to; "" is mnistarena itself."""
    return module.partition(".")[2].partition(".")[0]


def module_of(path: Path) -> str:
    """A file's module name, with dots."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def arrows() -> dict[str, set[str]]:
    """Which package imports which, among those below mnistarena."""
    found: dict[str, set[str]] = {name: set() for row in ORDER for name in row}
    for path in sorted(PACKAGE.rglob("*.py")):
        source = room(module_of(path))
        for one in imports(path):
            if one.module.split(".")[0] == "mnistarena" and (target := room(one.module)) and source in found:
                found[source] |= {target} - {source}
    return found


def drawing() -> str:
    """The packages as a Mermaid flowchart. An import that follows from two others is not drawn."""
    found = {name: targets - LEAVES for name, targets in arrows().items() if name not in LEAVES}

    def reached(name: str) -> set[str]:
        return set().union(*({target} | reached(target) for target in found[name]))

    lines = ["```mermaid", "flowchart TD"]
    for name, targets in found.items():
        implied = set().union(*(reached(target) for target in targets))
        lines += [f"    {name} --> {target}" for target in sorted(targets - implied)]
    return "\n".join([*lines, "```"]) + "\n"


def order() -> str:
    """The order of imports as one line."""
    return "```text\n" + "\n→ ".join(" · ".join(row) for row in ORDER) + "\n```\n"
