"""Plugins that are single Python files: found by their path, known by their digest, imported exactly as it says."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mnistarena.errors import PluginError, first_line
from mnistarena.plugin.executor import PluginFile

_KEPT = re.compile(r"(?P<name>.+)-(?P<digest>[0-9a-f]{12})")
"""How a run folder names the copy that it keeps."""

_MODULES = "arena_plugin_"
"""The names of the modules of single-file plugins begin with it."""


def plugin_file(path: object) -> PluginFile:
    """A single-file plugin; raises `PluginError` where it is not a Python file that can be read."""
    if not isinstance(path, (str, os.PathLike)):
        raise PluginError(
            f"a plugin is a Python file, not {path!r}: the processes that run trials cannot import what a notebook or "
            "a script defines. In Jupyter, write plugin = mnistarena.register(ModelDef(…)) in the cell that defines "
            "it, and give plugins=[plugin]; or write it into a file of its own (in Jupyter: a cell that begins with "
            "%%writefile mine.py) with a function such as arena_models() marked @hookimpl, and give "
            'plugins=["mine.py"]'
        )
    file = Path(path)
    kept = _KEPT.fullmatch(file.stem)
    name = kept["name"] if kept else file.stem
    if file.suffix != ".py" or not name.isidentifier():
        raise PluginError(f'the plugin "{file}" must be a Python file, such as mine.py: letters, digits, underscores')
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise PluginError(f'the plugin "{file}" does not exist') from None
    except (OSError, ValueError) as problem:  # the latter of a path with a null character
        raise PluginError(f'the plugin "{file}" cannot be read: {first_line(problem)}') from problem
    digest = hashlib.sha256(content).hexdigest()
    if kept and not digest.startswith(kept["digest"]):
        raise PluginError(f'the plugin "{file}" has changed since a run kept it')
    return PluginFile(name, file.resolve(), digest=digest)


def import_file(file: PluginFile) -> ModuleType:
    """The module of a single-file plugin, exactly as its digest says."""
    # With its digest and its folder in its name, a file that was edited meanwhile, or a copy, is another module.
    folder = hashlib.sha256(os.fsencode(file.path.parent)).hexdigest()
    name = f"{_MODULES}{file.name}_{file.digest[:16]}_{folder[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    content = file.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.digest:
        raise PluginError(f"{file.path} has changed since the plan was made; run the spec again")
    code = compile(content, str(file.path), "exec", dont_inherit=True)
    refuse_neighbours(file.path.name, file.path.parent, content)
    module = ModuleType(name)
    module.__file__ = str(file.path)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def same_content(module: str, other: str) -> bool:
    """Whether two module names are those of a single-file plugin and of a copy of it in another folder."""
    return module.startswith(_MODULES) and module.rpartition("_")[0] == other.rpartition("_")[0]


def is_plugin(names: Mapping[str, Any]) -> bool:
    """Whether these are the global names of the module of a single-file plugin."""
    name = str(names.get("__name__"))
    return name.startswith(_MODULES) and name in sys.modules and vars(sys.modules[name]) is names


def refuse_neighbours(what: str, folder: Path, content: bytes) -> None:
    """Raise `PluginError` where `what`, of this content, imports a file of a folder, which no identity knows of."""
    for node in ast.walk(ast.parse(content)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in {name.partition(".")[0] for name in names} - {"mnistarena", ""}:
            beside = (folder / f"{name}.py", folder / name / "__init__.py")
            found = importlib.util.find_spec(name) if any(one.is_file() for one in beside) else None
            if found is not None and found.origin is not None and Path(found.origin).resolve() in beside:
                raise PluginError(
                    f"{what} imports {name}, a file beside it: a plugin that is a single file stands alone. Put "
                    "both into one file, or make a package of them: arena new model NAME"
                )
