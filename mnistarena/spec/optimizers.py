"""The optimizers of the installed torch, read from its source: names and arguments without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from mnistarena.plugin.settings import Settings
from mnistarena.text import did_you_mean

WITH_CLOSURE = {"lbfgs"}
"""Those that evaluate the loss themselves, several times a step."""

MATRICES_ONLY = {"muon"}
"""Those that take only parameters of two dimensions."""

_UNFIT = {
    "sparseadam": "needs sparse gradients, which image classifiers do not have",
}


@lru_cache(maxsize=1)
def optimizers() -> dict[str, tuple[str, Path]]:
    """Lower-case name → (class name, file) of every optimizer class that torch.optim exports."""
    spec = find_spec("torch")
    folder = Path(spec.origin).parent / "optim" if spec and spec.origin else Path("/nonexistent")
    files = {file: file.read_text("utf-8") for file in sorted(folder.glob("*.py"))}
    exported = set(re.findall(r"\bimport (\w+)", files.get(folder / "__init__.py", "")))
    found = {}
    for file, text in files.items():
        for name in re.findall(r"^class (\w+)\((?:\w*Optimizer|Adam)\):", text, re.MULTILINE):
            if name in exported:
                found[name.lower()] = (name, file)
    return found


@lru_cache
def arguments(name: str) -> dict[str, str]:
    """The arguments of an optimizer's constructor, beside `self` and `params`, each with its annotation."""
    class_name, file = optimizers()[name.lower()]
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    given = (*item.args.args, *item.args.kwonlyargs)[2:]
                    return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in given}
    return {}


def problems(name: str, given: Settings, plugins: Iterable[str] = ()) -> list[tuple[str, str]]:
    """What is wrong with an optimizer's table: pairs of (key, sentence); `plugins` are names that plugins provide."""
    known = optimizers()
    if name.lower() not in known:
        everything = sorted({*known, *plugins})
        hint = did_you_mean(name.lower(), everything) or f"; there are {', '.join(everything)}"
        return [("name", f'unknown optimizer "{name}"{hint}')]
    if name.lower() in _UNFIT:
        return [("name", f'the optimizer "{name}" {_UNFIT[name.lower()]}')]
    allowed = arguments(name)
    found = []
    for key, value in given.items():
        if key not in allowed:
            hint = did_you_mean(key, allowed) or f"; known: {', '.join(allowed)}"
            found.append((key, f'unknown argument "{key}" of the optimizer "{name}"{hint}'))
        elif key == "lr" and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
            found.append((key, f'"lr" must be a number greater than 0, not {value!r}'))
        elif isinstance(value, str) and "str" not in allowed[key]:
            found.append((key, f'"{key}" must be a number, a boolean or a list of numbers, not "{value}"'))
    return found
