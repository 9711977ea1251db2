"""What runs again when a run is continued, and why; what an earlier plan keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mnistarena.errors import StoreError
from mnistarena.execution.observer import Observer
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import HistoryRow, MetricDefinition, ViewDefinition
from mnistarena.store.earlier_use import earlier_uses
from mnistarena.store.json_files import ADVICE
from mnistarena.store.records import DatasetRecord, PlannedTrial, PlanRecord, RecipeRecord, TrialRecord
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.search_records import SearchPlan
from mnistarena.store.trial_folder import MODEL, TrialFolder


@dataclass(frozen=True)
class ScoringRequest:
    """What a plan asks of each trial beyond its training: metrics and views, which may be added later."""

    metrics: Mapping[str, MetricDefinition]
    views: list[ViewDefinition]

    @classmethod
    def of(cls, plan: Plan) -> ScoringRequest:
        """What a plan asks of each of its trials."""
        return cls({m.label: m.definition() for m in plan.metrics}, [view.definition() for view in plan.views])

    def note(self, record: TrialRecord) -> None:
        """Note in a trial's record what it was asked, whether or not it could answer."""
        record["metric_definitions"] = dict(self.metrics)
        record["view_definitions"] = self.views

    def was_asked_of(self, record: TrialRecord) -> bool:
        """Whether a trial was asked for these metrics and views."""
        return record.get("metric_definitions") == self.metrics and not self.has_other_views(record)

    def has_other_views(self, record: TrialRecord | None) -> bool:
        """Whether the views that a trial predicted, or failed to predict, are others."""
        return record is None or record.get("view_definitions", []) != self.views

    def is_missing_in(self, record: TrialRecord) -> bool:
        """Whether a metric of a trial failed, or a view that can be predicted without training, to be tried again."""
        return not self.metrics.keys().isdisjoint(record.get("metric_problems", {})) or self.views_missing_in(record)

    def must_predict_views(self, record: TrialRecord | None) -> bool:
        """Whether a trial that is scored again predicts its views again: they are others, or some are missing."""
        return self.has_other_views(record) or self.views_missing_in(record)

    def views_missing_in(self, record: TrialRecord | None) -> bool:
        """Whether a view failed that the trained model can predict: it is stored, or it is fitted again.

        Where predictions were brought from outside there is no model.
        """
        if record is None or not record.get("view_problems") or "predictions" in record.get("identity", {}):
            return False
        return not _is_network(record) or MODEL in record["files"]

    def must_train(self, record: TrialRecord) -> bool:
        """Whether views are missing and the model that should predict them was not stored.

        A scikit-learn model that is not stored is fitted again, which is not a trial of its own.
        """
        stored = not _is_network(record) or MODEL in record["files"]
        return bool(self.views) and self.has_other_views(record) and not stored


def _is_network(record: TrialRecord) -> bool:
    """Whether a trial trained a torch module, whose parameters are counted."""
    return "parameters" in record.get("measurements", {})


def has_predictions(record: TrialRecord) -> bool:
    """Whether a trial got as far as its predictions: done, or scoring was refused, since code had changed."""
    return record["status"] == "done" or record.get("error", {}).get("stage") == "scoring"


