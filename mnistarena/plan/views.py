"""The views that the `[[evaluation]]` tables of a spec ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mnistarena.plan.contents import TestView
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.recipe import LoadedDataset, PlannedDataset
from mnistarena.spec import schema
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.table import ComponentEntry
from mnistarena.text import did_you_mean


def views_of(spec: Spec, lookup: Lookup, datasets: Sequence[PlannedDataset]) -> Iterator[TestView]:
    """The views of every `[[evaluation]]`: one, or one a severity."""
    names: list[str] = []
    for i, table in enumerate(spec.evaluations):
        if table is None:
            continue
        path: KeyPath = ("evaluation", i)
        if table.name in names:
            lookup.problems.add((*path, "name"), f'two evaluations are called "{table.name}"')
        names.append(table.name)
        for parameter, severities in table.severities.items():
            at = _owner(table, parameter, (*path, "severities", parameter), lookup)
            if at is None:
                break
            for severity in severities:
                chosen = list(table.transforms)
                item = chosen[at]
                before = {"name": item} if isinstance(item, str) else {"name": item.name, **item.arguments}
                chosen[at] = ComponentEntry.model_validate({**before, parameter: severity})
                yield from _view(table, chosen, path, datasets, lookup, parameter=parameter, severity=severity)
        if not table.severities:
            yield from _view(table, table.transforms, path, datasets, lookup)


def _owner(table: schema.EvaluationTable, parameter: str, path: KeyPath, lookup: Lookup) -> int | None:
    """Which of a view's transforms has the parameter that its severities set."""
    owners, known = [], []
    for at, item in enumerate(table.transforms):
        component = lookup.component("transform", item if isinstance(item, str) else item.name, path)
        if component is None:
            return None
        fields = list(component.definition.params.model_fields)
        known += fields
        owners += [at] if parameter in fields else []
    if len(owners) == 1:
        return owners[0]
    have = "several of its transforms have" if owners else "none of its transforms has"
    lookup.problems.add(path, f'{have} a parameter "{parameter}"{did_you_mean(parameter, known)}')
    return None


def _view(
    table: schema.EvaluationTable,
    entries: list[str | ComponentEntry],
    path: KeyPath,
    datasets: Sequence[PlannedDataset],
    lookup: Lookup,
    *,
    parameter: str | None = None,
    severity: Any = None,
) -> Iterator[TestView]:
    where: KeyPath = (*path, "transforms") if parameter is None else (*path, "severities", parameter)
    found = None
    for data in datasets:
        task = data.task if isinstance(data, LoadedDataset) else None
        found, after = lookup.transforms(entries, where, task)
        if task is not None and after is not None and after.image_shape != task.image_shape:
            before, now = (" × ".join(map(str, t.image_shape)) for t in (task, after))
            lookup.problems.add(
                where,
                f'a view keeps the shape of the test images: those of "{data.label}" go from {before} to {now}',
            )
    if found is not None:
        yield TestView(table.name, parameter, severity=severity, transforms=found)
