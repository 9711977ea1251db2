"""Why a recipe cannot be trained, as a sentence, from what became of the worker that tried it."""

from __future__ import annotations

import re
from pathlib import Path

from mnistarena import errors
from mnistarena.errors import ArenaError
from mnistarena.plan.recipe import Recipe
from mnistarena.plugin.messages import Result, error_message

FRAME = re.compile(r'File "(.+?)", line (\d+),? in (\S+)')
"""A line of a traceback, Python's or the fault handler's."""


def fault(result: Result, recipe: Recipe, seconds: float) -> str:
    """What went wrong in a worker that had `seconds`, with file and line where it was in the plugin's own code."""
    error = result.get("error", {})
    kind = error.get("type", "")
    known = getattr(errors, kind, None)
    message = error_message(result, "its process was stopped").strip().partition("\n")[0]
    if isinstance(known, type) and issubclass(known, ArenaError):
        return message
    if result["status"] == "timeout":
        message = f"after {seconds:g} s it has given no outputs yet: its build or its forward hangs, or is slow"
    elif kind not in ("", "WorkerDied", message):
        message = f"{kind}: {message}"
    return message + _place(error.get("traceback", ""), recipe)


def _place(log: str, recipe: Recipe) -> str:
    """The last call in the code of the model's plugin: ` (mine.py, line 12, in build)`; empty where it is unknown."""
    file = Path(getattr(recipe.model.plugin.module, "__file__", None) or "")
    own = file.parent if file.name == "__init__.py" else file
    frames = [frame for frame in FRAME.finditer(log) if Path(frame[1]).is_relative_to(own)]
    if not frames:
        return ""
    path, line, function = frames[0 if "most recent call first" in log else -1].groups()
    return f" ({Path(path).name}, line {line}, in {function})"
