"""Rows of the tables that a run is exported as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mnistarena.errors import ArenaError
from mnistarena.plugin.predictions import Predictions
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.text import did_you_mean, is_chosen, series, visible

Row = Mapping[str, Any]
"""A row of a tidy table: values by column."""

TABLES = ("trials", "history", "predictions", "probabilities", "views")


def chosen(run: StoredRun, only: Sequence[str], dataset: str | None) -> list[StoredTrial]:
    """The trials of recipes whose label matches a pattern of `only`, on one dataset; by default all trials.

    Raises `ArenaError` where nothing is called so.
    """
    labels, datasets = ({getattr(one, key): None for one in run.trials} for key in ("label", "dataset"))
    for pattern in only:
        if not any(is_chosen(label, [pattern]) for label in labels):
            hint = did_you_mean(pattern, labels) or f"; its labels: {', '.join(labels) or 'none'}"
            raise ArenaError(f'{run.path} has no model labelled "{pattern}"{hint}')
    if dataset is not None and dataset not in datasets:
        hint = did_you_mean(dataset, datasets) or f"; its datasets: {', '.join(datasets) or 'none'}"
        raise ArenaError(f'{run.path} has no dataset labelled "{dataset}"{hint}')
    return [one for one in run.trials if is_chosen(one.label, only) and dataset in (None, one.dataset)]


def rows(run: StoredRun, what: str, *, only: Sequence[str] = (), dataset: str | None = None) -> Iterator[Row]:
    """The rows of the trials that are `chosen`; `Run.rows` says which each table has.

    Raises `ValueError` where there is no such table.
    """
    if what not in TABLES:
        raise ValueError(f'"{what}" is not a table; there are {series(TABLES)}')
    tables, trials = _Tables(run), chosen(run, only, dataset)
    if what == "probabilities":
        tables.check_classes(trials)
    for trial in trials:
        key = {"label": trial.label, "dataset": trial.dataset, "seed": trial.seed}
        key |= {} if trial.split is None else {"split": trial.split}
        for row in getattr(tables, what)(trial):
            yield row if what == "trials" else {**key, **row}


@dataclass(frozen=True)
class _Tables:
    """What each table says of a trial; `names` are those of a dataset's test images, once they were read."""

    run: StoredRun
    names: dict[str, dict[int, str]] = field(default_factory=dict)

    def trials(self, trial: StoredTrial) -> Iterator[Row]:
        target = self.run.plan.get("target")
        reached = {"time_to_target": trial.time_to(target) if trial.done else None} if target else {}
        yield {**trial.row(), **reached}

    def history(self, trial: StoredTrial) -> Iterator[Row]:
        yield from trial.history()

    def predictions(self, trial: StoredTrial) -> Iterator[Row]:
        if not trial.done:
            return
        found = trial.predictions()
        has_probabilities = found.output == "probabilities"
        nothing = [None] * len(found.labels)
        columns: dict[str, list[Any]] = {
            **self._images(trial, found),
            "true": found.labels.tolist(),
            "predicted": found.predicted.tolist(),
            "probability": found.probabilities.max(axis=1).tolist() if has_probabilities else nothing,
            "correct": (found.predicted == found.labels).tolist(),
        }
        yield from _by_row(columns)

    def probabilities(self, trial: StoredTrial) -> Iterator[Row]:
        found = trial.predictions(as_stored=True) if trial.done else None
        if found is None or found.output != "probabilities":
            return
        classes = self._classes(trial)
        columns: dict[str, list[Any]] = {
            **self._images(trial, found),
            "true": [classes[label] for label in found.labels.tolist()],
        }
        # With the prefix no class has the title of another column; predictions that are brought may have it.
        columns |= {f"p_{name}": values.tolist() for name, values in zip(classes, found.values.T, strict=True)}
        yield from _by_row(columns)

    def views(self, trial: StoredTrial) -> Iterator[Row]:
        if not trial.views:
            return
        right = trial.views_predicted() == trial.predictions().labels
        for view, accuracy in zip(trial.views, right.mean(axis=1).tolist(), strict=True):
            yield {
                "view": view["name"],
                "parameter": view.get("parameter"),
                "severity": view.get("severity"),
                "accuracy": accuracy,
            }

    def check_classes(self, trials: Sequence[StoredTrial]) -> None:
        """Raise `ArenaError` where the datasets of these trials have different classes."""
        datasets = list(dict.fromkeys(trial.dataset for trial in trials))
        if len({self._classes(trial) for trial in trials}) > 1:
            raise ArenaError(
                f"{series(datasets)} have different classes, so their probabilities are not one table; choose a "
                f'dataset: --dataset {datasets[0]}, or dataset="{datasets[0]}" in Python'
            )

    def _classes(self, trial: StoredTrial) -> tuple[str, ...]:
        (entry,) = (one for one in self.run.plan["datasets"] if one["label"] == trial.dataset)
        return tuple(entry["class_names"])

    def _images(self, trial: StoredTrial, found: Predictions) -> dict[str, list[Any]]:
        """The columns that say which images the rows are of, with their names where the dataset has names."""
        if trial.dataset not in self.names:
            split = self.run.test_split(trial.dataset)
            called = map(visible, split["names"].tolist()) if "names" in split else ()
            self.names[trial.dataset] = dict(zip(split["index"].tolist(), called, strict=False))
        names, index = self.names[trial.dataset], found.index.tolist()
        return {"index": index, **({"name": [names.get(one, "") for one in index]} if names else {})}


def _by_row(columns: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))
