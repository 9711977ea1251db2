"""Component names: which plugin provides each, which are provided twice, and what was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from mnistarena.errors import PluginError
from mnistarena.plugin.discovery import KINDS, Plugin, discover, discover_builtin
from mnistarena.plugin.executor import PluginFile
from mnistarena.plugin.messages import Identity
from mnistarena.text import did_you_mean


@dataclass(frozen=True)
class Component:
    """A component and the plugin it comes from."""

    kind: str
    definition: Any
    _: KW_ONLY
    plugin: Plugin

    @property
    def name(self) -> str:
        """The name a spec uses."""
        return str(self.definition.name)

    @property
    def origin(self) -> str:
        """Distribution and version, for people."""
        return f"{self.plugin.distribution} {self.plugin.version}"


class Registry:
    """What plugins provide, by kind and name.

    `others` finds all plugins where `plugins` are some of them: it is called once, when a name is asked for that these
    do not provide, or all names are.
    """

    def __init__(self, plugins: Sequence[Plugin], others: Callable[[], Sequence[Plugin]] | None = None) -> None:
        self._others = others
        self._take(plugins)

    def _take(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = plugins
        self._components: dict[str, dict[str, list[Component]]] = {kind: {} for kind in KINDS}
        for plugin in plugins:
            for kind, definitions in plugin.components.items():
                for definition in definitions:
                    same = self._components[kind].setdefault(definition.name, [])
                    same.append(Component(kind, definition, plugin=plugin))

    @property
    def files(self) -> tuple[PluginFile, ...]:
        """The plugins that are single files."""
        return tuple(plugin.file for plugin in self.plugins if plugin.file is not None)

    def _complete(self) -> None:
        if self._others is not None:
            others, self._others = self._others, None
            self._take(others())

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        self._complete()
        return sorted(self._components[kind])

    def all(self, kind: str) -> list[Component]:
        """Every component of a kind, by name; a name provided twice appears twice."""
        return [component for name in self.names(kind) for component in self._components[kind][name]]

    def taken_twice(self) -> dict[str, dict[str, list[str]]]:
        """The names that more than one plugin provides, by kind, each with the plugins' distributions."""
        self._complete()
        return {
            kind: twice
            for kind, names in self._components.items()
            if (twice := {name: [c.origin for c in found] for name, found in names.items() if len(found) > 1})
        }

    def get(self, kind: str, name: str) -> Component:
        """The component of that name; raises `PluginError` where there is none, or more than one."""
        if name not in self._components[kind]:
            self._complete()
        found = self._components[kind].get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            files = [c.plugin.file.path.name for c in found if c.plugin.file is not None]
            advice = f"give it another name in {files[-1]}" if files else "uninstall one, or block it: "
            advice += "" if files else f"ARENA_DISABLE_PLUGINS={found[-1].plugin.name}"
            raise PluginError(
                f'the {kind} "{name}" is provided by {" and by ".join(c.origin for c in found)}; {advice}'
            )
        message = f'unknown {kind} "{name}"{did_you_mean(name, self.names(kind))}'
        if "did you mean" not in message:
            message += f"; installed: {', '.join(self.names(kind)) or 'none'}"
        for plugin in self.plugins:
            if plugin.status != "loaded" and _plausible(name, plugin):
                message += f"; the plugin {plugin.name} ({plugin.distribution}) is {plugin.status}: {plugin.cause}"
        raise PluginError(message)

    def changed_sources(self, identity: Identity) -> list[str]:
        """The plugins, as distribution:name, whose code is not the one that the trial of this identity asks for."""
        parts = [("model", identity["model"]["name"]), *(("transform", t["name"]) for t in identity["transforms"])]
        parts += named_in(identity["training"])
        parts = [part for part in parts if part[0] != "optimizer" or part[1] in self._components["optimizer"]]
        plugins = [self.get(kind, name).plugin for kind, name in parts]
        here = {plugin.key: plugin.digest for plugin in plugins}
        return list(dict.fromkeys(name for name, _ in sorted(set(here.items()) ^ set(identity["sources"].items()))))


def _plausible(name: str, plugin: Plugin) -> bool:
    """Whether a plugin that did not load may be the one that provides `name`."""
    words = f"{plugin.name} {plugin.distribution}".replace("_", "-")
    return name.replace("_", "-") in words or plugin.name in name


@cache
def built_in() -> Registry:
    """The registry of what comes with mnistarena alone."""
    return Registry(discover_builtin())


def installed(files: Sequence[PluginFile] = (), first: Collection[str] | None = None) -> Registry:
    """The registry of this environment, and of plugins that are single files.

    With `first`, keys of plugins, the others of the environment are imported only when these do not suffice.
    """
    if first is None:
        return Registry(discover(files))
    return Registry(discover(files, only=first), others=lambda: discover(files))


def named_in(training: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The components that a recipe's training names, each with its kind; "optimizer" may be one of torch.optim."""
    entries = [(kind, training[kind]) for kind in ("loss", "schedule", "optimizer") if kind in training]
    entries += [("augmentation", entry) for entry in training.get("augmentations", ())]
    entries += [("optimizer", group["optimizer"]) for group in training.get("groups", ()) if group["optimizer"]]
    found = [(kind, entry if isinstance(entry, str) else entry["name"]) for kind, entry in entries]
    monitor = training.get("monitor", "accuracy")
    name = monitor if isinstance(monitor, str) else monitor["name"]
    return [*found, *([] if name in ("accuracy", "loss") else [("metric", name)])]
