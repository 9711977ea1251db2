"""The checks of an executor: it scores stored predictions, and runs a training, whole and interrupted."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from mnistarena import environment
from mnistarena.environment import Conditions
from mnistarena.errors import ArenaError, first_line
from mnistarena.plugin.executor import ExecutorDef, Submission
from mnistarena.plugin.messages import (
    Event,
    Measured,
    Result,
    RowAdded,
    StageBegan,
    Started,
    error_message,
    without_clock,
)
from mnistarena.testing import executor_jobs
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest
from mnistarena.testing.executor_jobs import FAILING, Jobs, predictions
from mnistarena.testing.executor_session import Session

FIRST = ("job-0", "job-1", "job-2")
"""The jobs of the first round that score stored predictions."""

LATE = "job-3"
"""The job of the second round."""

WHOLE, STOPPED = "whole", "stopped"
"""The training, and the same training when it is interrupted and continued."""

ORDER: tuple[Callable[[Event], bool], ...] = (
    lambda event: isinstance(event, Started),
    lambda event: event == StageBegan("training"),
    lambda event: isinstance(event, RowAdded),
    lambda event: event == StageBegan("testing"),
    lambda event: isinstance(event, Measured),
)
"""The news of a training that an executor must pass on, in their order."""


class ExecutorUnderTest(ComponentUnderTest):
    """An executor, started with its parameters."""

    kind = "executor"
    definition: ExecutorDef

    def checks(self) -> list[Check]:
        """The checks of an executor."""
        return [
            *super().checks(),
            Check(
                "conditions", "choose gives the device, the threads and the versions", function=self.check_conditions
            ),
            Check("results", "every submission ends with its own result", function=self.check_results),
            Check("rounds", "results can be called again with further submissions", function=self.check_rounds),
            Check("failure", "a trial that fails has a result, and the others go on", function=self.check_failure),
            Check("started", "each submission is reported as started", function=self.check_started),
            Check("trial", "a training ends with its files, and a result to record", function=self.check_trial),
            Check("events", "all news of a training are passed on, in their order", function=self.check_events),
            Check("interrupt", "asked to stop, a training saves a checkpoint and ends", function=self.check_interrupt),
            Check("resumes", "it continues from there with the same bits", function=self.check_resumes),
            Check("leaves-nothing", "close can be called twice", function=self.check_close),
        ]

    # ---- What the executor does

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs, in a folder that goes with this object."""
        folder = Path(tempfile.mkdtemp(prefix="arena-check-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Jobs(folder)

    @cached_property
    def stopped(self) -> Session:
        """A slow training that is asked to stop once it goes on."""

        def rounds(conditions: Conditions) -> list[list[Submission]]:
            return [[self.jobs.training(STOPPED, conditions, nap=executor_jobs.NAP)]]

        return Session(self.definition, self.params, rounds, interrupt=True)

    @cached_property
    def step(self) -> int | None:
        """The step after which that training saved its checkpoint; None where it was not stopped, or there is none."""
        found = self.stopped.results.get(STOPPED) if self.stopped.ended else None
        return self.jobs.step(STOPPED) if found and found["status"] == "interrupted" else None

    @cached_property
    def ran(self) -> Session:
        """Everything else: the executor started anew runs the other jobs, and continues the interrupted training."""
        trainings = (WHOLE,) if self.step is None else (WHOLE, STOPPED)

        def rounds(conditions: Conditions) -> list[list[Submission]]:
            first = [self.jobs.scoring(key, conditions) for key in FIRST]
            first += [self.jobs.training(key, conditions) for key in trainings]
            return [first, [self.jobs.scoring(LATE, conditions)]]

        return Session(self.definition, self.params, rounds)

    def result(self, key: str) -> Result:
        """A job's result; `NotApplicable` where it has none."""
        results: Mapping[str, Result] = self.ran.sound("results").results
        if key not in results:
            raise NotApplicable('it did not run all jobs: see "results"')
        return results[key]

    # ---- The checks

    def check_conditions(self) -> None:
        """The conditions have all keys of a record, and the device and the threads that were asked for."""
        found = self.ran.sound("results").conditions
        missing = [key for key in environment.conditions("cpu", None, threads=1, jobs=1) if key not in found]
        if missing:
            raise Nonconformity(
                f"what choose returns lacks {', '.join(missing)}; return what mnistarena.executors.conditions returns"
            )
        if found["threads"] != 1 or found["device"] != "cpu":
            raise Nonconformity(
                f'asked for the device "cpu" and 1 thread, choose gives "{found["device"]}" and {found["threads"]}'
            )

    def check_results(self) -> None:
        """Every job of the first round has a result, with the figures that its predictions give."""
        self.ran.check_end("given five jobs")
        found = self.ran.sound("results").results
        missing = [key for key in (*FIRST, WHOLE) if key not in found]
        if missing:
            raise Nonconformity(
                f"of the submissions {', '.join((*FIRST, WHOLE))}, these have no result: {', '.join(missing)}"
            )
        for key in set(FIRST) - {FAILING}:
            wanted = predictions(key)
            accuracy = float((wanted.predicted == wanted.labels).mean())
            if found[key].get("metrics") != {"accuracy": accuracy}:
                raise Nonconformity(f"the accuracy of submission {key} is {accuracy}; its result is {found[key]}")

    def check_rounds(self) -> None:
        """The second call of results gives a result: a trial whose result could not be written runs once more."""
        late = self.ran.sound("results").results.get(LATE)
        if late is None or late["status"] != "done":
            status = None if late is None else late["status"]
            raise Nonconformity(
                f"called again with a further submission, results gave it the status {status}; results is called once "
                "a round"
            )

    def check_failure(self) -> None:
        """The job that fails has the status "failed", and its error says why."""
        result = self.result(FAILING)
        if result["status"] != "failed" or "has changed since this run was planned" not in error_message(result, ""):
            raise Nonconformity(f'a job that raises must end as "failed" with the cause; its result is {result}')

    def check_started(self) -> None:
        """Each job is reported as started: the live display waits for it."""
        told = self.ran.sound("results").events
        missing = [key for key in FIRST if Started not in map(type, told[key])]
        if missing:
            raise Nonconformity(
                f"these submissions were not reported as started: {', '.join(missing)}; call "
                "reports.tell(submission.key, Started()), of mnistarena.executors"
            )

    def check_trial(self) -> None:
        """The training is done, its predictions are in its folder, and its result makes a record."""
        result = self.result(WHOLE)
        if result["status"] != "done":
            raise Nonconformity(f'a small training must end as "done"; its result is {result}')
        trial = self.jobs.trial(WHOLE)
        try:
            trial.predictions()
            self.jobs.record(WHOLE, result, self.ran.conditions)
        except (ArenaError, TypeError, ValueError, KeyError) as problem:
            raise Nonconformity(
                f"a training that is done cannot be recorded: {first_line(problem)}; when its result is yielded, all "
                "its files must be in submission.job.folder (pack_trial and unpack_trial take them from one machine to "
                "another), and the result must be the one that run_job returned"
            ) from problem

    def check_events(self) -> None:
        """The news that the training's process sent were told, in this order and in the thread of `results`."""
        self.result(WHOLE)
        told = self.ran.events[WHOLE]
        remedy = "pass on each event that run_job tells, in its order; of StepsDone the newest is enough"
        places = [place for event in told for place, is_this in enumerate(ORDER) if is_this(event)]
        if set(places) != set(range(len(ORDER))) or places != sorted(places):
            names = ", ".join(dict.fromkeys(type(event).__name__ for event in told))
            raise Nonconformity(
                "of a training it must tell Started, StageBegan of training, each RowAdded, StageBegan of testing and "
                f"Measured; it told, in this order: {names or 'nothing'}; {remedy}"
            )
        rows = without_clock(event.row for event in told if isinstance(event, RowAdded))
        stored = without_clock(self.jobs.trial(WHOLE).history())
        if rows != stored:
            raise Nonconformity(f"the history has {len(stored)} rows, and it told {len(rows)} of them; {remedy}")
        if elsewhere := self.ran.elsewhere | self.stopped.elsewhere:
            raise Nonconformity(
                f"it called {' and '.join(f'reports.{name}' for name in sorted(elsewhere))} in another thread than the "
                "one that runs results; put what arrives there into a queue"
            )

    def check_interrupt(self) -> None:
        """A training that runs when a stop is asked for ends as "interrupted", with a checkpoint in its folder."""
        self.stopped.check_end("asked to stop" if self.stopped.asked else "given a training")
        session = self.stopped.sound("interrupt")
        if not session.asked:
            raise NotApplicable('it told nothing of the training: see "events"')
        remedy = (
            "run_job asks reports.stopping() itself; where it runs on another machine, give it there "
            "Reports(tell, stopping=…) with a function that says what reports.stopping() says here"
        )
        result = session.results.get(STOPPED)
        if result is None:
            raise Nonconformity(f"asked to stop, it yielded no result for a training that ran; {remedy}")
        if result["status"] != "interrupted":
            raise Nonconformity(f'asked to stop, a training ended as "{result["status"]}", not "interrupted"; {remedy}')
        progress = result.get("progress")
        if progress is None:
            raise Nonconformity(
                "asked to stop, it ended the training without waiting for the checkpoint: its result names no step; "
                f"{remedy}"
            )
        if self.step != progress["step"]:
            raise Nonconformity(
                f"the training saved a checkpoint after step {progress['step']}, and in submission.job.folder there is "
                f"{'none' if self.step is None else f'one of step {self.step}'}; bring the files of an interrupted "
                "trial back as well (pack_trial and unpack_trial take them from one machine to another)"
            )

    def check_resumes(self) -> None:
        """The training continues from that checkpoint, and ends with the bits of one that was not interrupted."""
        if self.step is None:
            raise NotApplicable('there is no checkpoint to continue from: see "interrupt"')
        if not self.jobs.trial(WHOLE).has_stored_predictions():
            raise NotApplicable('there is no training to compare it with: see "trial"')
        result = self.result(STOPPED)
        if result["status"] != "done":
            raise Nonconformity(f'the training, continued, must end as "done"; its result is {result}')
        found = result.get("measurements", {}).get("resumed_at_step")
        if found != self.step:
            raise Nonconformity(
                f"the training has a checkpoint of step {self.step} and continued "
                f"{'from its beginning' if found is None else f'after step {found}'}; what is in submission.job.folder "
                "must be there where run_job runs (pack_job and unpack_job take it to another machine)"
            )
        one, other = (self.jobs.trial(key) for key in (WHOLE, STOPPED))
        same = without_clock(one.history()) == without_clock(other.history())
        if not same or not (one.predictions().values == other.predictions().values).all():
            raise Nonconformity(
                "interrupted and continued, the training gave other figures than without an interruption; run both "
                "under the same conditions, with job.conditions as they are"
            )

    def check_close(self) -> None:
        """The executor can be closed again, as happens where a run fails."""
        session = self.ran.sound("results")
        assert session.executor is not None
        session.executor.close()
