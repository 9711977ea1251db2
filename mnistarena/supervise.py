"""Jobs in worker processes: so many at a time, within their limits, each ending in a result whatever it does."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from mnistarena.interrupts import Interrupts
from mnistarena.job import Reports, Result, Task
from mnistarena.processes import memory
from mnistarena.trialfolder import TrialFolder
from mnistarena.worker import Workers

POLL_SECONDS = 0.5
"""How often the output of a running trial is looked at; its memory five times as often."""

GRACE_SECONDS = 60.0
"""How long a worker that was asked to stop may take to write its checkpoint."""


@dataclass
class _Running:
    task: Task
    process: BaseProcess
    connection: Connection
    deadline: float | None
    result: Result | None = None

    @property
    def folder(self) -> TrialFolder:
        return TrialFolder(self.task.job.folder)


def failure(status: str, kind: str, message: str, traceback: str = "") -> Result:
    """A result for what a worker could not say itself."""
    return {"status": status, "error": {"type": kind, "message": message, "traceback": traceback}}


class Supervisor:
    """Runs tasks in workers of this machine, `jobs` at a time. `interrupts` ask it to stop from elsewhere too."""

    def __init__(
        self,
        workers: Workers,
        jobs: int,
        reports: Reports | None = None,
        *,
        memory_limit: int | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.workers, self.jobs, self.memory_limit = workers, jobs, memory_limit
        self.reports = reports or Reports()
        self.interrupts = interrupts or Interrupts()
        self.running: list[_Running] = []
        self.patience = math.inf
        self.looked = 0.0

    def results(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they end.

        The first SIGINT or SIGTERM asks the running trials for a checkpoint; the second ends them at once.
        When they have ended, `KeyboardInterrupt` is raised. Leaving early ends them too.
        """
        with self.interrupts:
            try:
                exhausted = False
                while True:
                    while not exhausted and not self.interrupts.count and len(self.running) < self.jobs:
                        task = next(tasks, None)
                        if task is None:
                            exhausted = True
                        else:
                            self._start(task)
                    if not self.running:
                        break
                    asked = self.interrupts.count
                    self._listen()
                    if self.interrupts.count > asked:
                        self._stop()
                    for one in [one for one in self.running if one.result is not None]:
                        self.workers.end(one.process)
                        one.connection.close()
                        one.folder.trim_log()
                        self.running.remove(one)
                        yield one.task, one.result or {}
            finally:
                for one in self.running:
                    self.workers.end(one.process)
        if self.interrupts.count:
            raise KeyboardInterrupt

    def _start(self, task: Task) -> None:
        self.reports.tell(task.key, {"event": "started"})
        process, connection = self.workers.start(task.job)
        seconds = task.seconds_left()
        deadline = None if seconds is None else time.monotonic() + seconds
        self.running.append(_Running(task, process, connection, deadline))

    def _listen(self) -> None:
        """Wait for news, a limit or a signal; sets `result` where a trial has ended or must end."""
        poll = POLL_SECONDS / 5 if self.memory_limit else POLL_SECONDS
        limits = [one.deadline - time.monotonic() for one in self.running if one.deadline is not None]
        wake = self.interrupts.wake
        ready = wait([wake, *(one.connection for one in self.running)], timeout=max(0.0, min([poll, *limits])))
        if wake in ready:
            self.interrupts.heard()
        now = time.monotonic()
        look = now - self.looked >= POLL_SECONDS
        self.looked = now if look else self.looked
        for one in self.running:
            if one.connection in ready:
                self._hear(one)
            if one.result is not None:
                continue
            if one.deadline is not None and now >= one.deadline:
                one.result = self._limit(one, "timeout", "TimeLimit", _time_limit(one.task))
            elif self.interrupts.count and now >= self.patience:
                one.result = {"status": "interrupted"}
            elif self.memory_limit is not None:
                self._weigh(one, self.memory_limit)
            if look:
                one.folder.trim_log()

    def _hear(self, one: _Running) -> None:
        try:
            event = one.connection.recv()
        except Exception:  # the end of the pipe, or a half-written message of a worker that was killed
            one.result = self._died(one)
            return
        if event["event"] == "end":
            one.result = {key: value for key, value in event.items() if key != "event"}
        else:
            self.reports.tell(one.task.key, event)

    def _weigh(self, one: _Running, limit: int) -> None:
        assert one.process.pid is not None
        used = memory(one.process.pid)
        if used > limit:
            text = f"it used {_gib(used)} of memory; --memory-limit is {_gib(limit)}"
            one.result = self._limit(one, "failed", "MemoryLimit", text)

    def _limit(self, one: _Running, status: str, kind: str, message: str) -> Result:
        # The worker's fault handler writes where each thread is, even where Python itself hangs.
        with suppress(ProcessLookupError):
            assert one.process.pid is not None
            os.kill(one.process.pid, signal.SIGUSR1)
            one.process.join(0.3)
        return failure(status, kind, message, one.folder.log_tail())

    def _died(self, one: _Running) -> Result:
        """The result of a worker that ended without a word."""
        one.process.join(5)
        code = one.process.exitcode
        if code == -signal.SIGTERM or (self.interrupts.count and code is not None and code < 0):
            return {"status": "interrupted"}
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
            message = f"the process was ended by {name}{hint}; see log.txt"
        else:
            message = f"the process exited with status {code} before it was done; see log.txt"
        return failure("failed", "WorkerDied", message, one.folder.log_tail())

    def _stop(self) -> None:
        if self.interrupts.count == 1:
            self.reports.stopping()
            self.patience = time.monotonic() + GRACE_SECONDS
            for one in self.running:
                one.process.terminate()
        else:
            for one in self.running:
                one.result = one.result or {"status": "interrupted"}


def _time_limit(task: Task) -> str:
    return f"the time limit of {task.limit} was reached; raise time_limit, or train less"


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
