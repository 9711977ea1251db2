"""The checks of a component, as a list or as tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mnistarena.errors import PluginError
from mnistarena.plugin.discovery import KINDS
from mnistarena.plugin.registry import Component, Registry, installed
from mnistarena.plugin.single_file import plugin_file
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.text import a, did_you_mean

if TYPE_CHECKING:
    import pytest

    from mnistarena.testing.component import ComponentUnderTest


def checks(
    definition: Any, *, kind: str | None = None, plugins: Sequence[str | os.PathLike[str]] = (), **options: Any
) -> list[Check]:
    """The checks of a component: of a `ModelDef` or its like, or of an installed component by its name.

    `kind` is needed where a name belongs to several kinds. `plugins` are single-file plugins to load as well, where
    the definition is a name. Options of all kinds: `params`, a mapping.
    Models: `image_shape` (C, H, W), by default the first usual one that the model accepts; `transforms`, as in a
    spec, before which that shape is meant; `steps`, `learning_rate` and `images` of the short training.
    Datasets: `data_dir`, where its files are. Transforms and augmentations: `image_shape`. Metrics: `extras`, a
    function of the number of images that gives arrays of so many rows, for a metric that looks at more than
    probabilities.
    Raises `PluginError` where no such component is installed.
    """
    module: str | os.PathLike[str]
    if isinstance(definition, str):
        registry = installed([plugin_file(path) for path in plugins])
        component = find(registry, definition, kind)
        kind, definition, module = component.kind, component.definition, _source(component)
        if kind == "model":
            options["registry"] = registry
    else:
        kind = next((k for k, (_, expected) in KINDS.items() if isinstance(definition, expected)), None)
        if kind is None:
            raise PluginError(f"{definition!r} is neither a component nor the name of one")
        module = _module_of(definition)
    params = options.pop("params", {})
    return _under_test(kind)(definition, module, params, **options).checks()


def _module_of(definition: Any) -> str:
    """The plugin's module: where its parameters are defined, or its functions where the parameters are not its own."""
    parts = [definition.params, *(part for part in vars(definition).values() if callable(part))]
    modules = [getattr(part, "__module__", None) or "" for part in parts]
    return next((name for name in modules if name.partition(".")[0] not in ("", "mnistarena")), modules[0])


def _source(component: Component) -> str | os.PathLike[str]:
    """The module that a component comes from: its full name, or the path of a single-file plugin."""
    plugin = component.plugin
    if plugin.file is not None:
        return plugin.file.path
    return "" if plugin.module is None else plugin.module.__name__


def _under_test(kind: str) -> Callable[..., ComponentUnderTest]:
    """The class that holds the checks of a kind."""
    from mnistarena.testing.augmentations import AugmentationUnderTest
    from mnistarena.testing.datasets import DatasetUnderTest
    from mnistarena.testing.executors import ExecutorUnderTest
    from mnistarena.testing.losses import LossUnderTest
    from mnistarena.testing.metrics import MetricUnderTest
    from mnistarena.testing.models import ModelChecks
    from mnistarena.testing.observers import ObserverUnderTest
    from mnistarena.testing.optimizers import OptimizerUnderTest
    from mnistarena.testing.schedules import ScheduleUnderTest
    from mnistarena.testing.searchers import SearcherUnderTest
    from mnistarena.testing.transforms import TransformUnderTest

    classes: dict[str, Callable[..., ComponentUnderTest]] = {
        "model": ModelChecks,
        "dataset": DatasetUnderTest,
        "transform": TransformUnderTest,
        "metric": MetricUnderTest,
        "optimizer": OptimizerUnderTest,
        "loss": LossUnderTest,
        "schedule": ScheduleUnderTest,
        "augmentation": AugmentationUnderTest,
        "searcher": SearcherUnderTest,
        "executor": ExecutorUnderTest,
        "observer": ObserverUnderTest,
    }
    return classes[kind]


def find(registry: Registry, name: str, kind: str | None) -> Component:
    """The installed component of that name; raises `PluginError` where there is none, or one of several kinds."""
    if kind is not None:
        return registry.get(kind, name)
    kinds = [k for k in KINDS if name in registry.names(k)]
    if len(kinds) > 1:
        raise PluginError(f'"{name}" is the name of {" and of ".join(map(a, kinds))}; say which kind is meant')
    if not kinds:
        hint = did_you_mean(name, [n for k in KINDS for n in registry.names(k)])
        broken = [f"the plugin {p.name} is {p.status}: {p.cause}" for p in registry.plugins if p.status != "loaded"]
        raise PluginError("; ".join([f'no component called "{name}" is installed{hint}', *broken]))
    return registry.get(kinds[0], name)


def parametrize(
    definition: Any,
    *,
    kind: str | None = None,
    plugins: Sequence[str | os.PathLike[str]] = (),
    expected_failures: Mapping[str, str] | None = None,
    skip: Mapping[str, str] | None = None,
    **options: Any,
) -> pytest.MarkDecorator:
    """A pytest decorator that gives a test function each of the component's checks as its argument `check`.

    `expected_failures` maps the name of a check to the reason why it fails; if it passes instead, the test fails, so
    that the list stays correct. `skip` maps the names of checks that are not to be run to the reason, such as what
    they cost. The other arguments are those of `checks`; an unknown name raises `PluginError`.
    """
    import pytest

    found = checks(definition, kind=kind, plugins=plugins, **options)
    marks: dict[str, list[Any]] = {check.name: [] for check in found}
    for name, reason in {**(expected_failures or {}), **(skip or {})}.items():
        if name not in marks:
            raise PluginError(f'there is no check called "{name}"; there are {", ".join(marks)}')
        strict = pytest.mark.xfail(reason=reason, raises=Nonconformity, strict=True)
        marks[name].append(pytest.mark.skip(reason=reason) if name in (skip or {}) else strict)
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(replace(check, function=_skipping(check)), id=check.name, marks=marks[check.name])
            for check in found
        ],
    )


def _skipping(check: Check) -> Callable[[], None]:
    """The check's function; where the check does not apply, pytest skips the test."""

    def function() -> None:
        import pytest

        try:
            check.run()
        except NotApplicable as reason:
            pytest.skip(str(reason))

    return function
