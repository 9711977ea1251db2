"""Proof of a finished run: figures recomputed from stored predictions, trials run again and compared bit by bit."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena import environment, origin, shared
from mnistarena.errors import ArenaError, StoreError
from mnistarena.files import unique_slug
from mnistarena.job import Job, Task
from mnistarena.plan import ENGINE, Data, identify
from mnistarena.registry import Registry, installed
from mnistarena.results import Run, TrialResult, load_run
from mnistarena.supervise import Supervisor
from mnistarena.trialfolder import TrialFolder
from mnistarena.worker import Workers

CLOCK = ("train_seconds", "wall_seconds")
"""What a history row holds that no second run can repeat."""


@dataclass(frozen=True)
class Finding:
    """What was found about one trial: `check` is "stored" or "again"; `text` says it in words."""

    trial: TrialResult
    check: str
    ok: bool
    text: str

    @property
    def name(self) -> str:
        """For people: label, dataset, seed."""
        return self.trial.name


def verify(
    path: str | os.PathLike[str],
    *,
    sample: int | None = 1,
    chance: random.Random | None = None,
    jobs: int = 1,
    started: Callable[[TrialResult], None] = lambda trial: None,
) -> Iterator[Finding]:
    """Check every finished trial of a run folder, which stays untouched, and run `sample` of them again.

    Each stored file must have the digest that its record gives, and each metric must come out of the
    stored predictions to the last bit. Trials that run again (drawn by `chance`; None: all of them) must
    give the same predictions, history and weights; `started` hears of each.
    """
    run, registry, workers = load_run(path), installed(), Workers()
    done = {trial.id: trial for trial in run.trials if trial.done}
    try:
        with tempfile.TemporaryDirectory(prefix="arena-verify-") as folder:
            verifier = _Verifier(run, registry, workers, Path(folder), jobs)
            sound = []
            for finding in verifier.stored(list(done.values())):
                yield finding
                sound += [finding.trial] if finding.ok else []
            number = len(sound) if sample is None else min(sample, len(sound))
            drawn = (chance or random.Random()).sample(sound, number)
            yield from verifier.again(sorted(drawn, key=sound.index), started)
    finally:
        workers.close()


class _Verifier:
    def __init__(self, run: Run, registry: Registry, workers: Workers, folder: Path, jobs: int) -> None:
        self.run, self.registry, self.workers, self.folder, self.jobs = run, registry, workers, folder, jobs
        self.loaded: dict[str, Data] = {}

    def stored(self, trials: list[TrialResult]) -> Iterator[Finding]:
        """Digests, identities and metrics of what is on the disk."""
        ready = []
        for trial in trials:
            problem = self.problem(trial)
            if problem is None:
                ready.append(trial)
            else:
                yield Finding(trial, "stored", False, problem)
        supervisor = Supervisor(self.workers, self.jobs)
        for task, result in supervisor.results(self.scoring(trial) for trial in ready):
            yield self.compare_metrics(task.key, result)

    def problem(self, trial: TrialResult) -> str | None:
        assert trial.folder is not None
        if identify(origin.identity(trial)) != trial.id:
            return f"its identity does not hash to {trial.id}"
        try:
            trial.history()
            trial.predictions()
            if trial.folder.digest_of_model() is not None:  # `arena clean` may have removed it
                trial.folder.check("model.safetensors", trial.files)
        except StoreError as problem:
            return str(problem)
        return None

    def metrics(self) -> tuple[tuple[str, str, str], ...]:
        return tuple(
            (entry["label"], entry.get("name") or entry["label"], json.dumps(entry.get("params") or {}))
            for entry in self.run.plan["metrics"]
        )

    def scoring(self, trial: TrialResult) -> Task:
        assert trial.folder is not None
        copy = TrialFolder(self.folder / "stored" / trial.id)
        copy.prepare()
        shutil.copyfile(trial.folder.path / "predictions.npz", copy.path / "predictions.npz")
        return Task(trial, self.job(trial, copy, Path(), None, train=False), None)

    def job(self, trial: TrialResult, folder: TrialFolder, arrays: Path, entry: Data | None, *, train: bool) -> Job:
        return Job(
            folder=folder.path,
            identity=origin.identity(trial),
            params=json.dumps(origin.planned(self.run, trial)["params"]),
            task=entry.task if entry else None,
            data=arrays,
            metrics=self.metrics(),
            conditions=trial.conditions,
            keep_model=True,
            temporary=self.folder / "tmp" / trial.id,
            checkpoint_every=math.inf,
            train=train,
        )

    def compare_metrics(self, trial: TrialResult, result: dict[str, Any]) -> Finding:
        if result["status"] != "done":
            return Finding(trial, "stored", False, f"not recomputed: {_cause(result)}")
        if not trial.metrics:
            return Finding(trial, "stored", False, "the record holds no metric")
        unlike = [
            f"{label} is recorded as {value!r}, the predictions give {result['metrics'].get(label)!r}"
            for label, value in trial.metrics.items()
            if result["metrics"].get(label) != value
        ]
        if unlike:
            return Finding(trial, "stored", False, "; ".join(unlike) + self.changed_metrics())
        return Finding(trial, "stored", True, f"{len(trial.metrics)} metrics recomputed: bit-identical")

    def changed_metrics(self) -> str:
        changed = []
        for entry in self.run.plan["metrics"]:
            digest = self.registry.get("metric", entry.get("name") or entry["label"]).plugin.digest
            changed += [entry["label"]] if digest != entry.get("source") else []
        return f" (the code of {', '.join(changed)} has changed since)" if changed else ""

    def again(self, trials: list[TrialResult], started: Callable[[TrialResult], None]) -> Iterator[Finding]:
        """Train trials anew, under the device and threads of their first time, and compare."""
        tasks = []
        for trial in trials:
            try:
                tasks.append(self.rerun(trial))
            except ArenaError as problem:
                yield Finding(trial, "again", False, f"cannot be run again: {problem}")
            except (KeyError, TypeError, ValueError) as problem:
                text = f"cannot be run again: its record is incomplete ({type(problem).__name__}: {problem})"
                yield Finding(trial, "again", False, text)

        def announced() -> Iterator[Task]:
            for task in tasks:
                started(task.key)
                yield task

        for task, result in Supervisor(self.workers, self.jobs).results(announced()):
            yield self.compare(task.key, TrialFolder(task.job.folder), result)

    def rerun(self, trial: TrialResult) -> Task:
        identity = origin.identity(trial)
        if identity.get("engine") != ENGINE:
            raise ArenaError(f"another engine trained it ({identity.get('engine')}, this is {ENGINE})")
        changed = origin.changed_sources(identity, self.registry)
        if changed:
            raise ArenaError(f"the code of {', '.join(changed)} has changed since")
        probed = self.workers.probe(trial.conditions["device"])
        if "error" in probed:
            raise ArenaError(probed["error"])
        entry = self.dataset(trial.dataset, identity["dataset"])
        folder = TrialFolder(self.folder / "again" / trial.id)
        folder.prepare()
        return Task(trial, self.job(trial, folder, self.shared_folder(trial.dataset), entry, train=True), None)

    def shared_folder(self, label: str) -> Path:
        return self.folder / "data" / unique_slug(label)

    def dataset(self, label: str, identity: dict[str, Any]) -> Data:
        if label not in self.loaded:
            entry = origin.load_dataset(self.run, label, identity, self.registry)
            shared.write(entry, self.shared_folder(label))
            self.loaded[label] = entry
        return self.loaded[label]

    def compare(self, trial: TrialResult, folder: TrialFolder, result: dict[str, Any]) -> Finding:
        if result["status"] != "done":
            return Finding(trial, "again", False, f"{result['status']}: {_cause(result)}")
        assert trial.folder is not None
        unlike = _unlike(trial, folder)
        if not unlike:
            return Finding(trial, "again", True, "run again: predictions, history and weights bit-identical")
        now = environment.conditions("", None, 0, 0)
        kept = ("torch", "torchvision", "scikit-learn", "numpy", "python", "platform")
        others = [
            f"{key} {trial.conditions.get(key)} → {now[key]}" for key in kept if now[key] != trial.conditions.get(key)
        ]
        if trial.conditions.get("device") == "cpu" and trial.conditions.get("device_name") != now["device_name"]:
            others.append(f"processor {trial.conditions.get('device_name')} → {now['device_name']}")
        because = f" (other conditions: {', '.join(others)})" if others else ""
        return Finding(trial, "again", False, f"run again: {'; '.join(unlike)}{because}")


def _unlike(trial: TrialResult, folder: TrialFolder) -> list[str]:
    """Where a second run differs, with the largest deviation."""
    stored, found, unlike = trial.predictions(), folder.predictions(), []
    if stored.probabilities.shape != found.probabilities.shape or not np.array_equal(stored.index, found.index):
        return ["it predicted other images"]
    if not np.array_equal(stored.probabilities, found.probabilities):
        deviation = float(np.abs(stored.probabilities - found.probabilities).max())
        flipped = int((stored.predicted != found.predicted).sum())
        unlike.append(f"largest deviation of a probability {deviation:.3g}, {flipped} images in another class")
    if not np.array_equal(stored.labels, found.labels):
        unlike.append("other labels")
    names = stored.extras.keys() | found.extras.keys()
    if any(not np.array_equal(stored.extras.get(n, ()), found.extras.get(n, ()), equal_nan=False) for n in names):
        unlike.append("other extras")
    histories = [[{k: v for k, v in row.items() if k not in CLOCK} for row in of.history()] for of in (trial, folder)]
    if histories[0] != histories[1]:
        unlike.append("another history")
    weights = trial.files.get("model.safetensors")
    if weights is not None and folder.digest_of_model() != weights:
        unlike.append("other weights")
    return unlike


def _cause(result: dict[str, Any]) -> str:
    return str((result.get("error") or {}).get("message", "it was interrupted"))
