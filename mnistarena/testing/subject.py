"""What every component has: a name, a summary, parameters, and a module that imports quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from pydantic import ValidationError

from mnistarena.components import Params
from mnistarena.plugins import KINDS
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, raised

SUMMARY_CHARACTERS = 160
"""`arena list` gives a component one line."""

IMPORT_SECONDS = 120


class Subject:
    """A component under test; `module` is the plugin's, by its full name."""

    kind: str

    def __init__(self, definition: Any, module: str, params: Mapping[str, Any]) -> None:
        self.definition, self.module, self.given = definition, module, dict(params)

    @cached_property
    def params(self) -> Any:
        """The parameters that the checks use: what was given, and the defaults."""
        try:
            return self.definition.params(**self.given)
        except Exception as problem:
            raise NotApplicable('there are no parameters to try it with: see "parameters"') from problem

    def checks(self) -> list[Check]:
        """The checks that every kind has."""
        return [
            Check("summary", "name and summary fit a line of arena list", self.check_summary),
            Check("parameters", "every parameter has a description and a default", self.check_parameters),
            Check("parameters-strict", "an unknown parameter is refused", self.check_strict),
            Check("parameters-json", "parameters survive JSON", self.check_json),
            Check("import-without-torch", "importing the plugin imports no torch", self.check_import),
        ]

    def check_summary(self) -> None:
        """A name that a spec can hold, and one line about it."""
        name, summary = self.definition.name, self.definition.summary
        if not isinstance(name, str) or not name or name != name.strip():
            raise Nonconformity(f"the name is {name!r}; give a name without blanks at its ends")
        if not isinstance(summary, str) or not summary.strip():
            raise Nonconformity("the summary is empty; say in a line what it is: arena list and the report show it")
        if "\n" in summary or len(summary) > SUMMARY_CHARACTERS:
            raise Nonconformity(
                f"the summary has {len(summary.splitlines())} lines and {len(summary)} characters; "
                f"give one line of at most {SUMMARY_CHARACTERS}"
            )

    def check_parameters(self) -> None:
        """Descriptions, defaults, and that the given parameters are accepted."""
        kind = self.definition.params
        if not isinstance(kind, type) or not issubclass(kind, Params):
            raise Nonconformity(f"params is {kind!r}; derive a class from mnistarena.Params")
        silent = [name for name, field in kind.model_fields.items() if not (field.description or "").strip()]
        if silent:
            raise Nonconformity(
                f"without a description: {', '.join(silent)}; write Field(…, description=…), which arena show prints"
            )
        needed = [name for name, f in kind.model_fields.items() if f.is_required() and name not in self.given]
        if needed:
            raise Nonconformity(
                f"without a default: {', '.join(needed)}; give one in Field, or, where the user has to choose, "
                f"give the check a value: params={{{needed[0]!r}: …}}, or --set {needed[0]}=…"
            )
        try:
            kind(**self.given)
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"])) or "params"
            what = "the defaults are" if not self.given else f"params={self.given} is"
            raise Nonconformity(f"{what} refused: {where}: {first['msg']}") from problem

    def check_strict(self) -> None:
        """A misspelt key is an error, not a default in silence."""
        try:
            type(self.params)(**self.given, **{"no-such-parameter": 1})
        except ValidationError:
            return
        raise Nonconformity("an unknown parameter is accepted; leave Params' own model_config as it is")

    def check_json(self) -> None:
        """A plan keeps the parameters as JSON, and the worker reads them again."""
        try:
            text = self.params.model_dump_json()
            again = type(self.params).model_validate_json(text)
            json.dumps(self.params.identity())
        except (ValueError, TypeError) as problem:
            raise Nonconformity(
                f"the parameters do not survive JSON: {str(problem).splitlines()[0]}; use numbers, strings, booleans, "
                "lists and Literals"
            ) from problem
        if again != self.params:
            raise Nonconformity(f"the parameters come back from JSON as {again!r}, not {self.params!r}")

    def check_import(self) -> None:
        """`arena list` imports every plugin; torch would cost each call seconds."""
        found = modules_after_import(self.module, *self.to_call())
        if "error" in found:
            raise NotApplicable(f"{self.module} cannot be imported by itself: {found['error']}")
        if found["torch"]:
            raise Nonconformity(
                f"{found['torch']} imports torch; import it inside the functions that use it, or in a module that "
                "build imports"
            )

    def to_call(self) -> tuple[str, str]:
        """The name and the parameters, in JSON, of a model whose `check` is to be called as well; else empty."""
        return "", ""


_SCRIPT = f"""
import importlib, json, sys
module, name, params = sys.argv[1:]
found = dict(torch="")
def look(what):
    if "torch" in sys.modules:
        found["torch"] = found["torch"] or what
try:
    plugin = importlib.import_module(module)
    look("importing " + module)
    provided = []
    for hook in {[hook for hook, _ in KINDS.values()]!r}:
        provided += getattr(plugin, hook, list)()
        look(hook + "()")
    from mnistarena.components import Task
    for definition in provided:
        if name and definition.name == name:
            task = Task((1, 28, 28), 10, tuple("0123456789"), 100)
            definition.check(definition.params.model_validate_json(params), task)
            look("check()")
except Exception as problem:
    found["error"] = f"{{type(problem).__name__}}: {{problem}}"
print(json.dumps(found))
"""


@cache
def modules_after_import(module: str, name: str, params: str) -> dict[str, str]:
    """In a fresh interpreter: `torch`, what imported it (or nothing), and `error`, where nothing could be imported."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, module, name, params],
            env=environment,
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as problem:
        return {"error": raised(problem)}
