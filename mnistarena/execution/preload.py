"""What the process that workers start from imports once, so that no trial has to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from mnistarena.builtin.metrics import WITHOUT_SCIKIT_LEARN
from mnistarena.errors import PluginError
from mnistarena.plan.grid import is_chosen, variants
from mnistarena.plugin.registry import Registry
from mnistarena.spec.load import Spec
from mnistarena.spec.schema import ModelTable

ALWAYS = ("mnistarena.trial.no_collector", "mnistarena.trial.process", "torch._dynamo")
"""torch's optimizers import the last when the first of them is made."""

METRICS, CLASSIFIERS = "sklearn.metrics", "skops.io"
"""What most metrics import, and what stores a fitted classifier; each takes more than a second."""

EVERYTHING = (METRICS, CLASSIFIERS)


def preload(spec: Spec, registry: Registry, only: Sequence[str] = ()) -> tuple[str, ...]:
    """Which of `EVERYTHING` the trials of a spec will import; names that are not known are left to its check.

    `only` are patterns of labels, as for `resolve`.
    """
    asked = spec.benchmark.metrics if spec.benchmark else []
    metrics = {one if isinstance(one, str) else one.name for one in asked}
    found = [] if metrics <= WITHOUT_SCIKIT_LEARN else [METRICS]
    for i, table in enumerate(spec.models):
        if isinstance(table, ModelTable) and any(
            is_chosen(one.label, only) for one in variants(table, ("model", i), spec.problems)
        ):
            with suppress(PluginError):
                if registry.get("model", table.name).definition.uses == ():
                    return (*found, CLASSIFIERS)
    return tuple(found)
