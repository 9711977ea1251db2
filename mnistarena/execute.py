"""Plan → results: worker processes, time limits, resume, progress."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena import environment
from mnistarena.errors import ArenaError, StoreError
from mnistarena.job import Job
from mnistarena.plan import Data, Plan, Trial
from mnistarena.registry import installed
from mnistarena.resolve import resolve
from mnistarena.results import Run, load_run
from mnistarena.spec.load import load
from mnistarena.store import RunFolder, TrialFolder, slug
from mnistarena.worker import Workers, end


class Observer:
    """Told what happens; the command line shows it, `mnistarena.run` stays silent."""

    def planned(self, plan: Plan, waiting: list[Trial], folder: Path, conditions: dict[str, Any]) -> None:
        """Before the first trial; `waiting` are those that will run."""

    def started(self, trial: Trial) -> None:
        """A worker has begun a trial."""

    def event(self, trial: Trial, event: dict[str, Any]) -> None:
        """News from a worker: `stage`, `step` or `row`."""

    def ended(self, trial: Trial, record: dict[str, Any]) -> None:
        """A trial's record is stored."""


@dataclass(frozen=True)
class Options:
    """How to run; None means: as the first start of this run chose, else a sensible default."""

    device: str | None = None
    jobs: int | None = None
    threads: int | None = None
    force: bool = False
    retry_failed: bool = False


@dataclass
class _Worker:
    """A running trial."""

    trial: Trial
    folder: TrialFolder
    process: BaseProcess
    connection: Connection
    deadline: float | None
    began: str
    scored: dict[str, Any] | None
    """The finished record, where only its metrics are computed again."""
    result: dict[str, Any] | None = None


