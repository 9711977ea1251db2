"""What can be checked of a spec's tables by themselves, without data and without the other tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass

from mnistarena.plan.grid import Variant, variants
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.metric import Metric
from mnistarena.plan.training import PlannedTraining, planned_training
from mnistarena.plugin.components import Params
from mnistarena.plugin.registry import Component
from mnistarena.spec import schema
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.table import ComponentEntry


@dataclass(frozen=True)
class PlannedModel:
    """A model with its parameters and its training, the same on every dataset."""

    model: Component
    params: Params
    _: KW_ONLY
    training: PlannedTraining


def planned_model(variant: Variant, spec: Spec, lookup: Lookup) -> PlannedModel | None:
    """The model of a `[[model]]` table; None where something is wrong with it, with the problems recorded."""
    table, path = variant.table, variant.path
    model = lookup.component("model", table.name, (*path, "name"))
    training = planned_training(variant, spec, lookup, None if model is None else model.definition.uses)
    lookup.transforms(table.transforms or [], (*path, "transforms"), None)
    if model is None:
        return None
    given = {**table.params, **variant.params}
    params = lookup.problems.check(model.definition.params, given, variant.where("params"), noun="parameter")
    if params is None or training is None:
        return None
    return PlannedModel(model, params, training=training)


def planned_metrics(entries: Iterable[str | ComponentEntry], where: KeyPath, lookup: Lookup) -> list[Metric]:
    """The metrics of a benchmark, under their labels; those with a problem, which is recorded, are left out."""
    found: list[Metric] = []
    for i, entry in enumerate(entries):
        path: KeyPath = (*where, "metrics", i)
        name, arguments = (entry, {}) if isinstance(entry, str) else (entry.name, entry.arguments)
        label = arguments.pop("label", name)
        component = lookup.component("metric", name, path)
        if component is None:
            continue
        params = lookup.problems.check(component.definition.params, arguments, path, noun="parameter")
        if label == "accuracy" != name:
            lookup.problems.add(path, f'"{name}" cannot be labelled "accuracy", which is a metric of its own')
        elif label in [m.label for m in found]:
            lookup.problems.add(path, f'two metrics are labelled "{label}"; give one a "label" of its own')
        elif params is not None:
            found.append(Metric(label, component, params=params))
    return found


def planned_dataset(table: schema.DatasetTable, path: KeyPath, lookup: Lookup) -> tuple[Component, Params] | None:
    """The dataset of a `[[dataset]]` table and its parameters; None where something is wrong with these.

    Its transforms are checked, too.
    """
    lookup.transforms(table.transforms, (*path, "transforms"), None)
    component = lookup.component("dataset", table.name, (*path, "name"))
    if component is None:
        return None
    params = lookup.problems.check(component.definition.params, table.params, (*path, "params"), noun="parameter")
    return None if params is None else (component, params)


def check_damaged(spec: Spec, lookup: Lookup) -> None:
    """Record the further problems of the tables that have one already.

    Parameters are looked at where there are any: they may stand under the key that is wrong.
    """
    for one in spec.damaged:
        table, path = one.table, one.path
        if isinstance(table, schema.Benchmark):
            planned_metrics(table.metrics, path, lookup)
        elif isinstance(table, schema.DatasetTable) and table.params:
            planned_dataset(table, path, lookup)
        elif isinstance(table, schema.DatasetTable):
            lookup.component("dataset", table.name, (*path, "name"))
            lookup.transforms(table.transforms, (*path, "transforms"), None)
        elif isinstance(table, schema.ModelTable):
            for variant in variants(table, path, lookup.problems):
                planned_model(variant, spec, lookup)
        elif isinstance(table, schema.EvaluationTable):
            lookup.transforms(table.transforms, (*path, "transforms"), None)
