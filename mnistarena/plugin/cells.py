"""`register`: the cell of a notebook that defines components becomes a single-file plugin."""

from __future__ import annotations

import ast
import atexit
import builtins
import hashlib
import linecache
import re
import shutil
import symtable
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from mnistarena.errors import PluginError, first_line
from mnistarena.plugin.discovery import REGISTERED, kind_of
from mnistarena.plugin.single_file import is_plugin, refuse_neighbours
from mnistarena.text import series, slug

_RUNS = ("run", "judge")
"""Functions of mnistarena that a cell with a component must not call: workers, which import it, would do so too."""

_OF_IPYTHON = {"get_ipython", "display"}
"""What IPython adds to the builtins of a notebook; other processes do not have it."""

_OWN_FILE = 'in a file of their own, and give its path: plugins=["mine.py"]'


def register(*components: Any) -> Path:
    """Make a plugin of the cell of a notebook that calls this: `plugin = mnistarena.register(ModelDef(…), …)`.

    `components` are what hooks return, such as a `ModelDef` or a `MetricDef`. Returns the path of a Python file with
    the cell's text, to be given as `mnistarena.run(spec, plugins=[plugin])`; the same text is the same plugin. The
    file lasts as long as this process; a run folder keeps a copy. In a Python file that is used as a plugin, the
    same call stands for the hooks. Raises `PluginError` where the cell cannot stand alone in a file.
    """
    if not components:
        raise PluginError("mnistarena.register() was given no component; give it one, such as a ModelDef")
    for component in components:
        if kind_of(component) is None:
            raise PluginError(
                f"mnistarena.register takes components such as a ModelDef or a DatasetDef, not {component!r}; "
                'describe it first: ModelDef("mine", "what it is", params=Params, build=build)'
            )
    caller = sys._getframe(1)
    in_plugin = is_plugin(caller.f_globals)
    text = "" if in_plugin else _text(caller)
    if caller.f_locals is not caller.f_globals:
        raise PluginError(
            f"mnistarena.register was called within {caller.f_code.co_name}; call it at the top level of the cell or "
            "of the file, so that it is called when that is imported"
        )
    if in_plugin:
        caller.f_globals.setdefault(REGISTERED, []).extend(components)
        return Path(caller.f_globals["__file__"])
    _refuse_what_cannot_stand_alone(text)
    name = re.sub(r"\W", "_", slug(str(components[0].name)))
    name = name if name.isidentifier() else f"_{name}"
    refuse_neighbours("the cell", Path.cwd(), text.encode())
    return _written(name, text.encode())


def _text(caller: FrameType) -> str:
    """The source of the cell that calls; raises `PluginError` where the caller is no cell."""
    file = caller.f_code.co_filename
    lines = linecache.getlines(file)
    # A cell has no time of change; a debugger of notebooks may write it into a file all the same.
    in_memory = linecache.cache.get(file, ())[1:2] == (None,)
    if not in_memory and Path(file).is_file():
        raise PluginError(
            f"mnistarena.register was called in {file}, which is not being loaded as a plugin. Processes that run "
            "trials import the plugin, and a script that they import would start its run again. Put the components, "
            f"with this call, {_OWN_FILE}"
        )
    if not lines:
        raise PluginError(
            "mnistarena.register finds no source here: it works in the cell of a notebook, not in a plain Python "
            f"prompt. Put the components, with this call, {_OWN_FILE}"
        )
    return "".join(lines)


def _refuse_what_cannot_stand_alone(text: str) -> None:
    """Raise `PluginError` where the cell's text would not do the same, or too much, in another process."""
    try:
        tree = ast.parse(text)
        compile(tree, "cell", "exec", dont_inherit=True)
    except SyntaxError as problem:
        raise PluginError(
            f"the cell cannot become a Python file: {first_line(problem)}. Leave only what the components need in it"
        ) from problem
    missing = _missing(text, tree)
    if "get_ipython" in missing:
        raise PluginError(
            "the cell uses IPython (a line that begins with % or !, or get_ipython), which the processes that run "
            "trials do not have; put that into another cell"
        )
    if missing:
        names, it = series(f"`{name}`" for name in missing), "it" if len(missing) == 1 else "them"
        raise PluginError(
            f"the cell uses {names}, which it neither imports nor defines; processes that run trials have this cell "
            f"alone: import or define {it} in this cell"
        )
    for call in _calls(tree):
        raise PluginError(
            f"the cell calls {call}, and processes that run trials import the cell, so they would do the same again; "
            "put this call into another cell"
        )


def _missing(text: str, tree: ast.AST) -> list[str]:
    """The global names that a text uses and does not define, in the order of the alphabet."""
    module = symtable.symtable(text, "cell", "exec")
    defined = set(dir(builtins)) - _OF_IPYTHON | {"__name__", "__file__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            imported = sys.modules.get(node.module or "")  # the cell has run
            defined |= set(getattr(imported, "__all__", None) or dir(imported))
    used: set[str] = set()
    for table in _tables(module):
        for symbol in table.get_symbols():
            if table is module or symbol.is_global():
                defined |= {symbol.get_name()} if symbol.is_assigned() or symbol.is_imported() else set()
                used |= {symbol.get_name()} if symbol.is_referenced() else set()
    return sorted(used - defined)


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _calls(tree: ast.AST) -> Iterator[str]:
    """The calls of mnistarena's functions that begin a run, as they are written."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias for alias in node.names if alias.name.partition(".")[0] == "mnistarena"]
            names |= {f"{alias.asname or 'mnistarena'}.{run}" for alias in modules for run in _RUNS}
        elif isinstance(node, ast.ImportFrom) and node.module == "mnistarena":
            names |= {alias.asname or alias.name for alias in node.names if alias.name in _RUNS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in names:
            yield called


@cache
def _folder() -> str:
    """A folder that lasts as long as this process."""
    folder = tempfile.mkdtemp(prefix="arena-cells-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _written(name: str, content: bytes) -> Path:
    """The file of a cell; another text is another file, so that a path stands for one text."""
    folder = Path(_folder(), hashlib.sha256(content).hexdigest()[:12])
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_bytes(content)
    return file
