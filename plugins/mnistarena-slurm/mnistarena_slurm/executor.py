"""The driver's side: trials become jobs, several at once an array; only here the run folder is written."""

from __future__ import annotations

import itertools
import math
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

from submitit import AutoExecutor
from submitit.core.utils import UncompletedJobError

from mnistarena import StoreError
from mnistarena.executors import (
    GRACE_SECONDS,
    POLL_SECONDS,
    TRIAL_BYTES,
    Conditions,
    ExecutorContext,
    Reports,
    Result,
    Started,
    Submission,
    Workload,
    conditions,
    cores,
    failure,
    processor,
    refuse_jobs_beside_exclusive,
)
from mnistarena_slurm import SlurmParams
from mnistarena_slurm.job import TrialJob
from mnistarena_slurm.mailbox import Mailbox, give_orders

BEAT_SECONDS = 10.0
"""How often the driver says that it is there."""

LATE_SECONDS = 30.0
"""How much longer than on one machine a stop may take: files are seen late on other machines."""

ERROR_CHARACTERS = 800
"""The end of what a lost job has written that its error has."""


@dataclass(frozen=True)
class Request:
    """What a trial asks Slurm for; `memory` is in GiB."""

    cpus: int
    gpus: int
    _: KW_ONLY
    memory: float


@dataclass
class Submitted:
    """A trial that is with Slurm; `host` is where it runs, None before it began."""

    submission: Submission
    mailbox: Mailbox
    _: KW_ONLY
    job: Any
    host: str | None = None
    looked: float = 0.0


