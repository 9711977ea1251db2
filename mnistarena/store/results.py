"""A run folder read: trials with their figures, tidy tables, predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnistarena.environment import Conditions
from mnistarena.errors import StoreError
from mnistarena.plugin.messages import ErrorDetails, HistoryRow, Measurements, ViewDefinition, view_title
from mnistarena.plugin.predictions import Predictions
from mnistarena.store.contributions import CONTRIBUTIONS, Contribution
from mnistarena.store.looks import is_needed
from mnistarena.store.records import LooksRecord, PlannedTrial, PlanRecord, RecipeRecord, TrialRecord
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.search_records import SearchesRecord
from mnistarena.store.trial_folder import CLASSIFIER, MODEL, TrialFolder
from mnistarena.text import drawn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TrialStatus = Literal["done", "failed", "timeout", "interrupted", "pending", "not needed"]


@dataclass(frozen=True)
class StoredTrial:
    """One trial of the plan: a recipe (`label`) on a dataset with a seed, and what became of it.

    `split` is the number of its split where the dataset has several of them.
    `status` is `done`, `failed`, `timeout`, `interrupted`, `pending` where it has not run, or `not needed` where
    everything was decided with fewer seeds; `look` is the first look that needs it.
    `metrics` are figures of the test split, None where one has no meaning for the model; `measurements` times (s),
    memory (bytes), counts. `views` are the further views of the test images that it predicted. `files` are the
    digests of its files. `started` is when it began, in ISO 8601. `missing` says why figures are missing, by the
    metric's label or the view's title. `no_interval`: why it is not known what each image contributes to a metric.
    """

    id: str
    label: str
    _: KW_ONLY
    dataset: str
    seed: int
    split: int | None = None
    status: TrialStatus
    folder: TrialFolder
    look: int = 1
    metrics: dict[str, float | None] = field(default_factory=dict)
    measurements: Measurements = field(default_factory=lambda: Measurements())
    conditions: Conditions = field(default_factory=lambda: Conditions())
    notes: tuple[str, ...] = ()
    error: ErrorDetails | None = None
    views: tuple[ViewDefinition, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    no_interval: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    started: str | None = None

    def __repr__(self) -> str:
        accuracy = self.metrics.get("accuracy")
        shown = "" if accuracy is None else f", accuracy {accuracy:.4f}"
        return f"<{type(self).__name__} {self.name}: {self.status}{shown}>"

    @property
    def name(self) -> str:
        """The trial's name to show: label, dataset, seed, split."""
        return f"{self.label} on {self.dataset}, {drawn(self.seed, self.split)}"

    @property
    def done(self) -> bool:
        """Whether the trial has results."""
        return self.status == "done"

    @property
    def needed(self) -> bool:
        """Whether the trial is asked for: it is, unless everything was decided with fewer seeds."""
        return self.status != "not needed"

    @property
    def unfinished(self) -> bool:
        """Whether the trial is asked for and has no results."""
        return self.needed and not self.done

    @property
    def has_model(self) -> bool:
        """Whether its trained weights, or its fitted classifier, are stored."""
        return bool({MODEL, CLASSIFIER} & self.files.keys())

    def record(self) -> TrialRecord | None:
        """The whole record; None where the trial has not run."""
        return self.folder.read()

    def row(self) -> Mapping[str, Any]:
        """The trial as one flat row: id, label, dataset, seed, split if any, status, metrics, scalar measurements.

        `missing` says which figures are missing and why; `flops_uncounted` what `flops_per_image` does not count.
        """
        uncounted = ", ".join(self.measurements.get("flops_uncounted", ()))
        return {
            "id": self.id,
            "label": self.label,
            "dataset": self.dataset,
            "seed": self.seed,
            **({} if self.split is None else {"split": self.split}),
            "status": self.status,
            **self.metrics,
            **{k: v for k, v in self.measurements.items() if isinstance(v, (int, float))},
            **({"missing": "; ".join(f"{k}: {v}" for k, v in self.missing.items())} if self.missing else {}),
            **({"flops_uncounted": uncounted} if uncounted else {}),
        }

    def history(self) -> list[HistoryRow]:
        """A row an epoch: epoch, step, train_loss, validation_loss, validation_accuracy, train_seconds …"""
        return self.folder.history(self.files if self.done else None)

    def time_to(self, target: float) -> float | None:
        """Training seconds until the first epoch whose validation accuracy reaches `target`; None where none does.

        A training that missed the target counts (it is censored): do not leave it out.
        """
        for row in self.history():
            accuracy = row.get("validation_accuracy")
            if accuracy is not None and accuracy >= target:
                return float(row["train_seconds"])
        return None

    def predictions(self, *, as_stored: bool = False) -> Predictions:
        """The stored predictions on the test split; raises `StoreError` where they were altered.

        Probabilities are divided by their sum in float64; `as_stored`, they are the float32 that the file holds, which
        give the same figures again where they are brought to another run.
        """
        if not self.done:
            raise StoreError(f"{self.name} is {self.status}: no predictions")
        return self.folder.predictions(self.files, as_stored=as_stored)

    def contributions(self) -> dict[str, Contribution]:
        """What each test image contributes to each metric, by label; `StoreError` where altered."""
        if not self.done:
            return {}
        if CONTRIBUTIONS in self.files or self.folder.contributions.path.exists():
            self.folder.check(CONTRIBUTIONS, self.files)
        return self.folder.contributions.read()

    def views_predicted(self) -> NDArray[np.int32]:
        """The predicted class of every test image in each of `views`, `(views, n)`; `StoreError` where altered."""
        if not self.views:
            raise StoreError(f"{self.name} predicted no further views")
        predicted, _ = self.folder.views(self.files)
        if len(predicted) != len(self.views):
            raise StoreError(f"{self.folder.path}: {len(predicted)} views are stored, {len(self.views)} are wanted")
        return predicted


