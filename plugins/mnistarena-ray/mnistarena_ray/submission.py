"""A trial that was submitted to the cluster: what it sends, and what becomes of it where its machine is lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from typing import Any

import ray
from ray import exceptions

from mnistarena import StoreError
from mnistarena.executors import Reports, Result, Started, Submission, TrialFolder, failure, unpack_trial
from mnistarena_ray.cluster import Request, describe, in_words
from mnistarena_ray.messages import CheckpointSaved, Message, News, TrialEnded

LOST = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
    exceptions.OwnerDiedError,
    exceptions.ReferenceCountingAssertionError,
    exceptions.ObjectFetchTimedOutError,
)
"""What Ray raises where a machine, or Ray's process on it, was lost: the trial itself is not the cause."""


# ---- What the driver does next with a trial


@dataclass(frozen=True)
class Running:
    """It goes on: wait for its next message."""


@dataclass(frozen=True)
class Resubmit:
    """It must be submitted once more."""


@dataclass(frozen=True)
class Ended:
    """It has ended with this result."""

    result: Result


Outcome = Running | Resubmit | Ended


@dataclass(frozen=True)
class Lost:
    """Its machine is lost, or can run nothing; `cause` is for people."""

    cause: str


# ---- The trial


@dataclass
class ClusterTrial:
    """A trial with the cluster.

    `stream` yields references to its messages; `attempt` counts from 1; `host` is where it runs, None before it began.
    """

    submission: Submission
    request: Request
    _: KW_ONLY
    attempt: int = 1
    stream: Any = None
    host: str | None = None

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.submission.name or self.submission.key

    @property
    def folder(self) -> TrialFolder:
        """Its folder here, in the run folder."""
        return TrialFolder(self.submission.job.folder)

    def next_message(self) -> Message | Lost | Ended:
        """The message that has arrived, or what its absence means."""
        try:
            message: Message = ray.get(next(self.stream))
            return message
        except StopIteration:
            return Lost("its task ended without a result")
        except exceptions.TaskCancelledError:
            return Ended({"status": "interrupted"})
        except exceptions.OutOfMemoryError as problem:
            return Ended(self._out_of_memory(problem))
        except LOST as problem:
            return Lost(type(problem).__name__)
        except exceptions.RayTaskError as problem:
            # What a plugin raises comes as a result. This is of its machine: a full disk, or a missing package.
            return Lost(describe(problem))

    def take_news(self, news: News, reports: Reports) -> None:
        """Add to the log here, and pass the events on."""
        self.folder.log.append(news.log)
        for event in news.events:
            if isinstance(event, Started):
                self.host = event.host
            reports.tell(self.submission.key, event)

    def take_checkpoint(self, checkpoint: CheckpointSaved) -> None:
        """Write a checkpoint here; on a full disk it is left out, and the training goes on."""
        with suppress(StoreError):
            unpack_trial(self.folder.path, checkpoint.files)

    def take_result(self, ended: TrialEnded, *, stopping: bool) -> Ended | Lost:
        """Write the trial's files here."""
        try:
            unpack_trial(self.folder.path, ended.files)
        except StoreError as problem:
            return Ended(failure("interrupted", "StoreError", str(problem)))
        if ended.result["status"] == "interrupted" and "error" not in ended.result and not stopping:
            # The driver did not ask it to stop: its machine is being shut down.
            return Lost("it was stopped there")
        return Ended(ended.result)

    def after_loss(self, lost: Lost, reports: Reports, *, retries: int, stopping: bool) -> Resubmit | Ended:
        """What to do after its machine was lost: submit it once more, `retries` times at most."""
        where = f" on {self.host}" if self.host else ""
        if stopping:
            return Ended({"status": "interrupted"})
        if self.attempt > retries:
            message = f"it was lost {self.attempt} times, at last{where} ({lost.cause})"
            return Ended(failure("interrupted", "NodeLost", message))
        self.attempt += 1
        state = self.folder.checkpoint.state() if self.submission.job.mode == "train" else None
        next_step = f"goes on elsewhere after step {state.get('step')}" if state else "starts again elsewhere"
        reports.notice(f"{self.name} was lost{where} ({lost.cause}): it {next_step}")
        self.host = None
        return Resubmit()

    def _out_of_memory(self, problem: Exception) -> Result:
        # The same trial with the same resources would end the same way, so it is not tried again.
        where = f" on {self.host}" if self.host else ""
        text = (
            f"the node ran out of memory{where}, and Ray ended the trial, for which {in_words(self.request)} were set "
            'aside; ask for more with resources = { memory = "8GiB" } in its table, then --retry-failed'
        )
        return failure("failed", "OutOfMemory", text, str(problem))