class SlurmExecutor:
    """`mnistarena.executors.Executor` on a Slurm cluster."""

    def __init__(self, params: SlurmParams, context: ExecutorContext) -> None:
        self.params, self.context = params, context
        self.cluster = params.cluster or AutoExecutor.which()
        self.folder = Path(params.folder).absolute() / uuid.uuid4().hex[:12]
        """The folder of this run's jobs."""
        self.conditions = Conditions()
        self.threads, self.jobs = 1, 1
        self.running: list[Submitted] = []
        self.beat, self.told, self.asked = 0, -math.inf, 0

    def choose(self, work: Workload) -> Conditions:
        """The device, the threads, and how many jobs at a time; each job says what it found on its node."""
        refuse_jobs_beside_exclusive(work, self.context)
        before, context = work.before, self.context
        device = context.device or before.get("device") or "auto"
        if device == "auto":
            device = "cuda" if self.params.gpus else "cpu"
        self.threads = int(context.threads or before.get("threads") or 1)
        most = self.params.at_once if self.cluster == "slurm" else max(1, cores() // self.threads)
        self.jobs = 1 if work.exclusive else context.jobs or before.get("jobs") or most
        name = processor() if device == "cpu" else "a GPU of the cluster"
        self.conditions = conditions(device, name, threads=self.threads, jobs=self.jobs)
        return self.conditions

    def results(self, submissions: Iterator[Submission], reports: Reports) -> Iterator[tuple[Submission, Result]]:
        """Each submission with its result, in the order in which they end."""
        exhausted, patience = False, math.inf
        while True:
            room = 0 if exhausted or reports.stopping() else self.jobs - len(self.running)
            taken = list(itertools.islice(submissions, room))
            exhausted = exhausted or len(taken) < room
            self._submit(taken)
            if not self.running:
                return
            before, asked = self.asked, reports.stopping()
            self._give_orders(asked)
            if asked and not before:
                self._withdraw()
                patience = time.monotonic() + GRACE_SECONDS + LATE_SECONDS
            if asked > 1:
                patience = 0.0
            for trial in list(self.running):
                result = self._hear(trial, reports)
                if result is None and time.monotonic() >= patience:
                    trial.job.cancel(check=False)
                    result = {"status": "interrupted"}
                if result is not None:
                    self.running.remove(trial)
                    yield trial.submission, self._fetched(trial, result)
            time.sleep(POLL_SECONDS / 2 if self.running else 0)

    # ---- Submitting

    def _submit(self, submissions: list[Submission]) -> None:
        """Hand trials to Slurm: those that ask for the same as one array."""
        if not submissions:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._give_orders(self.asked)
        for request, alike in itertools.groupby(sorted(submissions, key=self._order), self._request):
            executor = self._queue(request)
            waiting = [(one, Mailbox(self.folder / uuid.uuid4().hex[:12])) for one in alike]
            for one, mailbox in waiting:
                mailbox.fill(one.job)
            with executor.batch():
                jobs = [executor.submit(self._trial(one, mailbox, request)) for one, mailbox in waiting]
            self.running += [
                Submitted(one, mailbox, job=job) for (one, mailbox), job in zip(waiting, jobs, strict=True)
            ]

    def _request(self, submission: Submission) -> Request:
        wanted = submission.resources
        gpus = math.ceil(wanted.gpus) if wanted.gpus is not None else self.params.gpus
        if gpus is None:
            gpus = int(self.conditions["device"] != "cpu")
        cpus = self.context.threads or wanted.cpus or self.threads
        return Request(cpus, gpus, memory=(wanted.memory or TRIAL_BYTES) / (1 << 30))

    def _order(self, submission: Submission) -> tuple[float, ...]:
        request = self._request(submission)
        return request.cpus, request.gpus, request.memory

    def _queue(self, request: Request) -> AutoExecutor:
        """What submits jobs with this request."""
        params = self.params
        limits = {f"{self.cluster}_max_num_timeout": params.requeues} if self.cluster != "debug" else {}
        executor = AutoExecutor(self.folder / "jobs", cluster=self.cluster, **limits)
        asked = {
            "slurm_partition": params.partition,
            "slurm_account": params.account,
            "slurm_qos": params.qos,
            "slurm_setup": params.setup or None,
            "slurm_additional_parameters": params.options or None,
        }
        executor.update_parameters(
            name="arena",
            timeout_min=params.minutes,
            cpus_per_task=request.cpus,
            gpus_per_node=request.gpus,
            mem_gb=request.memory,
            slurm_array_parallelism=self.jobs,
            **{key: value for key, value in asked.items() if value is not None},
        )
        return executor

    def _trial(self, submission: Submission, mailbox: Mailbox, request: Request) -> TrialJob:
        device = self.conditions["device"] if request.gpus else "cpu"
        there = self.conditions.copy()
        there["device"], there["threads"] = device, request.cpus
        return TrialJob(
            replace(submission, job=replace(submission.job, conditions=there)),
            mailbox,
            threads=request.cpus,
            memory_limit=self.context.memory_limit,
            preload=self.context.preload,
            watched=self.cluster != "debug",
        )

    # ---- Listening

    def _give_orders(self, asked: int) -> None:
        """Say that the driver is there, and whether to stop."""
        if asked != self.asked or time.monotonic() - self.told >= BEAT_SECONDS:
            self.asked, self.told, self.beat = asked, time.monotonic(), self.beat + 1
            give_orders(self.folder, self.beat, asked)

    def _hear(self, trial: Submitted, reports: Reports) -> Result | None:
        """Pass on the news of a trial; its result, once its job has ended."""
        ended = trial.job.done()
        for event in trial.mailbox.news():
            if isinstance(event, Started):
                trial.host = event.host
            reports.tell(trial.submission.key, event)
        if ended:
            return self._outcome(trial)
        if time.monotonic() - trial.looked >= trial.submission.job.checkpoint_every / 2:
            trial.looked = time.monotonic()
            trial.mailbox.copy_checkpoint(trial.submission.job)
        return None

    def _outcome(self, trial: Submitted) -> Result:
        """What a job that has ended returned, or what its end without a result means."""
        try:
            result: Result = trial.job.result()
            return result
        except UncompletedJobError as problem:
            state = str(trial.job.state)
            if self.asked:
                return {"status": "interrupted"}
            if "OUT_OF_ME" in state.upper():
                text = (
                    "Slurm ended the job, for it used more memory than it had asked for; ask for more with "
                    'resources = { memory = "8GiB" } in its table, then --retry-failed'
                )
                return failure("failed", "OutOfMemory", text)
            text = f"its job {trial.job.job_id} ended as {state} without a result; the same command continues"
            return failure("interrupted", "JobLost", text, str(problem)[-ERROR_CHARACTERS:])

    def _fetched(self, trial: Submitted, result: Result) -> Result:
        """The result, with the trial's files in the run folder."""
        try:
            trial.mailbox.empty(trial.submission.job)
        except StoreError as problem:
            return failure("interrupted", "StoreError", str(problem))
        return result

    # ---- Ending

    def _withdraw(self) -> None:
        """Cancel the jobs that have not begun; their trials have no result."""
        for trial in [one for one in self.running if one.host is None]:
            trial.job.cancel(check=False)
            self.running.remove(trial)

    def close(self) -> None:
        """Cancel what still runs, and remove the jobs' files."""
        for trial in self.running:
            trial.job.cancel(check=False)
        self.running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
