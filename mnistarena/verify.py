"""Proof of a finished run: figures recomputed from stored predictions, trials run again and compared bit by bit."""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mnistarena import environment
from mnistarena.data.arrays import write_arrays
from mnistarena.data.draws import Draw
from mnistarena.errors import ArenaError, StoreError
from mnistarena.evidence.looks import look_at
from mnistarena.execution.supervisor import run_here
from mnistarena.execution.workers import Workers
from mnistarena.inference.provenance import (
    identity_of,
    load_dataset,
    planned_recipe,
    registry_for_run,
)
from mnistarena.inference.searched import search_problem
from mnistarena.plan.identity import ENGINE, identify
from mnistarena.plugin.components import Task
from mnistarena.plugin.executor import Job, Mode, Submission
from mnistarena.plugin.messages import MetricRequest, Result, error_message, without_clock
from mnistarena.plugin.registry import Registry
from mnistarena.plugin.split_identity import SplitIdentity
from mnistarena.store.results import StoredRun, StoredTrial, read_run
from mnistarena.store.trial_folder import MODEL, MODEL_FILES, TrialFolder
from mnistarena.text import unique_slug


@dataclass(frozen=True)
class Finding:
    """What was found about one trial: `check` is "stored" or "again"; `text` says it in words."""

    trial: StoredTrial
    check: Literal["stored", "again"]
    _: KW_ONLY
    ok: bool
    text: str

    @property
    def name(self) -> str:
        """The trial's name to show."""
        return self.trial.name


def verify(
    path: str | os.PathLike[str],
    *,
    sample: int | None = 1,
    chance: random.Random | None = None,
    jobs: int = 1,
    plugins: Sequence[object] = (),
    started: Callable[[StoredTrial], None] = lambda trial: None,
) -> Iterator[Finding]:
    """Check every finished trial of a run folder, which is not changed, and run `sample` of them again.

    Each stored file must have the digest that its record gives, and each metric must come out of the
    stored predictions to the last bit. Trials that run again (drawn by `chance`; None: all of them) must
    give the same predictions, history and weights; `started` is told of each. Predictions that were brought from
    outside cannot be made again. `plugins` are the single-file plugins that the run used.
    """
    if jobs < 1 or (sample is not None and sample < 0):
        raise ArenaError(f"verify(sample={sample}, jobs={jobs}): give at least 1 job, and no negative sample")
    run = read_run(path)
    registry, workers = registry_for_run(run, plugins), Workers()
    done = {trial.id: trial for trial in run.trials if trial.done}
    try:
        with tempfile.TemporaryDirectory(prefix="arena-verify-") as folder:
            verifier = _Verifier(run, registry, workers, Path(folder), jobs)
            sound = []
            for finding in verifier.check_stored(list(done.values())):
                yield finding
                again = finding.ok and "predictions" not in identity_of(finding.trial)
                sound += [finding.trial] if again else []
            number = len(sound) if sample is None else min(sample, len(sound))
            drawn = (chance or random.Random()).sample(sound, number)
            yield from verifier.run_again(sorted(drawn, key=sound.index), started)
    finally:
        workers.close()


