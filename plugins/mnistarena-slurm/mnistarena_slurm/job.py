"""What runs in a job: one trial, which is saved and queued again where its job must end before it."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path

from submitit.helpers import DelayedSubmission

from mnistarena.executors import (
    Event,
    Reports,
    Result,
    Started,
    Submission,
    Workers,
    conditions,
    failure,
    host,
    run_job,
)
from mnistarena_slurm.mailbox import Mailbox

LOOK_SECONDS = 1.0
"""How often a job looks at what the driver says."""

SILENT_SECONDS = 300.0
"""After so long without a sign of life of the driver a job saves its trial and ends: nobody would fetch its result."""

TICK_SECONDS = 0.1


@dataclass
class TrialJob:
    """A trial as a function for submitit; its paths are those that all machines see.

    The trial runs in a thread: submitit calls `checkpoint` in a signal handler of the main thread, which waits there
    until the trial is saved. So the two share plain attributes only, and no lock.
    """

    submission: Submission
    mailbox: Mailbox
    _: KW_ONLY
    threads: int
    memory_limit: int | None = None
    preload: tuple[str, ...] = ()
    watched: bool = True
    """Whether the driver goes on while the job runs, and gives signs of life."""
    result: Result | None = None
    must_end: bool = False
    beat: tuple[str, float] = ("", 0.0)
    """The driver's last sign of life, and when it was seen, by the clock of the job's machine."""
    asked: tuple[int, float] = (0, float("-inf"))

    def __call__(self) -> Result:
        """Run the trial to its end."""
        if self.result is None:
            self.beat = "", time.monotonic()
            threading.Thread(target=self._work, daemon=True).start()
        while self.result is None:
            time.sleep(TICK_SECONDS)
        return self.result

    def checkpoint(self) -> DelayedSubmission | None:
        """Save the trial; what is to be queued again, None where the driver does not want it any more."""
        self.must_end = True
        while self.result is None:
            time.sleep(TICK_SECONDS)
        saved = self.result["status"] == "interrupted" and "error" not in self.result
        if saved and self._asked():
            return None
        again = TrialJob(
            self.submission,
            self.mailbox,
            threads=self.threads,
            memory_limit=self.memory_limit,
            preload=self.preload,
            watched=self.watched,
            result=None if saved else self.result,
        )
        return DelayedSubmission(again)

    # ---- In the thread

    def _work(self) -> None:
        try:
            workers = Workers(self.preload)
            try:
                with tempfile.TemporaryDirectory(prefix="arena-") as temporary:
                    self.result = self._run(workers, Path(temporary))
            finally:
                workers.close()
        except Exception as problem:
            self.result = failure("interrupted", type(problem).__name__, str(problem))

    def _run(self, workers: Workers, temporary: Path) -> Result:
        job = self.submission.job
        device = job.conditions["device"]
        here = conditions(device, None, threads=self.threads, jobs=1)
        if device != "cpu":
            here["device_name"] = workers.probe(device).device_name or device
        job = replace(job, conditions=here, folder=self.mailbox.trial.path, temporary=temporary)
        reports = Reports(self._tell, self._stopping)
        submission = replace(self.submission, job=job)
        result = run_job(submission, reports, workers=workers, memory_limit=self.memory_limit)
        return {**result, "conditions": here}

    def _tell(self, key: str, event: Event) -> None:
        self.mailbox.send(Started(host()) if isinstance(event, Started) else event)

    def _stopping(self) -> int:
        return max(int(self.must_end), self._asked())

    def _asked(self) -> int:
        """What the driver asks for; 1 where it is gone."""
        now = time.monotonic()
        count, looked = self.asked
        if now - looked >= LOOK_SECONDS:
            beat, count = self.mailbox.orders()
            if beat != self.beat[0]:
                self.beat = beat, now
            gone = self.watched and now - self.beat[1] > SILENT_SECONDS
            count = max(count, int(gone))
            self.asked = count, now
        return count
