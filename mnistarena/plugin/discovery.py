"""Discovery of plugins: each is loaded alone, so that a broken one is reported and the others still work."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import os
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mnistarena.errors import PluginError
from mnistarena.plugin import hooks
from mnistarena.plugin.components import DatasetDef, MetricDef, ModelDef, TransformDef
from mnistarena.plugin.executor import ExecutorDef, PluginFile
from mnistarena.plugin.observer import ObserverDef
from mnistarena.plugin.search import SearcherDef
from mnistarena.plugin.single_file import import_file
from mnistarena.plugin.training import AugmentationDef, LossDef, OptimizerDef, ScheduleDef
from mnistarena.version import __version__

KINDS: dict[str, tuple[str, type]] = {
    "model": ("arena_models", ModelDef),
    "dataset": ("arena_datasets", DatasetDef),
    "transform": ("arena_transforms", TransformDef),
    "metric": ("arena_metrics", MetricDef),
    "optimizer": ("arena_optimizers", OptimizerDef),
    "loss": ("arena_losses", LossDef),
    "schedule": ("arena_schedules", ScheduleDef),
    "augmentation": ("arena_augmentations", AugmentationDef),
    "executor": ("arena_executors", ExecutorDef),
    "searcher": ("arena_searchers", SearcherDef),
    "observer": ("arena_observers", ObserverDef),
}
"""Kind of component → its hook, and the type the hook returns."""

REGISTERED = "_arena_registered"
"""The name in a single-file plugin of what it gave to `mnistarena.register`."""

OFFERED: dict[str, Any] = {}
"""What hooks are passed, by the name of the argument; a plugin is given those that it takes."""

CORE = "mnistarena"

BUILTIN = {
    "fashion-mnist": "builtin.datasets.fashion_mnist",
    "digits": "builtin.datasets.digits",
    "mnist-relatives": "builtin.datasets.mnist_relatives",
    "cifar": "builtin.datasets.cifar",
    "svhn": "builtin.datasets.svhn",
    "medmnist": "builtin.datasets.medmnist",
    "image-folder": "builtin.datasets.image_folder",
    "arrays": "builtin.datasets.arrays",
    "mat": "builtin.datasets.mat",
    "table": "builtin.datasets.table",
    "transforms": "builtin.transforms",
    "corruptions": "builtin.corruptions",
    "trivial-augment": "builtin.trivial_augment",
    "metrics": "builtin.metrics",
    "optimizers": "builtin.optimizers",
    "losses": "builtin.losses",
    "schedules": "builtin.schedules",
    "augmentations": "builtin.augmentations",
    "searchers": "builtin.searchers",
    "local": "execution.local",
}
"""Modules of this package that are registered like plugins, by the name they are listed under."""


@dataclass
class Plugin:
    """One entry point, builtin module or single file, and what came of it.

    `unmet` is what its distribution requires of mnistarena where this version does not meet it. Of a single file,
    `file` is set, `distribution` is the file's name, and `version` the beginning of its digest.
    """

    name: str
    distribution: str
    _: KW_ONLY
    version: str
    status: Literal["loaded", "broken", "blocked"] = "loaded"
    cause: str = ""
    traceback: str = ""
    unmet: str = ""
    module: ModuleType | None = None
    file: PluginFile | None = None
    components: dict[str, list[Any]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    @property
    def key(self) -> str:
        """The plugin's name in identities."""
        return f"{self.distribution}:{self.name}"

    @property
    def digest(self) -> str:
        """SHA-256 over the plugin's source files; part of the identity of every trial that uses it."""
        if self.file is not None:
            return self.file.digest
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


def core_digest() -> str:
    """SHA-256 over the source files of mnistarena itself, all of its packages."""
    return source_digest(str(Path(__file__).resolve().parents[1] / "__init__.py"))


def discover(files: Sequence[PluginFile] = (), only: Collection[str] | None = None) -> list[Plugin]:
    """Every plugin of this environment, the builtin ones first, then those that are single files.

    `only` names those of the environment that are imported, as their `key` does; None: all of them.
    `ARENA_DISABLE_PLUGINS=name,…` blocks entry points or distributions before they are imported.
    With `ARENA_STRICT_PLUGINS=1`, a broken plugin raises `PluginError`.
    """
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    plugins = [*discover_builtin(), *_entry_points(manager, only), *(_of_file(file, manager) for file in files)]
    broken = [plugin for plugin in plugins if plugin.status == "broken"]
    if broken and os.environ.get("ARENA_STRICT_PLUGINS") == "1":
        raise PluginError("\n".join(f"plugin {p.name} ({p.distribution}): {p.cause}" for p in broken))
    return plugins