class _Verifier:
    def __init__(self, run: StoredRun, registry: Registry, workers: Workers, folder: Path, jobs: int) -> None:
        self.run, self.registry, self.workers, self.folder, self.jobs = run, registry, workers, folder, jobs
        self.loaded: dict[Path, Draw] = {}
        self.looked: set[str] = set()

    # ---- What is stored

    def check_stored(self, trials: list[StoredTrial]) -> Iterator[Finding]:
        """Digests, identities and metrics of what is on the disk."""
        ready = []
        for trial in trials:
            problem = self.problem(trial)
            if problem is None:
                ready.append(trial)
            else:
                yield Finding(trial, "stored", ok=False, text=problem)
        trials_by_id = {trial.id: trial for trial in ready}
        for submission, result in run_here(self.workers, self.jobs, map(self.scoring, ready)):
            yield self.compare_metrics(trials_by_id[submission.key], result)

    def problem(self, trial: StoredTrial) -> str | None:
        """What is wrong with a trial's files or its identity."""
        if identify(identity_of(trial)) != trial.id:
            return f"its identity does not hash to {trial.id}"
        try:
            if wrong := search_problem(self.run, trial) or self.looks_problem(trial.dataset):
                return wrong
            trial.history()
            trial.predictions()
            trial.contributions()
            for name in MODEL_FILES:
                if trial.folder.has_model(name):  # `arena clean` may have removed it
                    trial.folder.model_file(trial.files, name)
        except StoreError as problem:
            return str(problem)
        return None

    def looks_problem(self, dataset: str) -> str | None:
        """What is wrong with the looks at a dataset, said once; None where they come out of the predictions."""
        if self.run.plan.get("looks") is None or dataset in self.looked:
            return None
        self.looked.add(dataset)
        found, stored = look_at(self.run)["datasets"].get(dataset), self.run.looks["datasets"].get(dataset)
        return None if found == stored else f"what looks.json says of {dataset} is not what the predictions give"

    def scoring(self, trial: StoredTrial) -> Submission:
        """Compute the metrics again, from a copy of the stored predictions."""
        copy = TrialFolder(self.folder / "stored" / trial.id)
        trial.folder.copy_predictions(copy)
        return Submission(trial.id, self.job(trial, copy, mode="score", data=Path()), name=trial.name)

    def compare_metrics(self, trial: StoredTrial, result: Result) -> Finding:
        if result["status"] != "done":
            return Finding(trial, "stored", ok=False, text=f"not recomputed: {_cause(result)}")
        if not trial.metrics:
            return Finding(trial, "stored", ok=False, text="the record holds no metric")
        found = result["metrics"]
        unlike = [
            f"{label} is recorded as {value!r}, the predictions give {found.get(label)!r}"
            for label, value in trial.metrics.items()
            if found.get(label) != value
        ]
        again = TrialFolder(self.folder / "stored" / trial.id).contributions.read()
        unlike += [
            f"what each image contributes to {label} is not what the predictions give"
            for label, stored in trial.contributions().items()
            if label not in again or not stored.agrees_with(again[label])
        ]
        if unlike:
            return Finding(trial, "stored", ok=False, text="; ".join(unlike) + self.changed_metrics())
        return Finding(trial, "stored", ok=True, text=f"{len(trial.metrics)} metrics recomputed: bit-identical")

    def changed_metrics(self) -> str:
        changed = []
        for entry in self.run.plan["metrics"]:
            digest = self.registry.get("metric", entry.get("name") or entry["label"]).plugin.digest
            changed += [entry["label"]] if digest != entry.get("source") else []
        return f" (the code of {', '.join(changed)} has changed since)" if changed else ""

    # ---- Trials that run again

    def run_again(self, trials: list[StoredTrial], started: Callable[[StoredTrial], None]) -> Iterator[Finding]:
        """Train trials anew, under the device and threads of their first time, and compare."""
        submissions = []
        for trial in trials:
            try:
                submissions.append(self.training(trial))
            except ArenaError as problem:
                yield Finding(trial, "again", ok=False, text=f"cannot be run again: {problem}")
            except (KeyError, TypeError, ValueError) as problem:
                text = f"cannot be run again: its record is incomplete ({type(problem).__name__}: {problem})"
                yield Finding(trial, "again", ok=False, text=text)

        trials_by_id = {trial.id: trial for trial in trials}

        def announced() -> Iterator[Submission]:
            for submission in submissions:
                started(trials_by_id[submission.key])
                yield submission

        for submission, result in run_here(self.workers, self.jobs, announced()):
            yield self.compare(trials_by_id[submission.key], TrialFolder(submission.job.folder), result)

    def training(self, trial: StoredTrial) -> Submission:
        """Train a trial anew; raises `ArenaError` where its code, its data or its device is not what it was."""
        identity = identity_of(trial)
        if identity.get("engine") != ENGINE:
            raise ArenaError(f"another version of the engine trained it ({identity.get('engine')}, this is {ENGINE})")
        changed = self.registry.changed_sources(identity)
        if changed:
            raise ArenaError(f"the code of {', '.join(changed)} has changed since")
        probed = self.workers.probe(trial.conditions["device"])
        if probed.problem:
            raise ArenaError(probed.problem)
        data = self.dataset(trial.dataset, identity["dataset"])
        folder = TrialFolder(self.folder / "again" / trial.id)
        folder.reset()
        arrays = self.arrays_folder(trial.dataset, identity["dataset"])
        job = self.job(trial, folder, mode="train", data=arrays, task=data.task)
        return Submission(trial.id, job, name=trial.name)

    def job(self, trial: StoredTrial, folder: TrialFolder, *, mode: Mode, data: Path, task: Task | None = None) -> Job:
        metrics = tuple(
            MetricRequest(
                entry["label"], entry.get("name") or entry["label"], params=json.dumps(entry.get("params") or {})
            )
            for entry in self.run.plan["metrics"]
        )
        return Job(
            folder.path,
            identity_of(trial),
            conditions=trial.conditions,
            data=data,
            temporary=self.folder / "tmp" / trial.id,
            mode=mode,
            params=json.dumps(planned_recipe(self.run, trial)["params"]),
            task=task,
            metrics=metrics,
            keep_model=True,
            checkpoint_every=math.inf,
            plugins=self.registry.files,
        )

    def arrays_folder(self, label: str, split: SplitIdentity) -> Path:
        return self.folder / "data" / unique_slug(f"{label} {json.dumps(split, sort_keys=True)}")

    def dataset(self, label: str, split: SplitIdentity) -> Draw:
        folder = self.arrays_folder(label, split)
        if folder not in self.loaded:
            data = load_dataset(self.run, label, split=split, registry=self.registry)
            write_arrays(data.dataset, data.split, folder)
            self.loaded[folder] = data
        return self.loaded[folder]

    def compare(self, trial: StoredTrial, folder: TrialFolder, result: Result) -> Finding:
        if result["status"] != "done":
            return Finding(trial, "again", ok=False, text=f"{result['status']}: {_cause(result)}")
        unlike = _unlike(trial, folder)
        if not unlike:
            text = "run again: predictions, history and weights bit-identical"
            return Finding(trial, "again", ok=True, text=text)
        others = _other_conditions(trial)
        because = f" (other conditions: {', '.join(others)})" if others else ""
        return Finding(trial, "again", ok=False, text=f"run again: {'; '.join(unlike)}{because}")


