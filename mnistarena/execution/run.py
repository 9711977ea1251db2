"""A run: the spec's plan, its trials given to an executor, their results stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistarena.environment import Conditions
from mnistarena.errors import ArenaError, StoreError
from mnistarena.execution.brought import store_brought
from mnistarena.execution.interrupts import Interrupts
from mnistarena.execution.latency import Latencies
from mnistarena.execution.observer import Observer
from mnistarena.execution.observers import followed
from mnistarena.execution.options import Options
from mnistarena.execution.record import lost_after_training, now, scored_record, trained_record, unscored
from mnistarena.execution.resume import Resume, ScoringRequest, carry_over, plan_before
from mnistarena.execution.searches import Searches
from mnistarena.execution.start import choose, start_executor, write_datasets, write_start
from mnistarena.execution.submissions import Submissions
from mnistarena.plan.contents import Plan
from mnistarena.plan.lookup import registry_for
from mnistarena.plan.precision import settled
from mnistarena.plan.recipe import Trial
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.executor import Executor, Mode, PluginFile, Reports, Submission
from mnistarena.plugin.messages import Event, Measured, Result, Started, error_message
from mnistarena.spec.load import load_spec
from mnistarena.store.findings import idle_seeds, missing_figures
from mnistarena.store.records import LooksRecord, PlanRecord, TrialRecord
from mnistarena.store.results import StoredRun, read_run
from mnistarena.store.run_folder import RunFolder
from mnistarena.text import plural, slug

if TYPE_CHECKING:
    from mnistarena.execution.rounds import Rounds

KEPT = "finished trials are kept; when that is fixed, the same command continues"


def execute(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    only: Sequence[str] = (),
    overrides: Sequence[str] = (),
    plugins: Sequence[str | os.PathLike[str]] = (),
    options: Options | None = None,
    observer: Observer | None = None,
) -> StoredRun:
    """Run a spec and return its results; `mnistarena.run` says what each argument is."""
    for name, given in (("only", only), ("overrides", overrides), ("plugins", plugins)):
        if isinstance(given, str):
            raise ArenaError(f"run({name}=…) takes a list of strings, not one string: {name}=[{given!r}]")
    loaded, options = load_spec(spec, overrides, plugins), options or Options()
    registry = registry_for(loaded)
    folder = RunFolder(Path(out) if out is not None else default_folder(loaded.source.name))
    # A run that was started before may have nothing left to do, so its workers are not started ahead.
    ahead = not loaded.problems.found and not folder.exists()
    with followed(registry, options, observer or Observer()) as told:
        executor = start_executor(loaded, registry, options, only=only, ahead=ahead)
        try:
            import mnistarena.execution.rounds  # noqa: F401 - and scipy, while the executor's process loads torch

            plan = resolve(loaded, registry, only=only)
            folder.create()
            with folder.lock():
                execution = _Execution(plan, folder, executor, options, told)
                execution.run()
        finally:
            executor.close()
        found = read_run(folder.path, execution.resume.finished)
        for sentence in (*missing_figures(t for t in found.trials if t.id in execution.trials), *idle_seeds(found)):
            told.notice(sentence)
        return found


def default_folder(spec: str) -> Path:
    """`runs/<name of the spec file>`."""
    return Path("runs") / slug(Path(spec).stem)


class _Execution:
    def __init__(self, plan: Plan, folder: RunFolder, executor: Executor, options: Options, observer: Observer) -> None:
        self.plan, self.folder, self.options, self.observer = plan, folder, options, observer
        self.executor = executor
        self.request = ScoringRequest.of(plan)
        self.resume = Resume(
            folder, self.request, observer=observer, force=options.force, retry_failed=options.retry_failed
        )
        self.conditions = Conditions()
        self.plugins: tuple[PluginFile, ...] = ()
        self.described: PlanRecord = {"name": "", "datasets": [], "entries": [], "trials": []}
        self.trials: dict[str, Trial] = {}
        """Those that run, by id."""
        self.began: dict[str, str] = {}
        self.measured: dict[str, Measured] = {}
        self.latencies = Latencies(plan)
        self.to_score: list[Trial] = []  # their process was lost after their training
        self.interrupts = Interrupts(observer.stopping)

    def run(self) -> None:
        before = plan_before(self.folder, self.observer)
        self.plan = settled(self.plan, before, lambda: self.choose(before, idle=False))
        searches = Searches(self.plan, self.resume)
        waiting = searches.next()
        rounds = None if waiting else self.judged(searches, before)
        described = carry_over(self.plan.describe(), before, self.plan.labels, self.folder)
        if rounds is not None:
            described, waiting = rounds.described, rounds.next()
        write_datasets(self.folder, self.plan, self.observer)  # the executor's process loads torch meanwhile
        self.conditions = self.choose(before, idle=not waiting)
        self.start(described, searches, rounds)
        self.observer.planned(self.plan, waiting, folder=self.folder.path, conditions=self.conditions)
        if rounds is not None:
            rounds.tell()
        if saved := 0 if self.options.force else sum(map(self.has_checkpoint, waiting)):
            self.observer.notice(f"{plural(saved, 'trial continues', 'trials continue')} from a checkpoint")
        if not waiting:
            return
        with self.folder.scratch() as scratch, self.interrupts:
            while waiting:
                submissions = Submissions(
                    self.plan,
                    scratch,
                    conditions=self.conditions,
                    plugins=self.plugins,
                    checkpoint_every=self.options.checkpoint_every,
                )
                submissions.write_datasets(waiting)
                self.latencies.known(self.resume.finished.values())
                self.trials |= {trial.id: trial for trial in waiting}
                self.run_trials(waiting, submissions)
                if rounds is None:
                    waiting = searches.next()
                    searches.write(self.folder, self.described)
                    if not waiting:
                        rounds = self.judged(searches, before)
                        write_datasets(self.folder, self.plan, Observer())
                        self.start(rounds.described, searches, rounds)
                if rounds is not None:
                    waiting = rounds.next()
                    self.write_looks(rounds.record)
                    rounds.tell()
                if waiting:
                    self.observer.further(waiting)

    # ---- The start

    def judged(self, searches: Searches, before: PlanRecord | None) -> Rounds:
        """The rounds of the trials that are judged, once all searches have ended."""
        self.plan = self.plan.with_chosen(searches.chosen())
        described = carry_over(self.plan.describe(), before, self.plan.labels, self.folder)
        from mnistarena.execution.rounds import Rounds, note_changed_seeds  # needs scipy

        note_changed_seeds(described, before, self.resume)
        return Rounds(self.plan, described, self.resume, self.observer)

    def start(self, described: PlanRecord, searches: Searches, rounds: Rounds | None) -> None:
        """Write what the run is about, as far as it is known."""
        self.plugins = write_start(self.folder, self.plan, described, self.conditions)
        self.described = described
        searches.write(self.folder, self.described)
        if rounds is not None:
            self.write_looks(rounds.record)

    def choose(self, before: PlanRecord | None, *, idle: bool) -> Conditions:
        """Device, jobs and threads; see `choose`."""
        return choose(self.executor, self.plan, self.options, before, idle=idle)

    def write_looks(self, record: LooksRecord) -> None:
        """Write what looks decided, where there are any."""
        if self.plan.looks is not None:
            self.folder.write_looks(record)

    def has_checkpoint(self, trial: Trial) -> bool:
        return self.resume.trial_folder(trial).checkpoint.state() is not None

    # ---- The trials

    def run_trials(self, waiting: list[Trial], submissions: Submissions) -> None:
        """Run every trial; those that something kept from their end run once more when all others have ended."""
        self.to_score = []
        unwritten = self.run_round(waiting, submissions, then=" will be tried once more at the end")
        # Another trial may have filled the disk, and its files are removed when it ends.
        again = [*(trial for trial, _ in unwritten), *self.to_score]
        if again and (still := self.run_round(again, submissions, then=" cannot be stored")):
            raise StoreError(f"{still[0][1]}; {KEPT}")

    def run_round(self, waiting: list[Trial], submissions: Submissions, *, then: str) -> list[tuple[Trial, str]]:
        """Run trials to their end; returns those whose results could not be written, each with the reason.

        The reason is told at once, as a sentence of the trial's name, `then` and the reason.
        """
        reports = Reports(self.on_event, self.interrupts.asked, notice=self.observer.notice)
        unwritten: list[tuple[Trial, str]] = []
        for submission, result in self.executor.results(self.given(waiting, submissions), reports):
            trial = self.trial(submission.key)
            shutil.rmtree(submission.job.temporary, ignore_errors=True)
            problem = None
            trained = submission.job.mode == "train"
            try:
                record = self.store(trial, result, trained=trained)
                if result.get("error", {}).get("type") == StoreError.__name__:
                    problem = error_message(result, "")
            except StoreError as failure:
                problem = str(failure)
            else:
                self.latencies.ended(trial, record, measuring=submission.job.latency)
                if trained and record["status"] != "interrupted" and lost_after_training(record):
                    self.to_score.append(trial)
                    cause = error_message(result, "it ended")
                    self.observer.notice(f"{trial.name} is trained, and is scored at the end: {cause}")
                else:
                    self.observer.ended(trial, record)
            if problem is not None:
                unwritten.append((trial, problem))
                self.observer.notice(f"{trial.name}{then}: {problem}")
        if self.interrupts.asked():
            raise KeyboardInterrupt
        return unwritten

    def given(self, waiting: list[Trial], submissions: Submissions) -> Iterator[Submission]:
        """What the executor is asked to do, one by one as it takes them; nothing after a stop was asked for."""
        for trial in waiting:
            if self.interrupts.asked():
                return
            record = (folder := self.resume.trial_folder(trial)).read()
            train = self.resume.must_train(record, forced=self.options.force and trial not in self.to_score)
            self.measured.pop(trial.id, None)
            if train:
                folder.reset(keep_checkpoint=self.resume.keeps_checkpoint(record))
            brought = train and store_brought(trial, folder, self.conditions)
            asked = trial.search is None and (train or self.request.must_predict_views(record))
            mode: Mode = "train" if train and not brought else "score"
            latency = mode == "train" and trial.search is None and self.latencies.take(trial)
            views = self.request.views if asked else ()
            yield submissions.of(trial, folder.path, mode, views, latency=latency)

    def trial(self, key: str) -> Trial:
        """The trial whose submission has this key."""
        if key not in self.trials:
            name = self.options.executor
            raise ArenaError(f'the executor "{name}" was given no trial {key!r}; it must use the keys of submissions')
        return self.trials[key]

    def on_event(self, key: str, event: Event) -> None:
        trial = self.trial(key)
        if isinstance(event, Started):
            self.began[trial.id] = now()
            self.observer.started(trial, event.host)
        elif isinstance(event, Measured):
            self.measured[trial.id] = event
        else:
            self.observer.event(trial, event)

    def store(self, trial: Trial, result: Result, *, trained: bool) -> TrialRecord:
        """Write a trial's record."""
        folder = self.resume.trial_folder(trial)
        before = None if trained else folder.read()
        refused = result.get("error", {}).get("stage") == "scoring"
        if not trained and result["status"] in ("failed", "timeout") and not refused:
            views_too = self.request.must_predict_views(before)
            result = {**unscored(result, self.request, views_too=views_too), "conditions": result.get("conditions", {})}
        if not trained:
            record = scored_record(before, result, self.request)
            if result["status"] != "interrupted":
                folder.write(record)
            return record
        record = trained_record(
            trial,
            result,
            request=self.request,
            conditions=self.conditions,
            began=self.began.get(trial.id),
            measured=self.measured.get(trial.id),
        )
        try:
            folder.write(record)
        except StoreError:
            # On a full disk the record of an interrupted trial may be missing: its checkpoint says as much.
            if result["status"] != "interrupted":
                raise
        if result["status"] in ("done", "failed"):
            folder.checkpoint.remove()
        return record