def run(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    only: tuple[str, ...] = (),
    set: tuple[str, ...] = (),
    options: Options | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a spec, given as a path or as a mapping, and return its results.

    `out` is the run folder (default: `runs/<name of the spec file>`); `only` selects model labels by
    pattern; `set` overrides keys, such as `"training.epochs=1"`. What is finished there is not run again.
    Raises `SpecError` with every problem of the spec before anything runs. A trial that fails is
    recorded, and the others go on: see `Run.complete`.
    """
    if isinstance(only, str) or isinstance(set, str):
        raise ArenaError("run(only=…, set=…) take a tuple of strings")
    loaded = load(spec, set)
    plan = resolve(loaded, installed(), only=tuple(only))
    folder = RunFolder(Path(out) if out is not None else default_folder(loaded.source.name))
    folder.create()
    with folder.lock():
        _Execution(plan, folder, options or Options(), observer or Observer()).run()
    return load_run(folder.path)


def default_folder(spec: str) -> Path:
    """`runs/<name of the spec file>`."""
    return Path("runs") / slug(Path(spec).stem)


class _Execution:
    def __init__(self, plan: Plan, folder: RunFolder, options: Options, observer: Observer) -> None:
        self.plan, self.folder, self.options, self.observer = plan, folder, options, observer
        self.workers = Workers()
        self.metrics = {m.label: m.definition() for m in plan.metrics}

    def run(self) -> None:
        before = self.folder.plan() if self.folder.exists() else {}
        trials = _unique(self.plan.trials())
        waiting = [trial for trial in trials if self.must_run(trial)]
        self.conditions = self.choose(before.get("conditions", {}), len(trials), idle=not waiting)
        described = carry_over(self.plan.describe(), before, self.plan.labels)
        self.folder.write_start(
            self.plan.spec.source.recorded(),
            {**described, "conditions": self.conditions},
            environment.environment(self.plan.distributions()),
        )
        for entry in self.plan.datasets:
            self.store_test_split(entry)
        self.observer.planned(self.plan, waiting, self.folder.path, self.conditions)
        if waiting:
            with self.folder.scratch() as scratch:
                for entry in self.plan.datasets:
                    share(entry, scratch / slug(entry.label))
                self.work_off(list(waiting), scratch)

    def trial_folder(self, trial: Trial) -> TrialFolder:
        return self.folder.trial(trial.recipe.label, trial.recipe.data.label, trial.seed, trial.id)

    def must_run(self, trial: Trial) -> bool:
        record = self.trial_folder(trial).read()
        if record is None or self.options.force:
            return True
        if record["status"] == "done":
            return not self.has_metrics(record)
        return record["status"] == "interrupted" or self.options.retry_failed

    def has_metrics(self, record: dict[str, Any]) -> bool:
        """Whether the stored figures are the ones that this plan asks for."""
        return bool(record.get("metric_definitions") == self.metrics)

    def choose(self, before: dict[str, Any], n_trials: int, idle: bool) -> dict[str, Any]:
        """Device, jobs and threads: as asked for, else as at the first start, else by the machine."""
        asked = self.options
        if idle and before and not (asked.device or asked.jobs or asked.threads):
            return before
        known = self.workers.probe(asked.device or before.get("device") or "auto")
        if "error" in known:
            raise ArenaError(f"{known['error']}; choose another with --device")
        cores = environment.cores()
        jobs = asked.jobs or (None if asked.threads else before.get("jobs"))
        threads = asked.threads or (None if asked.jobs else before.get("threads"))
        if jobs is None:
            jobs = max(1, min(cores // (threads or 1), n_trials)) if known["device"] == "cpu" else 1
        if threads is None:
            threads = max(1, cores // jobs)
        return environment.conditions(known["device"], known["device_name"], threads, jobs)

    def store_test_split(self, entry: Data) -> None:
        assert entry.dataset is not None
        assert entry.split is not None
        rows = entry.split.test
        arrays: dict[str, Any] = {
            "images": entry.dataset.test_images[rows],
            "labels": entry.dataset.test_labels[rows],
            "index": rows,
        }
        self.folder.write_dataset(entry.label, arrays)

    def work_off(self, waiting: list[Trial], scratch: Path) -> None:
        running: list[_Worker] = []
        try:
            while waiting or running:
                while waiting and len(running) < self.conditions["jobs"]:
                    running.append(self.start(waiting.pop(0), scratch))
                self.listen(running)
                for worker in [w for w in running if w.result is not None]:
                    running.remove(worker)
                    self.finish(worker)
        except BaseException:
            for worker in running:
                end(worker.process)
                worker.result = {"status": "interrupted"}
                self.store(worker)
            raise

    def start(self, trial: Trial, scratch: Path) -> _Worker:
        folder = self.trial_folder(trial)
        record = folder.read()
        train = self.options.force or record is None or record["status"] != "done"
        if train:
            folder.reset()
        recipe = trial.recipe
        assert recipe.data.task is not None
        job = Job(
            folder=folder.path,
            identity=trial.identity,
            params=recipe.params.model_dump_json(),
            task=recipe.data.task,
            data=scratch / slug(recipe.data.label),
            metrics=tuple((m.label, m.component.name, m.params.model_dump_json()) for m in self.plan.metrics),
            device=self.conditions["device"],
            threads=self.conditions["threads"],
            keep_model=self.plan.benchmark.keep_models,
            train=train,
        )
        process, connection = self.workers.start(job)
        deadline = time.monotonic() + recipe.time_limit if recipe.time_limit else None
        self.observer.started(trial)
        return _Worker(trial, folder, process, connection, deadline, _now(), None if train else record)

    def listen(self, running: list[_Worker]) -> None:
        """Wait for news of any worker, or for the next time limit; sets `result` where one has ended."""
        limits = [w.deadline - time.monotonic() for w in running if w.deadline is not None]
        ready = wait([w.connection for w in running], timeout=max(0.0, min(limits)) if limits else None)
        for worker in running:
            if worker.connection in ready:
                try:
                    event = worker.connection.recv()
                except (EOFError, OSError):
                    worker.result = died(worker)
                    continue
                if event["event"] == "end":
                    worker.result = event
                else:
                    self.observer.event(worker.trial, event)
            elif worker.deadline is not None and time.monotonic() >= worker.deadline:
                limit = worker.trial.recipe.training.time_limit
                message = f"the time limit of {limit} was reached; raise time_limit, or train less"
                worker.result = _failure("timeout", "TimeLimit", message)

    def finish(self, worker: _Worker) -> None:
        # The result is in; whatever the trial has left running goes now.
        end(worker.process)
        worker.connection.close()
        self.observer.ended(worker.trial, self.store(worker))

    def store(self, worker: _Worker) -> dict[str, Any]:
        trial, result = worker.trial, dict(worker.result or {})
        result.pop("event", None)
        record: dict[str, Any] = {
            "id": trial.id,
            "label": trial.recipe.label,
            "dataset": trial.recipe.data.label,
            "seed": trial.seed,
            "identity": trial.identity,
            "conditions": self.conditions,
            "notes": list(trial.recipe.notes),
            "started": worker.began,
            "finished": _now(),
        }
        if worker.scored is not None:
            # Only the metrics were computed again: the training's own record stays.
            if result["status"] != "interrupted":
                record = {**worker.scored, **result, "metric_definitions": self.metrics}
                worker.folder.write(record)
            return {**record, **result}
        if result["status"] == "done":
            record["metric_definitions"] = self.metrics
        record |= result
        worker.folder.write(record)
        return record


def died(worker: _Worker) -> dict[str, Any]:
    """The result of a worker that ended without a word."""
    worker.process.join(5)
    code = worker.process.exitcode
    if code is not None and code < 0:
        import signal

        name = signal.Signals(-code).name
        hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
        return _failure("failed", "WorkerDied", f"the process was ended by {name}{hint}; see log.txt")
    return _failure("failed", "WorkerDied", f"the process exited with status {code} before it was done; see log.txt")


def _failure(status: str, kind: str, message: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "message": message, "traceback": ""}}


def _unique(trials: list[Trial]) -> list[Trial]:
    """Two labels of one identity are trained once: under the first."""
    first: dict[str, Trial] = {}
    for trial in trials:
        first.setdefault(trial.id, trial)
    return list(first.values())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def carry_over(described: dict[str, Any], before: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """With --only, models of the spec that were left out keep what an earlier start planned for them."""
    planned = {entry["label"] for entry in described["entries"]}
    datasets = {entry["label"]: entry["fingerprint"] for entry in described["datasets"]}
    same_data = {
        entry["label"] for entry in before.get("datasets", []) if datasets.get(entry["label"]) == entry["fingerprint"]
    }

    def kept(entry: dict[str, Any]) -> bool:
        return entry["label"] in labels and entry["label"] not in planned and entry["dataset"] in same_data

    merged = dict(described)
    for key in ("entries", "trials"):
        together = described[key] + [entry for entry in before.get(key, []) if kept(entry)]
        merged[key] = sorted(together, key=lambda entry: labels.index(entry["label"]))
    return merged


def share(entry: Data, folder: Path) -> None:
    """Write a dataset's splits as files that workers map into memory: loaded and verified once."""
    assert entry.dataset is not None
    assert entry.split is not None
    dataset, parts = entry.dataset, entry.split
    try:
        folder.mkdir()
        for name, images, labels, rows in (
            ("train", dataset.train_images, dataset.train_labels, parts.train),
            ("validation", dataset.train_images, dataset.train_labels, parts.validation),
            ("test", dataset.test_images, dataset.test_labels, parts.test),
        ):
            np.save(folder / f"{name}_images.npy", images[rows])
            np.save(folder / f"{name}_labels.npy", labels[rows])
        np.save(folder / "test_index.npy", parts.test)
    except OSError as problem:
        raise StoreError(f"cannot write in {folder}: {problem.strerror}") from problem
