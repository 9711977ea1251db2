"""Jobs in worker processes: a number at a time, within their limits; each ends in a result, whatever it does."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from mnistarena.environment import Conditions
from mnistarena.execution.cores import Cores, Share
from mnistarena.execution.interrupts import Interrupts
from mnistarena.execution.workers import Workers
from mnistarena.plugin.executor import Reports, Submission
from mnistarena.plugin.messages import Ended, Event, Result, Started, Status, failure
from mnistarena.store.trial_folder import TrialFolder
from mnistarena.text import byte_size
from mnistarena.trial.processes import memory

POLL_SECONDS = 0.5
"""How often a supervisor looks at the output of a running trial."""

LISTEN_SECONDS = 0.1
"""How often it looks at a trial's memory, and whether it is to stop."""

GRACE_SECONDS = 60.0
"""How long a trial that was asked to stop may take to write its checkpoint."""

STOPPED_SECONDS = 2.0
"""How much longer than asked a supervisor must have slept to have been stopped itself (Ctrl-Z, a paused container)."""

MESSAGES = 5000
"""More than fit into a pipe: so many are read of a worker at a time, at most."""


@dataclass
class _Running:
    submission: Submission
    process: BaseProcess
    _: KW_ONLY
    connection: Connection
    deadline: float | None
    share: Share | None = None
    result: Result | None = None

    @property
    def folder(self) -> TrialFolder:
        return TrialFolder(self.submission.job.folder)


