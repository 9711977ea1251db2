"""Names of a spec looked up among the components, parameters checked; what is wrong becomes a problem of the spec."""

from __future__ import annotations

from typing import Any

from mnistarena.components import Task
from mnistarena.errors import PluginError
from mnistarena.registry import Component, Registry
from mnistarena.spec import schema
from mnistarena.spec.load import Problems
from mnistarena.spec.locate import Path as KeyPath


def blame(component: Component, function: str, problem: Exception) -> str:
    """A plugin's own exception, where a spec is read: whose it is, and what it says."""
    return f'{function} of "{component.name}" ({component.origin}) raised {type(problem).__name__}: {problem}'


class Lookup:
    """The registry seen from a spec."""

    def __init__(self, registry: Registry, problems: Problems) -> None:
        self.registry, self.problems = registry, problems

    def component(self, kind: str, name: str, path: KeyPath) -> Component | None:
        """The component of this name, or None with the problem recorded at `path`."""
        try:
            return self.registry.get(kind, name)
        except PluginError as problem:
            self.problems.add(path, str(problem))
            return None

    def transforms(
        self, entries: list[str | schema.Component], where: KeyPath, task: Task | None
    ) -> tuple[list[tuple[Component, Any]] | None, Task | None]:
        """A list of transforms with their parameters, and the task after them; None where one of them is wrong."""
        found: list[tuple[Component, Any]] | None = []
        for i, item in enumerate(entries):
            name, arguments = (item, {}) if isinstance(item, str) else (item.name, item.arguments)
            component = self.component("transform", name, (*where, i))
            params = component and self.problems.check(
                component.definition.params, arguments, (*where, i), noun="parameter"
            )
            if component is None or params is None:
                found = task = None
                continue
            if task is not None and component.definition.shape is not None:
                try:
                    task = task.with_shape(component.definition.shape(params, task.image_shape))
                except ValueError as problem:
                    self.problems.add((*where, i), f'"{name}" does not fit: {problem}')
                    found = task = None
                except Exception as problem:
                    self.problems.add((*where, i), blame(component, "shape", problem))
                    found = task = None
            if found is not None:
                found.append((component, params))
        return found, task
