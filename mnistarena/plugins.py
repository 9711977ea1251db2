"""Discovery of plugins: each loaded alone, so that a broken one is named and costs nobody else."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import os
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mnistarena import hookspecs
from mnistarena.components import DatasetDef, ExecutorDef, MetricDef, ModelDef, TransformDef
from mnistarena.errors import PluginError
from mnistarena.version import __version__

KINDS: dict[str, tuple[str, type]] = {
    "model": ("arena_models", ModelDef),
    "dataset": ("arena_datasets", DatasetDef),
    "transform": ("arena_transforms", TransformDef),
    "metric": ("arena_metrics", MetricDef),
    "executor": ("arena_executors", ExecutorDef),
}
"""Kind of component → its hook, and the type the hook returns."""

OFFERED: dict[str, Any] = {}
"""What hooks are passed, by the name of the argument; a plugin is given those that it takes."""

CORE = "mnistarena"
BUILTIN = {
    **{name: f"builtin.{name}" for name in ("datasets", "relatives", "folders", "files")},
    **{name: f"builtin.{name}" for name in ("transforms", "corruptions", "metrics")},
    "local": "local",
}
"""Modules of this package that are plugins like everybody else's, by the name they are listed under."""


@dataclass
class Plugin:
    """One entry point (or builtin module), and what came of it: `loaded`, `broken` or `blocked`.

    `unmet` is what its distribution requires of mnistarena where this version does not meet it.
    """

    name: str
    distribution: str
    version: str
    status: str = "loaded"
    cause: str = ""
    traceback: str = ""
    unmet: str = ""
    module: Any = None
    components: dict[str, list[Any]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    @property
    def digest(self) -> str:
        """SHA-256 over the plugin's source files; part of the identity of every trial that uses it."""
        return source_digest(str(getattr(self.module, "__file__", "") or ""))


@cache
def source_digest(file: str) -> str:
    """SHA-256 over the Python files of the package (or the one module) that `file` belongs to."""
    path = Path(file)
    digest = hashlib.sha256()
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    for source in files:
        digest.update(str(source.relative_to(path.parent)).encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()


def discover() -> list[Plugin]:
    """Every plugin of this environment, the builtin ones first.

    `ARENA_DISABLE_PLUGINS=name,…` blocks entry points or distributions before they are imported.
    With `ARENA_STRICT_PLUGINS=1`, a broken plugin raises `PluginError`.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    blocked = {name.strip() for name in os.environ.get("ARENA_DISABLE_PLUGINS", "").split(",")} - {""}
    plugins: list[Plugin] = []

    version = _version(CORE)
    for name, module in BUILTIN.items():
        plugin = Plugin(name=f"builtin-{name}", distribution=CORE, version=version)
        _load(plugin, manager, lambda module=module: importlib.import_module(f"{CORE}.{module}"))  # type: ignore[misc]
        plugins.append(plugin)

    seen: set[tuple[str, str]] = set()
    for entry_point in importlib.metadata.entry_points(group=hookspecs.PROJECT):
        dist = entry_point.dist
        distribution = dist.metadata["Name"] if dist else "unknown"
        # An editable install can be found twice, by its folder and by its link (setuptools#3649).
        if (distribution, entry_point.name) in seen:
            continue
        seen.add((distribution, entry_point.name))
        plugin = Plugin(entry_point.name, distribution, dist.version if dist else "?", unmet=unmet(dist, version))
        plugins.append(plugin)
        if {entry_point.name, distribution} & blocked:
            plugin.status, plugin.cause = "blocked", "blocked by ARENA_DISABLE_PLUGINS"
            continue
        _load(plugin, manager, entry_point.load)

    broken = [plugin for plugin in plugins if plugin.status == "broken"]
    if broken and os.environ.get("ARENA_STRICT_PLUGINS") == "1":
        raise PluginError("\n".join(f"plugin {p.name} ({p.distribution}): {p.cause}" for p in broken))
    return plugins


def unmet(distribution: importlib.metadata.Distribution | None, version: str) -> str:
    """What a distribution requires of mnistarena, where `version` does not meet it; else nothing."""
    for text in (distribution.requires if distribution else None) or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        if applies and canonicalize_name(wanted.name) == CORE:
            return "" if wanted.specifier.contains(version, prereleases=True) else f"{CORE}{wanted.specifier}"
    return ""


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return __version__


def _load(plugin: Plugin, manager: pluggy.PluginManager, load: Callable[[], ModuleType]) -> None:
    try:
        plugin.module = load()
        _refuse_unknown_arguments(plugin.module)
        manager.register(plugin.module, name=f"{plugin.distribution}:{plugin.name}")
        _collect(plugin, manager)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # a plugin may even call sys.exit() while it is imported
        plugin.status = "broken"
        plugin.cause = f"{type(problem).__name__}: {problem}".strip(": ")
        if plugin.unmet:
            plugin.cause = (
                f"it requires {plugin.unmet}, and this is {_version(CORE)}; install versions that fit together: "
                f"pip install --upgrade {CORE} {plugin.distribution} ({plugin.cause})"
            )
        plugin.traceback = "".join(traceback.format_exception(problem))
        plugin.components = {kind: [] for kind in KINDS}
        if plugin.module is not None and manager.is_registered(plugin.module):
            manager.unregister(plugin.module)


def _refuse_unknown_arguments(module: ModuleType) -> None:
    for hook, _ in KINDS.values():
        function = getattr(module, hook, None)
        if not callable(function) or not hasattr(function, f"{hookspecs.PROJECT}_impl"):
            continue
        strange = [name for name in inspect.signature(function).parameters if name not in OFFERED]
        if strange:
            raise PluginError(
                f"its {hook}() takes {', '.join(strange)}, which mnistarena {_version(CORE)} does not pass; it was "
                f"written for another version: upgrade mnistarena, or install an older version of the plugin"
            )


def _collect(plugin: Plugin, manager: pluggy.PluginManager) -> None:
    hooks = {hook: (kind, expected) for kind, (hook, expected) in KINDS.items()}
    provided = 0
    for caller in manager.get_hookcallers(plugin.module) or ():
        if caller.name not in hooks:
            raise PluginError(
                f"implements the hook {caller.name}, which mnistarena {_version(CORE)} does not have; "
                f"its hooks are {', '.join(hooks)}"
            )
        kind, expected = hooks[caller.name]
        # One implementation at a time, so that what it returns, or raises, has one author.
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin.module:
                provided += 1
                given = [OFFERED[name] for name in implementation.argnames]
                returned = cast(Iterable[Any], implementation.function(*given))
                plugin.components[kind] = _checked(caller.name, returned, expected)
    if not provided:
        raise PluginError(
            f"{getattr(plugin.module, '__name__', plugin.module)} implements no hook; "
            "mark functions such as arena_models() with @mnistarena.hookimpl"
        )


def _checked(hook: str, returned: Iterable[Any], expected: type) -> list[Any]:
    try:
        components = list(returned)
    except TypeError:
        raise PluginError(f"{hook}() returned {returned!r}, not a list of {expected.__name__}") from None
    for component in components:
        if not isinstance(component, expected):
            raise PluginError(f"{hook}() returned {component!r} where a {expected.__name__} was expected")
    return components