@dataclass(frozen=True)
class StoredRun:
    """A run folder, read: the plan, the environment, the spec's text and every planned trial.

    `looks` says what the looks decided, by dataset, `searches` what searches tried and chose; both may be empty.
    """

    path: Path
    plan: PlanRecord
    _: KW_ONLY
    environment: Mapping[str, object]
    spec: str
    trials: tuple[StoredTrial, ...]
    looks: LooksRecord = field(default_factory=lambda: LooksRecord(datasets={}))
    searches: SearchesRecord = field(default_factory=lambda: SearchesRecord(searches=[]))

    def __repr__(self) -> str:
        done = [trial.done for trial in self.trials if trial.needed]
        return f"<{type(self).__name__} {self.name!r} in {self.path}: {sum(done)} of {len(done)} trials done>"

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.plan["name"]

    @property
    def complete(self) -> bool:
        """Whether every planned trial is done or not needed, and every search has chosen something."""
        return not any(trial.unfinished for trial in self.trials) and not self.unchosen

    @property
    def unchosen(self) -> list[RecipeRecord]:
        """The recipes whose search goes on, or has found nothing."""
        return [entry for entry in self.plan["entries"] if entry.get("chosen") == []]

    def of(self, label: str, dataset: str) -> list[StoredTrial]:
        """The trials of one recipe on one dataset, by seed and split, without those that are not needed."""
        return [trial for trial in self.trials if trial.label == label and trial.dataset == dataset and trial.needed]

    def test_split(self, dataset: str) -> dict[str, NDArray[Any]]:
        """The dataset's test split: `images` uint8 (n, C, H, W), `labels` (n,), `index` (n,)."""
        return RunFolder(self.path).dataset(dataset)


def read_run(path: str | os.PathLike[str], known: Mapping[str, TrialRecord] | None = None) -> StoredRun:
    """Read a run folder; raises `StoreError` where it is not one, or is damaged.

    Safe on a run folder from elsewhere: nothing is unpickled, links are not followed, and control characters in
    any text are shown as escapes. `known` are records, by trial id, that were just read or written.
    """
    folder = RunFolder(Path(path))
    plan = folder.plan()
    looks = folder.looks() if plan.get("looks") else LooksRecord(datasets={})
    return StoredRun(
        folder.path,
        plan,
        environment=folder.environment(),
        spec=folder.spec(),
        trials=read_trials(plan, folder, known, looks),
        looks=looks,
        searches=folder.searches() if plan.get("searches") else SearchesRecord(searches=[]),
    )


def read_trials(
    plan: PlanRecord,
    folder: RunFolder,
    known: Mapping[str, TrialRecord] | None = None,
    looks: LooksRecord | None = None,
) -> tuple[StoredTrial, ...]:
    """The trials of a plan as they are stored; `looks` says which are not needed."""
    found = ((planned, _read_trial(planned, folder, known or {})) for planned in plan["trials"])
    return tuple(one if is_needed(planned, looks) else replace(one, status="not needed") for planned, one in found)


def _read_trial(planned: PlannedTrial, folder: RunFolder, known: Mapping[str, TrialRecord]) -> StoredTrial:
    seed, split = planned["seed"], planned.get("split")
    files = folder.trial(planned["label"], planned["dataset"], seed=seed, split=split, identity=planned["id"])
    record = known.get(planned["id"]) or files.read()
    if record is None:
        return StoredTrial(
            planned["id"],
            planned["label"],
            dataset=planned["dataset"],
            seed=seed,
            split=split,
            status="pending",
            folder=files,
            look=planned.get("look", 1),
        )
    done = record["status"] == "done"
    lost = record.get("view_problems", {})
    views = tuple(view for view in record.get("view_definitions", ()) if view_title(view) not in lost)
    return StoredTrial(
        planned["id"],
        planned["label"],
        dataset=planned["dataset"],
        seed=seed,
        split=split,
        status=record["status"],
        folder=files,
        look=planned.get("look", 1),
        metrics=record.get("metrics", {}),
        measurements=record.get("measurements", {}),
        conditions=record.get("conditions", {}),
        notes=tuple(record.get("notes", ())),
        error=record.get("error"),
        views=views if done else (),
        missing={**record.get("no_values", {}), **record.get("metric_problems", {}), **lost} if done else {},
        no_interval=record.get("interval_problems", {}),
        files=record.get("files", {}),
        started=record.get("started"),
    )
