"""Run in a fresh interpreter: does importing a plugin, calling its hooks and its `check` import torch?

`python -m mnistarena.testing.import_probe SOURCE NAME PARAMS` prints a JSON object. SOURCE is the plugin's module by
its full name, or the path of a single-file plugin. NAME and PARAMS, as JSON, are those of a model whose `check` is to
be called as well; both empty where there is none.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

from mnistarena.plugin.components import Task
from mnistarena.plugin.discovery import KINDS


def main(source: str, name: str, params: str) -> None:
    """Print `torch`, the first thing that imported it (empty: nothing did), or `error`, why it could not be tried."""
    found = {"torch": ""}

    def note(what: str) -> None:
        if "torch" in sys.modules and not found["torch"]:
            found["torch"] = what

    try:
        plugin = load(source)
        note(f"importing {Path(source).name if source.endswith('.py') else source}")
        provided = []
        for hook, _ in KINDS.values():
            provided += list(getattr(plugin, hook, list)())
            note(f"{hook}()")
        task = Task((1, 28, 28), 10, class_names=tuple("0123456789"), n_train=100, class_counts=(10,) * 10)
        for definition in provided:
            if name and definition.name == name:
                definition.check(definition.params.model_validate_json(params), task)
                note("check()")
    except Exception as problem:
        found["error"] = f"{type(problem).__name__}: {problem}"
    print(json.dumps(found))


def load(source: str) -> ModuleType:
    """Import a module by its name, or a single-file plugin by its path."""
    if not source.endswith(".py"):
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(f"arena_plugin_{Path(source).stem}", source)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
