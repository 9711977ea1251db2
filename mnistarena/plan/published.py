"""Figures that were published without predictions: they stand beside those of a run, and no verdict is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mnistarena.plan.recipe import LoadedDataset, PlannedDataset
from mnistarena.spec.brought import PublishedTable
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.store.records import PublishedRecord
from mnistarena.text import did_you_mean, is_chosen


def published(
    spec: Spec, datasets: Sequence[PlannedDataset], labels: Sequence[str], only: Sequence[str]
) -> Iterator[PublishedRecord]:
    """The published figures of a spec, on the datasets that are loaded; `labels` are those of its recipes."""
    known = [data.label for data in datasets]
    seen: set[tuple[str, str | None]] = set()
    tables = [(i, table) for i, table in enumerate(spec.models) if isinstance(table, PublishedTable)]
    if tables and len(tables) == len(spec.models):
        spec.problems.add(("model",), "nothing to run: there are published figures only")
    for i, table in tables:
        path: KeyPath = ("model", i)
        key = (table.label, table.dataset)
        if table.label in labels or key in seen:
            spec.problems.add(path, f'two models are labelled "{table.label}"; give one a "label" of its own')
        seen.add(key)
        if table.dataset is None and len(spec.datasets) > 1:
            spec.problems.add(path, f'the spec has several datasets; say which it is of: dataset = "{known[0]}"')
        elif table.dataset is not None and table.dataset not in known and None not in spec.datasets:
            hint = did_you_mean(table.dataset, known) or f"; labels: {', '.join(known)}"
            spec.problems.add((*path, "dataset"), f'no dataset is labelled "{table.dataset}"{hint}')
        elif is_chosen(table.label, only):
            yield from (_record(table, data) for data in datasets if table.dataset in (None, data.label))


def _record(table: PublishedTable, data: PlannedDataset) -> PublishedRecord:
    own = isinstance(data, LoadedDataset) and not data.table.pooled
    n_test = len(data.dataset.test_labels) if isinstance(data, LoadedDataset) and own else None
    return {"label": table.label, "dataset": data.label, "text": table.published, "n_test": n_test}
