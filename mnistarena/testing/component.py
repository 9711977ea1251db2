"""The checks of every component: its name, its summary, its parameters, and that its module is quick to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple

from pydantic import ValidationError

from mnistarena.errors import first_line
from mnistarena.plugin.components import Params, Shape
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, describe

SUMMARY_CHARACTERS = 160
"""Characters of a summary at most: `arena list` gives a component one line."""

IMPORT_SECONDS = 120
"""Time limit of the process that tries how a plugin is imported."""


class ComponentUnderTest:
    """A component under test. `module` is its plugin's: the full name, or the path of a single-file plugin."""

    kind: ClassVar[str]
    definition: Any

    def __init__(self, definition: Any, module: str | os.PathLike[str], params: Mapping[str, Any]) -> None:
        self.definition, self.module, self.given = definition, os.fspath(module), dict(params)

    @cached_property
    def params(self) -> Any:
        """The parameters that the checks use: those given, and defaults for the others."""
        try:
            return self.definition.params(**self.given)
        except Exception as problem:
            raise NotApplicable('there are no parameters to try it with: see "parameters"') from problem

    def checks(self) -> list[Check]:
        """The checks that every kind has."""
        return [
            Check("summary", "name and summary fit a line of arena list", function=self.check_summary),
            Check("parameters", "every parameter has a description and a default", function=self.check_parameters),
            Check("parameters-strict", "an unknown parameter is refused", function=self.check_strict),
            Check(
                "parameters-json",
                "parameters are the same after they were written and read as JSON",
                function=self.check_json,
            ),
            Check("import-without-torch", "importing the plugin does not import torch", function=self.check_import),
        ]

    def check_summary(self) -> None:
        """The name can be written in a spec, and the summary is one line of limited length."""
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
        """Every parameter has a description and a default, and the given parameters are accepted."""
        kind = self.definition.params
        if not isinstance(kind, type) or not issubclass(kind, Params):
            raise Nonconformity(f"params is {kind!r}; derive a class from mnistarena.Params")
        undescribed = [name for name, field in kind.model_fields.items() if not (field.description or "").strip()]
        if undescribed:
            raise Nonconformity(
                f"without a description: {', '.join(undescribed)}; write Field(…, description=…), which arena show "
                "prints"
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
        """A parameter with an unknown name is an error: a misspelt one must not be ignored."""
        try:
            type(self.params)(**self.given, **{"no-such-parameter": 1})
        except ValidationError:
            return
        raise Nonconformity("an unknown parameter is accepted; leave Params' own model_config as it is")

    def check_json(self) -> None:
        """Parameters are the same after JSON: a plan stores them so, and the worker reads them again."""
        try:
            text = self.params.model_dump_json()
            read = type(self.params).model_validate_json(text)
            json.dumps(self.params.identity())
        except (ValueError, TypeError) as problem:
            raise Nonconformity(
                f"the parameters cannot be written and read as JSON: {first_line(problem)}; use numbers, strings, "
                "booleans, lists and Literals"
            ) from problem
        if read != self.params:
            raise Nonconformity(f"after JSON, the parameters are {read!r}, not {self.params!r}")

    def check_import(self) -> None:
        """The plugin does not import torch: `arena list` imports every plugin, and torch takes seconds to load."""
        found = modules_after_import(self.module, *self.to_call())
        if found.error:
            raise NotApplicable(f"{self.module} cannot be imported by itself: {found.error}")
        if found.torch:
            raise Nonconformity(
                f"{found.torch} imports torch; import it inside the functions that use it, or in a module that "
                "build imports"
            )

    def to_call(self) -> tuple[str, str]:
        """The name and the parameters, in JSON, of a model whose `check` is to be called as well; else empty."""
        return "", ""


class ImportOutcome(NamedTuple):
    """What importing a plugin did: `torch` says what imported torch, `error` why the plugin could not be tried."""

    torch: str = ""
    error: str = ""


@cache
def modules_after_import(module: str, name: str, params: str) -> ImportOutcome:
    """Import a plugin in a fresh interpreter, and call its hooks; see import_probe.py."""
    return ImportOutcome(**run_probe("import_probe", module, name, params))


def run_probe(probe: str, *arguments: str) -> dict[str, Any]:
    """What a module of this package prints, run in a fresh interpreter; its `error` where it printed nothing."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"mnistarena.testing.{probe}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as problem:
        return {"error": describe(problem)}


def as_shape(given: Sequence[int] | None) -> Shape | None:
    """An image's shape from a sequence of three numbers."""
    if given is None:
        return None
    channels, height, width = given
    return channels, height, width
