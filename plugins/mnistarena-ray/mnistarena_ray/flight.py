"""A trial on its way through the cluster, and what becomes of one that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray import exceptions

from mnistarena.job import Reports, Result, Task
from mnistarena.supervise import failure
from mnistarena.trialfolder import TrialFolder
from mnistarena_ray.cluster import demand

LOST = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
    exceptions.OwnerDiedError,
    exceptions.ReferenceCountingAssertionError,
    exceptions.ObjectFetchTimedOutError,
)
"""What a machine may do to a trial that is no fault of the trial's."""


@dataclass
class Flight:
    """A trial on its way: `stream` gives what it sends, `attempt` counts from 1; `host` where it was last heard of."""

    task: Task
    request: dict[str, float]
    attempt: int = 1
    stream: Any = None
    host: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return str(getattr(self.task.key, "name", self.task.key))

    def lost(self, cause: str, reports: Reports, *, retries: int, stopping: bool) -> Result:
        """What becomes of it: an empty result where it is to be submitted anew."""
        where = f" on {self.host}" if self.host else ""
        if stopping:
            return {"status": "interrupted"}
        if self.attempt > retries:
            message = f"it was lost {self.attempt} times, at last{where} ({cause})"
            return failure("interrupted", "NodeLost", message)
        self.attempt += 1
        state = TrialFolder(self.task.job.folder).checkpoint() if self.task.job.train else None
        on = f"goes on elsewhere after step {state.get('step')}" if state else "starts again elsewhere"
        reports.notice(f"{self.name} was lost{where} ({cause}): it {on}")
        self.host = None
        return {}

    def out_of_memory(self, problem: Exception) -> Result:
        """It failed: nothing is tried again."""
        # The same trial with the same resources would meet the same end.
        where = f" on {self.host}" if self.host else ""
        text = (
            f"the node ran out of memory{where}, and Ray ended the trial, for which {demand(self.request)} were set "
            'aside; ask for more with resources = { memory = "8GiB" } in its table, then --retry-failed'
        )
        return failure("failed", "OutOfMemory", text, str(problem))
