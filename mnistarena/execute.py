"""Plan → results: worker processes, time limits, resume, progress."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mnistarena import asked, environment, shared
from mnistarena.asked import has_predictions
from mnistarena.errors import ArenaError, StoreError
from mnistarena.files import slug, unique_slug
from mnistarena.job import Executor, ExecutorContext, Job, Reports, Task, Workload
from mnistarena.observer import Observer
from mnistarena.plan import Data, Plan, Trial, carry_over
from mnistarena.registry import Registry, installed
from mnistarena.resolve import resolve
from mnistarena.results import Run, load_run
from mnistarena.spec.load import describe, load
from mnistarena.store import RunFolder
from mnistarena.trialfolder import ADVICE, TrialFolder

KEPT = "finished trials are kept; when that is mended, the same command continues"


@dataclass(frozen=True)
class Options:
    """How to run; None means: as the first start of this run chose, else a sensible default.

    `memory_limit` is in bytes, for each trial; `checkpoint_every` in seconds. `executor` names what runs the
    trials, `executor_params` its parameters.
    """

    device: str | None = None
    jobs: int | None = None
    threads: int | None = None
    force: bool = False
    retry_failed: bool = False
    memory_limit: int | None = None
    checkpoint_every: float = 30.0
    executor: str = "local"
    executor_params: Mapping[str, Any] = field(default_factory=dict)


def run(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    only: tuple[str, ...] = (),
    set: tuple[str, ...] = (),
    options: Options | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a spec and return its results; `mnistarena.run` says what each argument is."""
    if isinstance(only, str) or isinstance(set, str):
        raise ArenaError("run(only=…, set=…) take a tuple of strings")
    loaded, registry, options = load(spec, set), installed(), options or Options()
    folder = RunFolder(Path(out) if out is not None else default_folder(loaded.source.name))
    # A run that is there may have nothing left to do.
    executor = start_executor(registry, options, ahead=not loaded.problems.found and not folder.exists())
    try:
        plan = resolve(loaded, registry, only=tuple(only))
        folder.create()
        with folder.lock():
            execution = _Execution(plan, folder, executor, options, observer or Observer())
            execution.run()
    finally:
        executor.close()
    return load_run(folder.path, execution.finished)


def start_executor(registry: Registry, options: Options, *, ahead: bool) -> Executor:
    """The executor that the options name; `ArenaError` where there is none, or its parameters are wrong."""
    definition = registry.get("executor", options.executor).definition
    try:
        params = definition.params.model_validate(dict(options.executor_params))
    except ValidationError as problem:
        said = [
            describe(error, definition.params, error["loc"], "parameter") for error in problem.errors(include_url=False)
        ]
        raise ArenaError(f'the executor "{options.executor}": {"; ".join(said)}') from None
    context = ExecutorContext(options.device, options.jobs, options.threads, options.memory_limit, ahead)
    executor: Executor = definition.start(params, context)
    return executor


def default_folder(spec: str) -> Path:
    """`runs/<name of the spec file>`."""
    return Path("runs") / slug(Path(spec).stem)