class Supervisor:
    """Runs submissions in workers of this machine, `jobs` at a time, until `reports.stopping()`.

    With `cores`, each trial that computes on the processor has its threads' cores for itself, where there are enough
    for all; without, several supervisors share a machine.
    """

    def __init__(
        self,
        workers: Workers,
        jobs: int,
        *,
        reports: Reports | None = None,
        memory_limit: int | None = None,
        cores: Cores | None = None,
    ) -> None:
        self.workers, self.jobs, self.memory_limit, self.cores = workers, jobs, memory_limit, cores
        self.reports = reports or Reports()
        self.running: list[_Running] = []
        self.patience = math.inf
        self.obeyed = 0
        """How many requests to stop were acted on."""
        self.checked = 0.0

    def results(self, submissions: Iterator[Submission]) -> Iterator[tuple[Submission, Result]]:
        """Each submission with its result, in the order in which they end.

        Asked to stop once, it asks the running trials for a checkpoint; asked again, it ends them at once. Leaving
        early ends them too.
        """
        try:
            exhausted = False
            while True:
                while not exhausted and not self.reports.stopping() and len(self.running) < self.jobs:
                    submission = next(submissions, None)
                    if submission is None:
                        exhausted = True
                    else:
                        self._start(submission)
                if not self.running:
                    break
                self._listen()
                self._obey()
                for one in [one for one in self.running if one.result is not None]:
                    self._end(one)
                    one.connection.close()
                    one.folder.log.trim()
                    self.running.remove(one)
                    assert one.result is not None
                    yield one.submission, one.result
        finally:
            for one in self.running:
                self._end(one)

    def _start(self, submission: Submission) -> None:
        self.reports.tell(submission.key, Started())
        share = self._share(submission.job.conditions)
        process, connection = self.workers.start(submission.job, share.cores if share else frozenset())
        seconds = seconds_left(submission)
        deadline = None if seconds is None else time.monotonic() + seconds
        self.running.append(_Running(submission, process, connection=connection, deadline=deadline, share=share))

    def _share(self, conditions: Conditions) -> Share | None:
        """Cores for a trial that computes on the processor, where there are enough for all that run side by side."""
        threads = conditions["threads"]
        if self.cores is None or conditions["device"] != "cpu" or self.jobs * threads > len(self.cores.allowed):
            return None
        return self.cores.take(threads)

    def _end(self, one: _Running) -> None:
        self.workers.end(one.process)
        if one.share is not None:
            one.share.release()

    def _listen(self) -> None:
        """Wait for news or a limit; sets `result` where a trial has ended or must end."""
        limits = [one.deadline - time.monotonic() for one in self.running if one.deadline is not None]
        timeout, began = max(0.0, min([LISTEN_SECONDS, *limits])), time.monotonic()
        ready = wait([one.connection for one in self.running], timeout=timeout)
        now = time.monotonic()
        self._allow_for(now - began - timeout)
        check_logs = now - self.checked >= POLL_SECONDS
        self.checked = now if check_logs else self.checked
        for one in self.running:
            if one.connection in ready:
                self._drain(one)
            if one.result is None:
                self._enforce_limits(one, now)
            if one.result is None and check_logs:
                one.folder.log.trim()

    def _allow_for(self, late: float) -> None:
        """Put off every deadline by the seconds that this process was stopped: as a rule its trials were, too."""
        if late > STOPPED_SECONDS:
            self.patience += late
            for one in self.running:
                one.deadline = None if one.deadline is None else one.deadline + late

    def _drain(self, one: _Running) -> None:
        """Take every message of a worker that has arrived: what it did in time counts, however late it is read."""
        for _ in range(MESSAGES):
            if one.result is not None or not one.connection.poll():
                break
            self._receive(one)

    def _receive(self, one: _Running) -> None:
        """Take one message of a worker."""
        try:
            message: Event | Ended = one.connection.recv()
        except Exception:  # the end of the pipe, or a half-written message of a worker that was killed
            one.result = self._died(one)
            return
        if isinstance(message, Ended):
            one.result = message.result
        else:
            self.reports.tell(one.submission.key, message)

    def _enforce_limits(self, one: _Running, now: float) -> None:
        """Give a trial over one of its limits a result that says so, unless its own has arrived meanwhile."""
        late = one.deadline is not None and now >= one.deadline
        impatient = now >= self.patience
        used = 0
        if self.memory_limit is not None and not late and not impatient:
            assert one.process.pid is not None
            used = memory(one.process.pid)
        limit = self.memory_limit if self.memory_limit is not None and used > self.memory_limit else None
        if late or impatient or limit is not None:
            self._drain(one)
        if one.result is not None:
            return
        if late:
            text = f"the time limit of {one.submission.limit} was reached; raise time_limit, or train less"
            one.result = self._limit(one, "timeout", "TimeLimit", text)
        elif impatient:
            one.result = {"status": "interrupted"}
        elif limit is not None:
            text = f"it used {byte_size(used)} of memory; --memory-limit is {byte_size(limit)}"
            one.result = self._limit(one, "failed", "MemoryLimit", text)

    def _limit(self, one: _Running, status: Status, kind: str, message: str) -> Result:
        # The worker's fault handler writes where each thread is, even where Python itself hangs.
        if hasattr(signal, "SIGUSR1"):
            with suppress(ProcessLookupError):
                assert one.process.pid is not None
                os.kill(one.process.pid, signal.SIGUSR1)
                one.process.join(0.3)
        return failure(status, kind, message, one.folder.log.tail())

    def _died(self, one: _Running) -> Result:
        """The result of a worker that exited without sending one."""
        one.process.join(5)
        code = one.process.exitcode
        # The folder of an estimate is removed with it.
        log = "" if one.submission.job.mode == "estimate" else "; see log.txt"
        if code == -signal.SIGTERM or (code is not None and code < 0 and self.reports.stopping()):
            return {"status": "interrupted"}
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
            message = f"the process was ended by {name}{hint}{log}"
        else:
            message = f"the process exited with status {code} before it was done{log}"
        return failure("failed", "WorkerDied", message, one.folder.log.tail())

    def _obey(self) -> None:
        """Act on the requests to stop that have come since the last time, whatever went on meanwhile."""
        before, self.obeyed = self.obeyed, int(self.reports.stopping())
        count = self.obeyed
        if count and not before:
            self.patience = time.monotonic() + GRACE_SECONDS
            for one in self.running:
                one.process.terminate()
        if count > max(before, 1):
            for one in self.running:
                self._drain(one)
                one.result = one.result or {"status": "interrupted"}


def seconds_left(submission: Submission) -> float | None:
    """What is left of a job's time limit, for a job that continues from a checkpoint."""
    if submission.seconds is None or submission.job.mode != "train":
        return submission.seconds
    state = TrialFolder(submission.job.folder).checkpoint.state() or {}
    return submission.seconds - float(state.get("wall_seconds") or 0.0)


def run_here(
    workers: Workers,
    jobs: int,
    submissions: Iterator[Submission],
    *,
    tell: Callable[[str, Event], None] = lambda key, event: None,
    cores: Cores | None = None,
) -> Iterator[tuple[Submission, Result]]:
    """Submissions in workers of this machine, without an executor; `KeyboardInterrupt` after a signal."""
    with Interrupts() as interrupts:
        reports = Reports(tell, stopping=interrupts.asked)
        yield from Supervisor(workers, jobs, reports=reports, cores=cores).results(submissions)
    if interrupts.asked():
        raise KeyboardInterrupt
