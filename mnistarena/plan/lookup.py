"""Names of a spec looked up among the components, parameters checked; what is wrong becomes a problem of the spec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mnistarena.errors import ArenaError, PluginError
from mnistarena.plan.recipe import Transforms
from mnistarena.plugin.components import Params, Task
from mnistarena.plugin.registry import Component, Registry, installed
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import Problems
from mnistarena.spec.table import ComponentEntry

T = TypeVar("T")


def registry_for(spec: Spec) -> Registry:
    """The installed plugins, and the spec's single-file plugins; a broken file is a problem of the spec."""
    registry = installed(spec.plugins)
    for plugin in registry.plugins:
        if plugin.file is not None and plugin.status == "broken":
            spec.problems.add(("plugins",), f"the plugin {plugin.file.path} is broken: {plugin.cause}")
    return registry


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

    def call(
        self, component: Component, function: str, call: Callable[[], T], path: KeyPath, *, table: str | None = None
    ) -> T | None:
        """What a plugin's function returns; None with the problem recorded where it raises.

        An `ArenaError` is recorded as it is, at the `table` below `path` where there is one; of another exception
        the message says which function of which plugin raised it.
        """
        try:
            return call()
        except ArenaError as problem:
            self.problems.add((*path, table) if table else path, str(problem))
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # a plugin may even call sys.exit()
            whose = f'{function} of "{component.name}" ({component.origin})'
            self.problems.add(path, f"{whose} raised {type(problem).__name__}: {problem}")
        return None

    def transforms(
        self, entries: Sequence[str | ComponentEntry], where: KeyPath, task: Task | None
    ) -> tuple[Transforms | None, Task | None]:
        """A list of transforms with their parameters, and the task after them; None where one of them is wrong."""
        found: list[tuple[Component, Params]] | None = []
        for i, item in enumerate(entries):
            name, arguments = (item, {}) if isinstance(item, str) else (item.name, item.arguments)
            component = self.component("transform", name, (*where, i))
            params: Params | None = None
            if component is not None:
                params = self.problems.check(component.definition.params, arguments, (*where, i), noun="parameter")
            if component is None or params is None:
                found = task = None
                continue
            if task is not None:
                task = self._after(component, params, task, (*where, i))
                if task is None:
                    found = None
            if found is not None:
                found.append((component, params))
        return None if found is None else tuple(found), task

    def _after(self, component: Component, params: Params, task: Task, path: KeyPath) -> Task | None:
        """The task after a transform; None with the problem recorded where the images do not fit it."""
        shape_of = component.definition.shape
        if shape_of is None:
            return task

        def shape() -> Task:
            try:
                return task.with_shape(shape_of(params, task.image_shape))
            except ValueError as problem:
                raise ArenaError(f'"{component.name}" does not fit: {problem}') from problem

        return self.call(component, "shape", shape, path)
