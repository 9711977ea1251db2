"""What the process that workers start from imports once, so that no trial has to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from mnistarena.builtin.metrics import WITHOUT_SCIKIT_LEARN
from mnistarena.errors import PluginError
from mnistarena.plan.grid import variants
from mnistarena.plugin.registry import Registry
from mnistarena.spec.load import Spec
from mnistarena.spec.schema import ModelTable
from mnistarena.text import is_chosen

ALWAYS = (
    *("mnistarena.trial.origin", "mnistarena.trial.process", "mnistarena.trial.own_plugins"),
    *("mnistarena.execution.workers", "safetensors.torch", "threadpoolctl"),
)
"""What every worker imports; its main function is in `mnistarena.execution.workers`."""

METRICS, CLASSIFIERS, NETWORKS = "sklearn.metrics", "skops.io", "torch._dynamo"
"""What most metrics import, what stores a fitted classifier, and what torch's optimizers import when the first of them
is made; each takes about a second."""

EVERYTHING = (METRICS, CLASSIFIERS, NETWORKS)


def preload(spec: Spec, registry: Registry, only: Sequence[str] = ()) -> tuple[str, ...]:
    """Which of `EVERYTHING` the trials of a spec will import; names that are not known are left to its check.

    `only` are patterns of labels, as for `resolve`.
    """
    asked = spec.benchmark.metrics if spec.benchmark else []
    metrics = {one if isinstance(one, str) else one.name for one in asked}
    found = set() if metrics <= WITHOUT_SCIKIT_LEARN else {METRICS}
    for i, table in enumerate(spec.models):
        if isinstance(table, ModelTable) and any(
            is_chosen(one.label, only) for one in variants(table, ("model", i), spec.problems)
        ):
            with suppress(PluginError):
                uses = registry.get("model", table.name).definition.uses
                found.add(CLASSIFIERS if uses == () else NETWORKS)
    return tuple(one for one in EVERYTHING if one in found)
