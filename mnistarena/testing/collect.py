"""The checks of a component, as a list or as tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mnistarena.errors import PluginError
from mnistarena.plugins import KINDS
from mnistarena.registry import Component, Registry, did_you_mean, installed
from mnistarena.testing.check import Check, Nonconformity, NotApplicable


def checks(definition: Any, *, kind: str | None = None, **options: Any) -> list[Check]:
    """The checks of a component: a `ModelDef` or its like, or an installed one's name.

    `kind` is needed where a name belongs to several kinds. Options of all kinds: `params`, a mapping.
    Models: `image_shape` (C, H, W), by default the first usual one that the model accepts; `transforms`, as in a
    spec, before which that shape is meant; `steps`, `learning_rate` and `images` of the short training.
    Datasets: `data_dir`, where its files are. Transforms: `image_shape`. Metrics: `extras`, a function of the number of
    images that gives arrays of so many rows, for a metric that looks at more than probabilities.
    Raises `PluginError` where no such component is installed.
    """
    from mnistarena.testing.datasets import DatasetSubject
    from mnistarena.testing.executors import ExecutorSubject
    from mnistarena.testing.metrics import MetricSubject
    from mnistarena.testing.models import ModelSubject
    from mnistarena.testing.transforms import TransformSubject

    subjects: dict[str, Callable[..., Any]] = {
        "model": ModelSubject,
        "dataset": DatasetSubject,
        "transform": TransformSubject,
        "metric": MetricSubject,
        "executor": ExecutorSubject,
    }
    if isinstance(definition, str):
        component = find(installed(), definition, kind)
        kind, definition, module = component.kind, component.definition, component.plugin.module.__name__
    else:
        kind = next((k for k, (_, expected) in KINDS.items() if isinstance(definition, expected)), None)
        if kind is None:
            raise PluginError(f"{definition!r} is neither a component nor the name of one")
        module = getattr(definition.params, "__module__", "")
    options.setdefault("params", {})
    return list(subjects[kind](definition, module, **options).checks())


def find(registry: Registry, name: str, kind: str | None) -> Component:
    """The installed component of that name; raises `PluginError` where there is none, or one of several kinds."""
    if kind is not None:
        return registry.get(kind, name)
    kinds = [k for k in KINDS if name in registry.names(k)]
    if len(kinds) > 1:
        raise PluginError(f'"{name}" is the name of a {" and of a ".join(kinds)}; say which kind is meant')
    if not kinds:
        hint = did_you_mean(name, [n for k in KINDS for n in registry.names(k)])
        broken = [f"the plugin {p.name} is {p.status}: {p.cause}" for p in registry.plugins if p.status != "loaded"]
        raise PluginError("; ".join([f'no component called "{name}" is installed{hint}', *broken]))
    return registry.get(kinds[0], name)


def parametrize(
    definition: Any,
    *,
    kind: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
    skip: Mapping[str, str] | None = None,
    **options: Any,
) -> Any:
    """A pytest decorator that gives a test function each of the component's checks as its argument `check`.

    `expected_failures` maps the name of a check to the reason why it fails; one that passes all the same fails the
    test, so that the list stays true. `skip` maps those that are not to be tried to the reason, such as what they
    cost. The other arguments are those of `checks`; an unknown name raises `PluginError`.
    """
    import pytest

    found = checks(definition, kind=kind, **options)
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
    """The check's function with pytest's own way to skip."""

    def function() -> None:
        import pytest

        try:
            check.run()
        except NotApplicable as reason:
            pytest.skip(str(reason))

    return function
