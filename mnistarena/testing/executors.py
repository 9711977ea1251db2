"""The checks of an executor: it runs small jobs, each of which computes a metric of stored predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mnistarena import environment
from mnistarena.environment import Conditions
from mnistarena.plugin.executor import Executor, ExecutorContext, ExecutorDef, Job, Reports, Submission, Workload
from mnistarena.plugin.messages import Event, MetricRequest, Result, Started, error_message
from mnistarena.plugin.predictions import Predictions
from mnistarena.store.trial_folder import TrialFolder
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest

JOBS = 3
"""Jobs of the first round, numbered from 0; the one of the second round has the next number."""

FAILING = 1
"""The job that names a metric that does not exist."""


@dataclass(frozen=True)
class Rounds:
    """What an executor did, after it was closed: its conditions, the jobs it reported as started, and all results."""

    executor: Executor
    conditions: Conditions
    _: KW_ONLY
    started: set[int]
    results: Mapping[int, Result]

    @property
    def first(self) -> dict[int, Result]:
        """The results of the first round."""
        return {key: result for key, result in self.results.items() if key != JOBS}

    @property
    def complete(self) -> bool:
        """Whether every job of the first round has a result."""
        return sorted(self.first) == list(range(JOBS))


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
            Check("leaves-nothing", "close can be called twice", function=self.check_close),
        ]

    @cached_property
    def ran(self) -> Rounds:
        """Run `JOBS` jobs, then one more, and close the executor."""
        params = self.params
        started: set[int] = set()

        def tell(key: int, event: Event) -> None:
            if isinstance(event, Started):
                started.add(key)

        executor = self.definition.start(params, ExecutorContext(jobs=2, threads=1, device="cpu"))
        try:
            conditions = executor.choose(Workload(JOBS))
            with tempfile.TemporaryDirectory(prefix="arena-check-") as name:
                submissions = [_submission(Path(name), number, conditions) for number in range(JOBS + 1)]
                found: dict[int, Result] = {}
                for of_round in (submissions[:JOBS], submissions[JOBS:]):
                    for submission, result in executor.results(iter(of_round), Reports(tell)):
                        found[submission.key] = result
        finally:
            executor.close()
        return Rounds(executor, conditions, started=started, results=found)

    def complete(self) -> Rounds:
        """The same; `NotApplicable` where a job of the first round has no result."""
        if not self.ran.complete:
            raise NotApplicable('it did not run all jobs: see "results"')
        return self.ran

    def check_conditions(self) -> None:
        """The conditions have all keys of a record, and the device and the threads that were asked for."""
        found = self.ran.conditions
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
        found = self.ran.first
        if not self.ran.complete:
            raise Nonconformity(f"of the submissions {list(range(JOBS))}, these have results: {sorted(found)}")
        for number in set(range(JOBS)) - {FAILING}:
            wanted = _predictions(number)
            accuracy = float((wanted.predicted == wanted.labels).mean())
            if found[number].get("metrics") != {"accuracy": accuracy}:
                raise Nonconformity(f"the accuracy of submission {number} is {accuracy}; its result is {found[number]}")

    def check_rounds(self) -> None:
        """The second call of results gives a result: a trial whose result could not be written runs once more."""
        late = self.complete().results.get(JOBS)
        if late is None or late["status"] != "done":
            status = None if late is None else late["status"]
            raise Nonconformity(
                f"called again with a further submission, results gave it the status {status}; results is called once "
                "a round"
            )

    def check_failure(self) -> None:
        """The job that fails has the status "failed", and its error says why."""
        result = self.complete().results[FAILING]
        if result["status"] != "failed" or "has changed since this run was planned" not in error_message(result, ""):
            raise Nonconformity(f'a job that raises must end as "failed" with the cause; its result is {result}')

    def check_started(self) -> None:
        """Each job is reported as started: the live display waits for it."""
        missing = sorted(set(range(JOBS)) - self.complete().started)
        if missing:
            raise Nonconformity(
                f"these submissions were not reported as started: {missing}; call reports.tell(submission.key, "
                "Started()), of mnistarena.executors"
            )

    def check_close(self) -> None:
        """The executor can be closed again, as happens where a run fails."""
        self.ran.executor.close()


def _predictions(number: int) -> Predictions:
    """Random predictions of 50 images of 4 classes."""
    random = np.random.RandomState(number)
    probabilities = random.dirichlet(np.ones(4), 50)
    return Predictions(random.randint(0, 4, 50).astype(np.int64), probabilities, index=np.arange(50))


def _submission(folder: Path, number: int, conditions: Conditions) -> Submission:
    """A job that computes the accuracy of stored predictions; one fails, since it wants other code than there is."""
    trial = TrialFolder(folder / str(number))
    trial.reset()
    trial.write_predictions(_predictions(number))
    source = "0" * 64 if number == FAILING else None
    job = Job(
        trial.path,
        {},
        conditions=conditions,
        data=folder / "data",
        temporary=folder / f"tmp-{number}",
        mode="score",
        metrics=(MetricRequest("accuracy", "accuracy", params="{}", source=source),),
    )
    return Submission(number, job, seconds=60.0, limit="60s")
