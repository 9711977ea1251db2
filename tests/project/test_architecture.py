"""The rules that keep the tree readable: the order of imports, where torch is loaded, what a plugin may import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import house
import pytest

from ..helpers import ROOT

FACES = ("mnistarena", "mnistarena.pretrained", "mnistarena.executors", "mnistarena.testing", "mnistarena.data.idx")
"""What a plugin may import."""

LOADS_TORCH = re.compile(
    r"mnistarena/engine/\w+\.py"
    r"|mnistarena/trial/(process|run|scoring|trained|network|classifier|fitting|estimate|model|own_training|own_fit|fit_host|teacher|preflight)"
    r"\.py"
    r"|mnistarena/inference/(restore|onnx|onnx_graph|onnx_classifier|onnx_benchmark)\.py"
)
LONGEST_FUNCTION, LONGEST_FILE = 60, 300


SOURCES = sorted((ROOT / "mnistarena").rglob("*.py"))
PLUGIN_SOURCES = sorted(ROOT.glob("plugins/*/mnistarena_*/**/*.py"))


def inner_imports() -> Iterator[tuple[str, str, str]]:
    """Each import of mnistarena within itself: the line, the importing module, and the imported one."""
    for path in SOURCES:
        for one in house.imports(path):
            if one.module.split(".")[0] == "mnistarena":
                yield str(one), house.module_of(path), one.module


def test_every_package_has_its_place_in_the_order():
    found = {house.room(house.module_of(path)) for path in SOURCES} - {"", "__main__"}
    assert found == {name for row in house.ORDER for name in row}


def test_imports_follow_the_order():
    level = {name: index for index, row in enumerate(house.ORDER) for name in row}
    wrong = []
    for line, source, target in inner_imports():
        above, below = house.room(source), house.room(target)
        # The root loads its public names when they are first used; inside, names come from where they are defined.
        if above in level and above != below and level.get(below, -1) <= level[above]:
            wrong.append(f"{line}, but {above} stands below {below or 'the public names'}")
    assert not wrong, "\n".join(wrong)


def test_modules_do_not_import_in_a_circle():
    graph: dict[str, set[str]] = {}
    for _, source, target in inner_imports():
        graph.setdefault(source, set()).add(target)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_only_what_trains_loads_torch_when_it_is_imported():
    wrong = [
        str(one)
        for path in SOURCES
        if not LOADS_TORCH.fullmatch(path.relative_to(ROOT).as_posix())
        for one in house.imports(path)
        if one.at_module_level and one.module.split(".")[0] in ("torch", "torchvision")
    ]
    assert not wrong, "\n".join(wrong)


def test_a_package_holds_its_code_in_modules():
    faces = {"mnistarena", "mnistarena.cli", "mnistarena.pretrained", "mnistarena.testing"}
    for path in SOURCES:
        if path.name == "__init__.py" and house.module_of(path) not in faces:
            statements = ast.parse(path.read_text()).body
            assert len(statements) == 1, f"{path}:{statements[1].lineno} is more than a docstring"
            assert isinstance(statements[0], ast.Expr), f"{path} has no docstring"


@pytest.mark.parametrize("path", PLUGIN_SOURCES, ids=lambda path: path.relative_to(ROOT / "plugins").as_posix())
def test_a_plugin_imports_only_what_is_public(path: Path):
    for one in house.imports(path):
        if one.module.split(".")[0] == "mnistarena":
            assert one.module in FACES, f"{one}, which is not public: {', '.join(FACES)}"


def test_functions_and_files_stay_short():
    wrong = []
    for path in (*SOURCES, *PLUGIN_SOURCES):
        name, text = path.relative_to(ROOT), path.read_text()
        if (lines := len(text.splitlines())) > LONGEST_FILE:
            wrong.append(f"{name} has {lines} lines, more than {LONGEST_FILE}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    wrong.append(f"{name}:{node.lineno} {node.name}() has {lines} lines, more than {LONGEST_FUNCTION}")
    assert not wrong, "\n".join(wrong)


def test_the_drawing_in_the_docs_is_that_of_this_tree():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert house.drawing() in page, "run: make docs"
    assert house.order() in page, "run: make docs"
