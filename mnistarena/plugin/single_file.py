"""Plugins that are single Python files: found by their path, known by their digest, imported exactly as it says."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

from mnistarena.errors import PluginError, first_line
from mnistarena.plugin.executor import PluginFile

_KEPT = re.compile(r"(?P<name>.+)-(?P<digest>[0-9a-f]{12})")
"""How a run folder names the copy that it keeps."""


def plugin_file(path: object) -> PluginFile:
    """A single-file plugin; raises `PluginError` where it is not a Python file that can be read."""
    if not isinstance(path, (str, os.PathLike)):
        raise PluginError(
            f"a plugin is a Python file, not {path!r}: the processes that run trials cannot import what a notebook or "
            "a script defines. Write it into a file of its own (in Jupyter: a cell that begins with %%writefile "
            'mine.py) with a function such as arena_models() marked @hookimpl, and give plugins=["mine.py"]'
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
    name = f"arena_plugin_{file.name}_{file.digest[:16]}_{folder[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    content = file.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.digest:
        raise PluginError(f"{file.path} has changed since the plan was made; run the spec again")
    code = compile(content, str(file.path), "exec", dont_inherit=True)
    _refuse_neighbours(file.path, content)
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
    return module.startswith("arena_plugin_") and module.rpartition("_")[0] == other.rpartition("_")[0]


def _refuse_neighbours(path: Path, content: bytes) -> None:
    """Raise `PluginError` where the file imports another one beside it, which no identity would know of."""
    for node in ast.walk(ast.parse(content)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in {name.partition(".")[0] for name in names} - {"mnistarena", ""}:
            beside = (path.parent / f"{name}.py", path.parent / name / "__init__.py")
            found = importlib.util.find_spec(name) if any(one.is_file() for one in beside) else None
            if found is not None and found.origin is not None and Path(found.origin).resolve() in beside:
                raise PluginError(
                    f"{path.name} imports {name}, a file beside it: a plugin that is a single file stands alone. Put "
                    "both into one file, or make a package of them: arena new model NAME"
                )