class _Execution:
    def __init__(self, plan: Plan, folder: RunFolder, executor: Executor, options: Options, observer: Observer) -> None:
        self.plan, self.folder, self.options, self.observer = plan, folder, options, observer
        self.executor = executor
        self.asked = asked.of(plan)
        self.began: dict[str, str] = {}
        self.measured: dict[str, dict[str, Any]] = {}
        self.finished: dict[str, dict[str, Any]] = {}
        """Records, by trial id, of the trials that are not run again."""

    def run(self) -> None:
        before = self.plan_before()
        trials = _unique(self.plan.trials())
        waiting = [trial for trial in trials if self.must_run(trial)]
        self.conditions = self.choose(before.get("conditions", {}), len(trials), idle=not waiting)
        described = carry_over(self.plan.describe(), before, self.plan.labels)
        source = self.plan.spec.source
        # Where relative paths start, as seen from the run folder: the two may move together.
        spec_folder = os.path.relpath(source.base_dir, self.folder.path.resolve())
        self.folder.write_start(
            source.recorded(),
            {**described, "conditions": self.conditions, "spec_folder": spec_folder},
            environment.environment(self.plan.distributions()),
        )
        for entry in self.plan.datasets:
            self.store_test_split(entry)
        self.observer.planned(self.plan, waiting, self.folder.path, self.conditions)
        saved = 0 if self.options.force else sum(self.trial_folder(t).checkpoint() is not None for t in waiting)
        if saved:
            self.observer.notice(f"{saved} {'trial goes' if saved == 1 else 'trials go'} on from a checkpoint")
        if waiting:
            with self.folder.scratch() as scratch:
                for entry in self.plan.datasets:
                    shared.write(entry, scratch / "data" / unique_slug(entry.label))
                self.run_trials(waiting, scratch)

    def plan_before(self) -> dict[str, Any]:
        """The plan of the last start here; one that cannot be read is moved aside: the spec gives it again."""
        if not self.folder.exists():
            return {}
        try:
            return self.folder.plan()
        except StoreError as problem:
            aside = self.folder.move_aside(self.folder.path / "plan.json")
            self.observer.notice(f"{problem}; moved to {aside}")
            return {}

    def trial_folder(self, trial: Trial) -> TrialFolder:
        return self.folder.trial(trial.recipe.label, trial.recipe.data.label, trial.seed, trial.id)

    def must_run(self, trial: Trial) -> bool:
        record = self.sound_record(trial)
        if record is None or self.options.force:
            return True
        if has_predictions(record) and not self.asked.was_asked_of(record):
            return True
        if record["status"] == "interrupted" or (record["status"] != "done" and self.options.retry_failed):
            return True
        self.finished[trial.id] = record
        return False

    def sound_record(self, trial: Trial) -> dict[str, Any] | None:
        """The trial's record. What was altered or truncated is moved aside, and the trial runs again."""
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

    def choose(self, before: dict[str, Any], n_trials: int, idle: bool) -> dict[str, Any]:
        """Device, jobs and threads: as asked for, else as at the first start, else as the executor thinks best."""
        options = self.options
        if idle and before and not (options.device or options.jobs or options.threads):
            return before
        return self.executor.choose(
            Workload(
                n_trials,
                exclusive=self.plan.benchmark.timing == "exclusive",
                before=before,
                sources=self.plan.sources(),
                versions={name: environment.version(name) for name in environment.CORE_PACKAGES},
                distributions=self.plan.distributions(),
            )
        )

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

    def run_trials(self, waiting: list[Trial], scratch: Path) -> None:
        """Run every trial; those whose results could not be written run once more when all others have ended."""
        unwritten = self.run_round(waiting, scratch, then=" will be tried once more at the end")
        # Another trial may have filled the disk, and what it wrote goes when it ends.
        again = [trial for trial, _ in unwritten]
        if again and (still := self.run_round(again, scratch, then=" cannot be stored")):
            raise StoreError(f"{still[0][1]}; {KEPT}")

    def run_round(self, waiting: list[Trial], scratch: Path, *, then: str) -> list[tuple[Trial, str]]:
        """Run trials to their end; returns those whose results could not be written, each with the reason.

        The reason is told at once, as a sentence of the trial's name, `then` and the reason.
        """
        reports = Reports(self.hear, self.observer.stopping, self.observer.notice)
        unwritten: list[tuple[Trial, str]] = []
        for task, result in self.executor.results((self.task(trial, scratch) for trial in waiting), reports):
            trial: Trial = task.key
            shutil.rmtree(task.job.temporary, ignore_errors=True)
            problem = None
            try:
                record = self.store(trial, result, train=task.job.train)
                self.observer.ended(trial, record)
                if (result.get("error") or {}).get("type") == "StoreError":
                    problem = result["error"]["message"]
            except StoreError as failure:
                problem = str(failure)
            if problem is not None:
                unwritten.append((trial, problem))
                self.observer.notice(f"{trial.name}{then}: {problem}")
        return unwritten

    def hear(self, trial: Trial, event: dict[str, Any]) -> None:
        if event["event"] == "started":
            self.began[trial.id] = _now()
            self.observer.started(trial, event.get("host"))
        elif event["event"] == "measured":
            self.measured[trial.id] = event["measurements"]
        else:
            self.observer.event(trial, event)

    def task(self, trial: Trial, scratch: Path) -> Task:
        folder = self.trial_folder(trial)
        record = folder.read()
        train = self.options.force or record is None or not has_predictions(record) or self.asked.must_train(record)
        status = record["status"] if record else "interrupted"
        if train:
            # A record says how the trial ended; without one it was killed. What failed starts from nothing.
            folder.prepare(keep_checkpoint=not self.options.force and status in ("interrupted", "timeout"))
        recipe = trial.recipe
        assert recipe.data.task is not None
        job = Job(
            folder=folder.path,
            identity=trial.identity,
            params=recipe.params.model_dump_json(),
            task=recipe.data.task,
            data=scratch / "data" / unique_slug(recipe.data.label),
            metrics=tuple((m.label, m.component.name, m.params.model_dump_json()) for m in self.plan.metrics),
            conditions=self.conditions,
            keep_model=self.plan.benchmark.keep_models,
            temporary=scratch / "tmp" / trial.id,
            checkpoint_every=self.options.checkpoint_every,
            train=train,
            views=tuple(self.asked.views) if train or self.asked.has_other_views(record) else (),
            files=recipe.files,
        )
        return Task(trial, job, recipe.time_limit, recipe.training.time_limit, recipe.resources)

    def store(self, trial: Trial, result: dict[str, Any], *, train: bool) -> dict[str, Any]:
        folder = self.trial_folder(trial)
        otherwise = result.pop("conditions", {})
        if not train:
            # Only the metrics were computed again: the training's own record stays.
            before = folder.read() or {}
            if result["status"] == "interrupted":
                return {**before, **result}
            before.pop("error", None)
            record = {**before, **result, **self.asked.record()}
            folder.write(record)
            return record
        record = {
            "id": trial.id,
            "label": trial.recipe.label,
            "dataset": trial.recipe.data.label,
            "seed": trial.seed,
            "identity": trial.identity,
            "conditions": {**self.conditions, **otherwise},
            "notes": list(trial.recipe.notes),
            "started": self.began.get(trial.id),
            "finished": _now(),
            **result,
        }
        if has_predictions(record):
            record |= self.asked.record()
            record.setdefault("measurements", self.measured.get(trial.id, {}))
        try:
            folder.write(record)
        except StoreError:
            # On a full disk this says no more than the checkpoint that is there, or none.
            if result["status"] != "interrupted":
                raise
        if result["status"] in ("done", "failed"):
            folder.remove_checkpoint()
        return record


def _unique(trials: list[Trial]) -> list[Trial]:
    """Two labels of one identity are trained once: under the first."""
    first: dict[str, Trial] = {}
    for trial in trials:
        first.setdefault(trial.id, trial)
    return list(first.values())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
