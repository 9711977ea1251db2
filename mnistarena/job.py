"""What is between a run and those who run its trials: the job, the task it is, and what an executor must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mnistarena.components import Task as ModelTask
from mnistarena.spec.schema import Resources
from mnistarena.trialfolder import TrialFolder

Send = Callable[[dict[str, Any]], None]
"""How a worker reports: `stage`, `step`, `row`, `measured`, `end`."""

Result = dict[str, Any]
"""What became of a trial: its `status`, then `metrics` and `measurements`, or the `error`."""


@dataclass(frozen=True)
class Job:
    """Everything a worker needs, as plain data.

    `identity` is the trial's, `params` its model's as JSON; `task` is the dataset's, before transforms;
    `data` is a folder of .npy files; `metrics` are (label, name, params as JSON); `conditions` say device
    and threads; `temporary` is where the trial's temporary files go; `checkpoint_every` is in seconds.
    With `train` false, only the metrics are computed again, and no task is needed; with `pace`, a few steps
    are run to see how long the trial would take. `views` are the definitions of further views of the test
    images, predicted as well. `files` are those that the model's `build` reads, by SHA-256; `environment` holds
    variables for the worker's process.
    """

    folder: Path
    identity: dict[str, Any]
    params: str
    task: ModelTask | None
    data: Path
    metrics: tuple[tuple[str, str, str], ...]
    conditions: dict[str, Any]
    keep_model: bool
    temporary: Path
    checkpoint_every: float = 30.0
    train: bool = True
    pace: bool = False
    views: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def bits_depend_on(self) -> dict[str, Any]:
        """The conditions that may change a figure: all but the machine's name and how many trials run side by side."""
        return {key: value for key, value in self.conditions.items() if key not in ("jobs", "host")}


@dataclass(frozen=True)
class Task:
    """A job for an executor: `key` is its caller's name for it, `limit` the time limit as the spec has it.

    `seconds` is that limit (None: there is none); what an interrupted training has used of it is in its checkpoint.
    """

    key: Any
    job: Job
    seconds: float | None
    limit: str | None = None
    resources: Resources = field(default_factory=Resources)

    def seconds_left(self) -> float | None:
        """What is left of the time limit for a job that goes on from a checkpoint."""
        if self.seconds is None or not self.job.train:
            return self.seconds
        state = TrialFolder(self.job.folder).checkpoint() or {}
        return self.seconds - float(state.get("wall_seconds") or 0.0)


@dataclass(frozen=True)
class ExecutorContext:
    """How trials are to run, as far as somebody asked; None means that the executor chooses.

    `memory_limit` is in bytes, for each trial. With `ahead`, trials will probably follow soon, so what takes long
    may begin beside the planning.
    """

    device: str | None = None
    jobs: int | None = None
    threads: int | None = None
    memory_limit: int | None = None
    ahead: bool = False


@dataclass(frozen=True)
class Workload:
    """What there is to do, once it is planned.

    `exclusive`: nothing may run beside a trial. `before` are the conditions of the run's first start, which stay
    where nobody asks for others. `sources` are the digests of the code that is used, `versions` of the packages
    that figures depend on, `distributions` of the plugins: what another machine must have, too.
    """

    n_trials: int
    exclusive: bool = False
    before: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reports:
    """Whom an executor tells: news of a trial by its task's key (`started`, then what the worker sends), that a
    stop was asked for, and sentences for whoever started the run."""

    tell: Callable[[Any, dict[str, Any]], None] = lambda key, event: None
    stopping: Callable[[], None] = lambda: None
    notice: Callable[[str], None] = lambda sentence: None


class Executor(Protocol):
    """Runs trials somewhere. Used by one thread, in this order: `choose`, `results` once or more, `close`."""

    def choose(self, work: Workload) -> dict[str, Any]:
        """The conditions, as `mnistarena.environment.conditions` has them; recorded with the plan and each result.

        Raises `ArenaError` where they cannot be had.
        """
        ...

    def results(self, tasks: Iterator[Task], reports: Reports) -> Iterator[tuple[Task, Result]]:
        """Each task with its result, in the order in which they end; a task is taken when there is a place for it.

        Called again, with further tasks, for trials that are to run once more when all others have ended.

        A result's `conditions`, if any, are what was otherwise than `choose` said: the host, the device. When a result
        arrives, the files of the trial are in its job's folder. SIGINT or SIGTERM asks running trials for a
        checkpoint, a second one ends them; when they have ended, `KeyboardInterrupt` is raised.
        """
        ...

    def close(self) -> None:
        """Nothing more will be asked of it; whatever still runs for it ends."""
        ...