def _other_conditions(trial: StoredTrial) -> list[str]:
    """The conditions of this machine that differ from those that a trial ran under."""
    now = dict(environment.conditions("", None, threads=0, jobs=0))
    then = dict(trial.conditions)
    kept = ("torch", "torchvision", "scikit-learn", "numpy", "python", "platform")
    others = [f"{key} {then.get(key)} → {now[key]}" for key in kept if now[key] != then.get(key)]
    if then.get("device") == "cpu" and then.get("device_name") != now["device_name"]:
        others.append(f"processor {then.get('device_name')} → {now['device_name']}")
    return others


def _unlike(trial: StoredTrial, folder: TrialFolder) -> list[str]:
    """What differs in a second run, with the largest deviation."""
    stored, found, unlike = trial.predictions(), folder.predictions(), []
    alike = stored.output == found.output and stored.values.shape == found.values.shape
    if not alike or not np.array_equal(stored.index, found.index):
        return ["it predicted other images"]
    if not np.array_equal(stored.values, found.values):
        flipped = f"{int((stored.predicted != found.predicted).sum())} images in another class"
        what = {"probabilities": "probability", "scores": "score"}.get(stored.output)
        deviation = float(np.abs(stored.values - found.values).max())
        unlike.append(f"largest deviation of a {what} {deviation:.3g}, {flipped}" if what else flipped)
    if not np.array_equal(stored.labels, found.labels):
        unlike.append("other labels")
    names = stored.extras.keys() | found.extras.keys()
    if any(not np.array_equal(stored.extras.get(n, ()), found.extras.get(n, ()), equal_nan=False) for n in names):
        unlike.append("other extras")
    if without_clock(trial.history()) != without_clock(folder.history()):
        unlike.append("another history")
    weights = trial.files.get(MODEL)
    if weights is not None and folder.digest_of_model() != weights:
        unlike.append("other weights")
    return unlike


def _cause(result: Result) -> str:
    return error_message(result, "it was interrupted")