class Resume:
    """Decides which trials of a plan must run in a run folder.

    `finished` are the records, by trial id, of those that need not.
    """

    def __init__(
        self, folder: RunFolder, request: ScoringRequest, *, observer: Observer, force: bool, retry_failed: bool
    ) -> None:
        self.folder, self.request, self.observer = folder, request, observer
        self.force, self.retry_failed = force, retry_failed
        self.finished: dict[str, TrialRecord] = {}

    def trial_folder(self, trial: Trial) -> TrialFolder:
        """The trial's folder."""
        label, dataset = trial.recipe.label, trial.recipe.data.label
        if trial.search is not None:
            return self.folder.search_trial(label, dataset, number=trial.search.number, identity=trial.id)
        return self.folder.trial(label, dataset, seed=trial.seed, split=trial.split, identity=trial.id)

    def waiting(self, trials: Iterable[Trial]) -> list[Trial]:
        """The trials that must run, each identity once."""
        # Two labels of one identity are trained once: under the first.
        first: dict[str, Trial] = {}
        for trial in trials:
            first.setdefault(trial.id, trial)
        return [trial for trial in first.values() if self.must_run(trial)]

    def must_run(self, trial: Trial) -> bool:
        """Whether a trial has no usable result: none at all, an old question, an interruption, a failure to retry.

        A metric or a view that failed is tried again without being asked: the predictions are stored.
        """
        record = self.sound_record(trial)
        if record is None or self.force:
            return True
        if trial.search is None and has_predictions(record) and not self.request.was_asked_of(record):
            return True
        if trial.search is None and record["status"] == "done" and self.request.is_missing_in(record):
            return True
        if record["status"] == "interrupted" or (record["status"] != "done" and self.retry_failed):
            return True
        self.finished[trial.id] = record
        return False

    def result(self, trial: Trial) -> tuple[TrialRecord | None, list[HistoryRow]]:
        """A trial's record, None where it has none, and its history."""
        folder = self.trial_folder(trial)
        record = self.finished.get(trial.id) or folder.read()
        return record, folder.history() if record is not None and record["status"] == "done" else []

    def sound_record(self, trial: Trial) -> TrialRecord | None:
        """The trial's record. If it was altered or truncated, it is moved aside, and the trial runs again."""
        folder = self.trial_folder(trial)
        try:
            record = folder.read()
            damage = folder.damage(record) if record and has_predictions(record) else None
        except StoreError as problem:
            record, damage = None, str(problem).removesuffix(ADVICE)
        if damage is None:
            return record
        aside = self.folder.move_aside(folder.path)
        self.observer.notice(f"{trial.name} is computed again: {damage}; moved to {aside}")
        return None

    def must_train(self, record: TrialRecord | None, *, forced: bool) -> bool:
        """Whether a trial that runs is trained, rather than only scored again."""
        return forced or record is None or not has_predictions(record) or self.request.must_train(record)

    def keeps_checkpoint(self, record: TrialRecord | None) -> bool:
        """Whether a trial that is trained continues from its checkpoint."""
        # A record says how the trial ended; without one it was killed. A failed trial starts from its beginning.
        status = record["status"] if record else "interrupted"
        return not self.force and status in ("interrupted", "timeout")


def plan_before(folder: RunFolder, observer: Observer) -> PlanRecord | None:
    """The plan of the last start here; one that cannot be read is moved aside: the spec gives it again."""
    if not folder.exists():
        return None
    try:
        return folder.plan()
    except StoreError as problem:
        aside = folder.move_aside(folder.path / "plan.json")
        observer.notice(f"{problem}; moved to {aside}")
        return None


def carry_over(
    described: PlanRecord, before: PlanRecord | None, labels: tuple[str, ...], folder: RunFolder
) -> PlanRecord:
    """A plan with what was planned before for models that --only leaves out, and how its test images were used."""
    plan = _with_left_out(described, before, labels)
    return {**plan, "earlier_uses": earlier_uses(folder, plan, before)}


def _with_left_out(described: PlanRecord, before: PlanRecord | None, labels: tuple[str, ...]) -> PlanRecord:
    if before is None:
        return described
    planned = {entry["label"] for entry in described["entries"]}
    datasets = {entry["label"]: entry["fingerprint"] for entry in described["datasets"]}
    same_data = {
        entry["label"] for entry in before["datasets"] if datasets.get(entry["label"]) == entry.get("fingerprint")
    }

    def kept(entry: RecipeRecord | PlannedTrial | SearchPlan) -> bool:
        return entry["label"] in labels and entry["label"] not in planned and entry["dataset"] in same_data

    def place(entry: RecipeRecord | PlannedTrial | SearchPlan) -> int:
        return labels.index(entry["label"])

    _keep_draws(described["datasets"], before["datasets"])
    searches = [*described.get("searches", ()), *filter(kept, before.get("searches", ()))]
    if searches:
        described = {**described, "searches": sorted(searches, key=place)}
    return {
        **described,
        "entries": sorted([*described["entries"], *filter(kept, before["entries"])], key=place),
        "trials": sorted([*described["trials"], *filter(kept, before["trials"])], key=place),
    }


def _keep_draws(datasets: Iterable[DatasetRecord], before: Iterable[DatasetRecord]) -> None:
    """Keep what an earlier start said of splits that only the trials of models left out use."""
    earlier = {entry["label"]: entry for entry in before}
    for entry in datasets:
        same = earlier.get(entry["label"], entry)
        if any(same.get(key) != entry.get(key) for key in ("fingerprint", "split_seed", "folds", "splits")):
            continue
        known = [(one.get("seed"), one.get("split")) for one in entry.get("draws", ())]
        more = [one for one in same.get("draws", ()) if (one.get("seed"), one.get("split")) not in known]
        if more:
            entry["draws"] = [*entry.get("draws", ()), *more]
