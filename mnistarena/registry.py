"""Component names: who provides them, which are taken twice, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mnistarena.errors import PluginError
from mnistarena.plugins import KINDS, Plugin, discover


@dataclass(frozen=True)
class Component:
    """A component and the plugin it comes from."""

    kind: str
    definition: Any
    plugin: Plugin

    @property
    def name(self) -> str:
        """The name a spec uses."""
        return str(self.definition.name)

    @property
    def origin(self) -> str:
        """Distribution and version, for people."""
        return f"{self.plugin.distribution} {self.plugin.version}"


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean "…"?` where something similar is known, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f'; did you mean "{close[0]}"?' if close else ""


class Registry:
    """What the plugins of this environment provide, by kind and name."""

    def __init__(self, plugins: list[Plugin]) -> None:
        self.plugins = plugins
        self._components: dict[str, dict[str, list[Component]]] = {kind: {} for kind in KINDS}
        for plugin in plugins:
            for kind, definitions in plugin.components.items():
                for definition in definitions:
                    same = self._components[kind].setdefault(definition.name, [])
                    same.append(Component(kind, definition, plugin))

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(self._components[kind])

    def all(self, kind: str) -> list[Component]:
        """Every component of a kind, by name; a name taken twice appears twice."""
        return [component for name in self.names(kind) for component in self._components[kind][name]]

    def taken_twice(self) -> dict[str, dict[str, list[str]]]:
        """By kind: the names that more than one plugin provides, each with whose they are."""
        return {
            kind: twice
            for kind, names in self._components.items()
            if (twice := {name: [c.origin for c in found] for name, found in names.items() if len(found) > 1})
        }

    def get(self, kind: str, name: str) -> Component:
        """The component of that name; raises `PluginError` where there is none, or more than one."""
        found = self._components[kind].get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise PluginError(
                f'the {kind} "{name}" is provided by {" and by ".join(c.origin for c in found)}; uninstall '
                f"one, or block it: ARENA_DISABLE_PLUGINS={found[-1].plugin.name}"
            )
        message = f'unknown {kind} "{name}"{did_you_mean(name, self.names(kind))}'
        if "did you mean" not in message:
            message += f"; installed: {', '.join(self.names(kind)) or 'none'}"
        for plugin in self.plugins:
            if plugin.status != "loaded" and _plausible(name, plugin):
                message += f"; the plugin {plugin.name} ({plugin.distribution}) is {plugin.status}: {plugin.cause}"
        raise PluginError(message)


def _plausible(name: str, plugin: Plugin) -> bool:
    """Whether a plugin that did not load may be the one that provides `name`."""
    words = f"{plugin.name} {plugin.distribution}".replace("_", "-")
    return name in words or plugin.name in name


def installed() -> Registry:
    """The registry of this environment."""
    return Registry(discover())
