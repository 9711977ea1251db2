"""A run as its readers want it: trials with their figures, a tidy frame, predictions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistarena.components import Predictions
from mnistarena.errors import StoreError
from mnistarena.store import RunFolder
from mnistarena.trialfolder import TrialFolder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrialResult:
    """One trial of the plan: a recipe (`label`) on a dataset with a seed, and what came of it.

    `status` is `done`, `failed`, `timeout`, `interrupted`, or `pending` where it has not run.
    `metrics` are figures of the test split, None where one has no meaning for the model; `measurements` times (s),
    memory (bytes), counts.
    """

    id: str
    label: str
    dataset: str
    seed: int
    status: str
    metrics: dict[str, float | None] = field(default_factory=dict)
    measurements: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: dict[str, str] | None = None
    folder: TrialFolder | None = None
    views: tuple[dict[str, Any], ...] = ()
    files: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """For people: label, dataset, seed."""
        return f"{self.label} on {self.dataset}, seed {self.seed}"

    @property
    def done(self) -> bool:
        """Whether the trial has results."""
        return self.status == "done"

    def row(self) -> dict[str, Any]:
        """The trial as one flat row: id, label, dataset, seed, status, then metrics and scalar measurements."""
        return {
            "id": self.id,
            "label": self.label,
            "dataset": self.dataset,
            "seed": self.seed,
            "status": self.status,
            **self.metrics,
            **{k: v for k, v in self.measurements.items() if isinstance(v, (int, float))},
        }

    def history(self) -> list[dict[str, Any]]:
        """A row an epoch: epoch, step, train_loss, validation_loss, validation_accuracy, train_seconds …"""
        if self.folder is None:
            return []
        if self.done:
            self.folder.check("history.jsonl", self.files)
        return self.folder.history()

    def time_to(self, target: float) -> float | None:
        """Training seconds until the first epoch whose validation accuracy reaches `target`; None where none does.

        A training that missed the target is a finding (censored), not a gap: count it.
        """
        for row in self.history():
            if row["validation_accuracy"] is not None and row["validation_accuracy"] >= target:
                return float(row["train_seconds"])
        return None

    def predictions(self) -> Predictions:
        """The stored predictions on the test split; raises `StoreError` where they were altered."""
        if self.folder is None or not self.done:
            raise StoreError(f"{self.label}, seed {self.seed}, on {self.dataset} is {self.status}: no predictions")
        self.folder.check("predictions.npz", self.files)
        return self.folder.predictions()

    def views_predicted(self) -> NDArray[np.int32]:
        """The predicted class of every test image in each of `views`, `(views, n)`; `StoreError` where altered."""
        if self.folder is None or not self.views:
            raise StoreError(f"{self.label}, seed {self.seed}, on {self.dataset} predicted no further views")
        self.folder.check("views.npz", self.files)
        predicted = self.folder.views()
        if len(predicted) != len(self.views):
            raise StoreError(
                f"{self.folder.path / 'views.npz'} holds {len(predicted)} views, {len(self.views)} are wanted"
            )
        return predicted


@dataclass(frozen=True)
class Run:
    """A run folder, read: the plan, the environment, the spec's text and every planned trial."""

    path: Path
    plan: dict[str, Any]
    environment: dict[str, Any]
    spec: str
    trials: tuple[TrialResult, ...]

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return str(self.plan["name"])

    @property
    def complete(self) -> bool:
        """Whether every planned trial is done."""
        return all(trial.done for trial in self.trials)

    def of(self, label: str, dataset: str) -> list[TrialResult]:
        """The trials of one recipe on one dataset, by seed."""
        return [trial for trial in self.trials if trial.label == label and trial.dataset == dataset]

    def test_split(self, dataset: str) -> dict[str, Any]:
        """The dataset's test split: `images` uint8 (n, C, H, W), `labels` (n,), `index` (n,)."""
        return RunFolder(self.path).dataset(dataset)

    def rows(self, what: str = "trials") -> Iterator[dict[str, Any]]:
        """Flat rows of a tidy table; see `frame`."""
        target = self.plan.get("target")
        for trial in self.trials:
            key = {"label": trial.label, "dataset": trial.dataset, "seed": trial.seed}
            if what == "trials":
                reached = {"time_to_target": trial.time_to(target) if trial.done else None} if target else {}
                yield {**trial.row(), **reached}
            elif what == "history":
                yield from ({**key, **line} for line in trial.history())
            elif what == "predictions":
                if trial.done:
                    yield from ({**key, **row} for row in _predicted(trial.predictions()))
            elif what == "views":
                if trial.views:
                    yield from ({**key, **row} for row in _views(trial))
            else:
                raise ValueError(f'"{what}" is no table; there are trials, history, predictions and views')

    def frame(self, what: str = "trials") -> pd.DataFrame:
        """A tidy table: `trials`, `history`, `predictions` or `views`.

        trials: a row a trial: id, label, dataset, seed, status, then every metric and scalar measurement;
        `time_to_target` (s) where the spec has a target and the training reached it.
        history: a row a trial and epoch. predictions: a row a trial and test image: index into the test split,
        true class, predicted class, its probability, and whether it is right. views: a row a trial and further view
        of the test images: its name, parameter and severity, and the accuracy on it.
        """
        import pandas as pd

        return pd.DataFrame(self.rows(what))


def _views(trial: TrialResult) -> Iterator[dict[str, Any]]:
    right = trial.views_predicted() == trial.predictions().labels
    for view, accuracy in zip(trial.views, right.mean(axis=1).tolist(), strict=True):
        yield {"view": view["name"], **{k: view.get(k) for k in ("parameter", "severity")}, "accuracy": accuracy}


def _predicted(found: Predictions) -> Iterator[dict[str, Any]]:
    columns = {
        "index": found.index,
        "true": found.labels,
        "predicted": found.predicted,
        "probability": found.probabilities.max(axis=1),
        "correct": found.predicted == found.labels,
    }
    for values in zip(*(column.tolist() for column in columns.values()), strict=True):
        yield dict(zip(columns, values, strict=True))


def load_run(path: str | os.PathLike[str], known: Mapping[str, dict[str, Any]] | None = None) -> Run:
    """Read a run folder; raises `StoreError` where it is none or is damaged.

    Safe on a stranger's folder: nothing is unpickled, links are not followed, and control characters in
    any text are shown as escapes. `known` are records, by trial id, that were just read or written.
    """
    known = known or {}
    folder = RunFolder(Path(path))
    plan = folder.plan()
    trials = []
    for planned in plan["trials"]:
        files = folder.trial(planned["label"], planned["dataset"], planned["seed"], planned["id"])
        record = known.get(planned["id"]) or files.read() or {"status": "pending"}
        trials.append(
            TrialResult(
                id=planned["id"],
                label=planned["label"],
                dataset=planned["dataset"],
                seed=planned["seed"],
                status=record["status"],
                metrics=record.get("metrics", {}),
                measurements=record.get("measurements", {}),
                conditions=record.get("conditions", {}),
                notes=tuple(record.get("notes", ())),
                error=record.get("error"),
                folder=files,
                views=tuple(record.get("view_definitions", ())) if record["status"] == "done" else (),
                files=record.get("files", {}),
            )
        )
    return Run(folder.path, plan, folder.environment(), folder.spec(), tuple(trials))
