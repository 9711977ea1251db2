"""What an executor promises: small jobs, which only compute a metric of stored predictions, run through it."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mnistarena import environment
from mnistarena.components import Predictions
from mnistarena.job import ExecutorContext, Job, Reports, Result, Task, Workload
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.subject import Subject
from mnistarena.trialfolder import TrialFolder

JOBS = 3
FAILING = 1
"""Which of them names a metric that does not exist."""


class ExecutorSubject(Subject):
    """An executor, started with its parameters."""

    kind = "executor"

    def checks(self) -> list[Check]:
        """The checks of an executor."""
        return [
            *super().checks(),
            Check("conditions", "choose says device, threads and versions", self.check_conditions),
            Check("results", "every task ends in its own result", self.check_results),
            Check("rounds", "further tasks may follow when the first have ended", self.check_rounds),
            Check("failure", "a trial that fails is a result, and costs no other", self.check_failure),
            Check("started", "each task is reported as started", self.check_started),
            Check("leaves-nothing", "closing it twice is no error", self.check_close),
        ]

    @cached_property
    def ran(self) -> tuple[Any, dict[str, Any], list[Any], dict[int, Result]]:
        """The closed executor, its conditions, whose start it told of, and what came of `JOBS` jobs and a late one."""
        params = self.params
        told: list[Any] = []
        executor = self.definition.start(params, ExecutorContext(jobs=2, threads=1, device="cpu"))
        try:
            conditions = executor.choose(Workload(JOBS))
            with tempfile.TemporaryDirectory(prefix="arena-check-") as name:
                tasks = [_task(Path(name), number, conditions) for number in range(JOBS)]
                reports = Reports(lambda key, event: told.append(key) if event["event"] == "started" else None)
                found = {task.key: result for task, result in executor.results(iter(tasks), reports)}
                late = _task(Path(name), JOBS, conditions)
                found |= {task.key: result for task, result in executor.results(iter([late]), reports)}
        finally:
            executor.close()
        return executor, conditions, told, found

    def first(self) -> dict[int, Result]:
        """What came of the first `JOBS` jobs."""
        return {key: result for key, result in self.ran[3].items() if key != JOBS}

    def results(self) -> dict[int, Result]:
        """The same, where they came to an end."""
        found = self.first()
        if sorted(found) != list(range(JOBS)):
            raise NotApplicable('it did not run all jobs: see "results"')
        return found

    def check_conditions(self) -> None:
        """The keys that a record has, and the threads that were asked for."""
        found = self.ran[1]
        missing = [key for key in environment.conditions("cpu", None, 1, 1) if key not in found]
        if missing:
            raise Nonconformity(
                f"choose says nothing of {', '.join(missing)}; return what mnistarena.environment.conditions returns"
            )
        if found["threads"] != 1 or found["device"] != "cpu":
            raise Nonconformity(
                f"asked for the device cpu and 1 thread, choose says {found['device']} and {found['threads']}"
            )

    def check_results(self) -> None:
        """All jobs, and the figures that their predictions give."""
        found = self.first()
        if sorted(found) != list(range(JOBS)):
            raise Nonconformity(f"of the tasks {list(range(JOBS))} results came for {sorted(found)}")
        for number in set(range(JOBS)) - {FAILING}:
            wanted = _predictions(number)
            accuracy = float((wanted.predicted == wanted.labels).mean())
            if found[number].get("metrics") != {"accuracy": accuracy}:
                raise Nonconformity(f"the accuracy of task {number} is {accuracy}; its result is {found[number]}")

    def check_rounds(self) -> None:
        """A trial whose result could not be written runs once more, after all others."""
        self.results()
        status = self.ran[3].get(JOBS, {}).get("status")
        if status != "done":
            raise Nonconformity(
                f"called again with a further task, results gave it the status {status}; results is called once a round"
            )

    def check_failure(self) -> None:
        """Status and cause."""
        result = self.results()[FAILING]
        message = str((result.get("error") or {}).get("message", ""))
        if result.get("status") != "failed" or "no-such-metric" not in message:
            raise Nonconformity(f'a job that raises should end as "failed" with the cause; its result is {result}')

    def check_started(self) -> None:
        """The live display waits for it."""
        self.results()
        missing = sorted(set(range(JOBS)) - set(self.ran[2]))
        if missing:
            raise Nonconformity(f'no event "started" came of the tasks {missing}; tell it as {{"event": "started"}}')

    def check_close(self) -> None:
        """A run that fails closes what may be closed already."""
        self.ran[0].close()


def _predictions(number: int) -> Predictions:
    random = np.random.RandomState(number)
    chances = random.dirichlet(np.ones(4), 50)
    return Predictions(random.randint(0, 4, 50).astype(np.int64), chances, np.arange(50))


def _task(folder: Path, number: int, conditions: dict[str, Any]) -> Task:
    trial = TrialFolder(folder / str(number))
    trial.prepare()
    trial.write_predictions(_predictions(number))
    job = Job(
        folder=trial.path,
        identity={},
        params="{}",
        task=None,
        data=folder / "data",
        metrics=(("accuracy", "no-such-metric" if number == FAILING else "accuracy", "{}"),),
        conditions=conditions,
        keep_model=False,
        temporary=folder / f"tmp-{number}",
        train=False,
    )
    return Task(number, job, 60.0, "60s")