def kind_of(component: object) -> str | None:
    """The kind of a component; None where it is none."""
    return next((kind for kind, (_, expected) in KINDS.items() if isinstance(component, expected)), None)


@cache
def discover_builtin() -> tuple[Plugin, ...]:
    """The plugins that come with mnistarena itself."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    found = []
    for name, module in BUILTIN.items():
        plugin = Plugin(f"builtin-{name}", CORE, version=_version(CORE))
        _load(plugin, manager, lambda module=module: importlib.import_module(f"{CORE}.{module}"))  # type: ignore[misc]
        found.append(plugin)
    return tuple(found)


def _entry_points(manager: pluggy.PluginManager, only: Collection[str] | None) -> Iterable[Plugin]:
    blocked = {name.strip() for name in os.environ.get("ARENA_DISABLE_PLUGINS", "").split(",")} - {""}
    seen: set[tuple[str, str]] = set()
    for entry_point in _declared(only):
        dist = entry_point.dist
        described = dist.metadata if dist else None  # each reading of `metadata` parses its file
        distribution, version = (described["Name"], described["Version"]) if described else ("unknown", "?")
        # An editable install can be found twice, by its folder and by its link (setuptools#3649).
        if (distribution, entry_point.name) in seen:
            continue
        seen.add((distribution, entry_point.name))
        plugin = Plugin(entry_point.name, distribution, version=version, unmet=unmet(dist, _version(CORE)))
        if {entry_point.name, distribution} & blocked:
            plugin.status, plugin.cause = "blocked", "blocked by ARENA_DISABLE_PLUGINS"
        else:
            _load(plugin, manager, entry_point.load)
        yield plugin


def _declared(only: Collection[str] | None) -> Iterable[importlib.metadata.EntryPoint]:
    """The entry points of all distributions, or those that `only` names, for which no other distribution is read."""
    if only is None:
        return importlib.metadata.entry_points(group=hooks.PROJECT)
    return [
        entry_point
        for distribution, _, name in (key.partition(":") for key in sorted(only))
        for found in importlib.metadata.distributions(name=distribution)
        for entry_point in found.entry_points.select(group=hooks.PROJECT, name=name)
    ]


def _of_file(file: PluginFile, manager: pluggy.PluginManager) -> Plugin:
    plugin = Plugin(file.name, f"{file.name}.py", version=file.digest[:8], file=file)
    _load(plugin, manager, lambda: import_file(file))
    return plugin


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


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return __version__


def _load(plugin: Plugin, manager: pluggy.PluginManager, load: Callable[[], ModuleType]) -> None:
    try:
        plugin.module = load()
        _refuse_unknown_arguments(plugin.module)
        manager.register(plugin.module, name=plugin.key)
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
        if not callable(function) or not hasattr(function, f"{hooks.PROJECT}_impl"):
            continue
        unknown = [name for name in inspect.signature(function).parameters if name not in OFFERED]
        if unknown:
            raise PluginError(
                f"its {hook}() takes {', '.join(unknown)}, which mnistarena {_version(CORE)} does not pass; it was "
                f"written for another version: upgrade mnistarena, or install an older version of the plugin"
            )


def _collect(plugin: Plugin, manager: pluggy.PluginManager) -> None:
    known = {hook: (kind, expected) for kind, (hook, expected) in KINDS.items()}
    provided = set()
    for caller in manager.get_hookcallers(plugin.module) or ():
        if caller.name not in known:
            raise PluginError(
                f"implements the hook {caller.name}, which mnistarena {_version(CORE)} does not have; "
                f"its hooks are {', '.join(known)}"
            )
        kind, expected = known[caller.name]
        # One implementation at a time, so that what it returns, or raises, belongs to one plugin.
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin.module:
                provided.add(kind)
                given = [OFFERED[name] for name in implementation.argnames]
                returned = cast(Iterable[Any], implementation.function(*given))
                plugin.components[kind] = _checked(caller.name, returned, expected)
    registered = getattr(plugin.module, REGISTERED, [])
    for component in registered:
        kind = str(kind_of(component))
        if kind in provided:
            raise PluginError(
                f'gives {kind} "{component.name}" to mnistarena.register, and implements {KINDS[kind][0]}(); '
                f"return it from {KINDS[kind][0]}(), or register every {kind}"
            )
        plugin.components[kind].append(component)
    if not provided and not registered:
        raise PluginError(
            f"{getattr(plugin.module, '__name__', plugin.module)} implements no hook; "
            "mark functions such as arena_models() with @mnistarena.hookimpl, or, in a plugin that is a single file, "
            "give components to mnistarena.register"
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
