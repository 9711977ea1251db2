"""What an executor is given and what it must do. `mnistarena.executors` is the public face of this module.

A run uses an executor from one thread, in this order:

1. `ExecutorDef.start(params, context)` makes it.
2. `choose(work)` says under which conditions trials will run.
3. `results(submissions, reports)` runs trials and yields what became of each. It may be called again with further
   submissions, for trials that are to run once more when all others have ended, or that their results ask for.
4. `close()` ends it, also after an exception.

Signals are not its business: SIGINT and SIGTERM arrive at the run, and `reports.stopping()` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mnistarena.environment import Conditions
from mnistarena.plugin.components import Params, Task
from mnistarena.plugin.messages import Event, Identity, MetricRequest, Result, ViewDefinition

TRIAL_BYTES = 2 << 30
"""Memory, in bytes, that a trial is taken to need where its table does not say."""

Mode = Literal["train", "score", "estimate"]
"""What a job does: the whole trial; metrics and views of a finished one; a few steps, to see what it would cost."""


@dataclass(frozen=True)
class Resources:
    """What a trial asks of an executor that shares out machines; None means that its spec does not say.

    `cpus` are processor cores, `gpus` may be a share of one, `memory` is in bytes.
    """

    cpus: int | None = None
    gpus: float | None = None
    _: KW_ONLY
    memory: int | None = None


@dataclass(frozen=True)
class PluginFile:
    """A plugin that is a single Python file: its name (the file's, without .py), its path, its content's SHA-256."""

    name: str
    path: Path
    _: KW_ONLY
    digest: str


@dataclass(frozen=True)
class Job:
    """Everything a worker needs, as plain data.

    `folder` is the trial's; `params` are its model's as JSON; `task` is the dataset's, before transforms (None where
    no model is needed); `data` is a folder of .npy files; `temporary` is where the trial's temporary files go;
    `checkpoint_every` is in seconds. `views` are further views of the test images to predict. `latency` says whether
    the trained model's is measured. `files` are those that the model's `build` reads, by SHA-256; `plugins` are
    single-file plugins to load; `environment` holds variables for the worker's process.
    """

    folder: Path
    identity: Identity
    _: KW_ONLY
    conditions: Conditions
    data: Path
    temporary: Path
    mode: Mode = "train"
    params: str = "{}"
    task: Task | None = None
    metrics: tuple[MetricRequest, ...] = ()
    views: tuple[ViewDefinition, ...] = ()
    keep_model: bool = False
    latency: bool = True
    checkpoint_every: float = 30.0
    files: Mapping[str, Path] = field(default_factory=dict)
    plugins: tuple[PluginFile, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def bits_depend_on(self) -> dict[str, object]:
        """The conditions that may change a figure: all but the host's name and how many trials run side by side."""
        return {key: value for key, value in self.conditions.items() if key not in ("jobs", "host")}


@dataclass(frozen=True)
class Submission:
    """A job for an executor. All of it is plain data: strings, numbers, paths, and dicts and dataclasses of these.

    `key` names it among the submissions of a run, in letters and digits: the trial's id. `name` is for people
    ("cnn on mnist, seed 0"). `seconds` is the time limit (None: there is none) and `limit` the same as the spec has it.
    """

    key: str
    job: Job
    _: KW_ONLY
    name: str = ""
    seconds: float | None = None
    limit: str | None = None
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class ExecutorContext:
    """How trials are to run, as far as the user asked; None means that the executor chooses.

    `memory_limit` is in bytes, for each trial. With `ahead`, trials will probably follow soon, so slow preparations
    may begin while the run is planned. `preload` are modules that trials import and that are slow to import; where a
    process is started that many trials come from, it should import them once.
    """

    device: str | None = None
    jobs: int | None = None
    _: KW_ONLY
    threads: int | None = None
    memory_limit: int | None = None
    ahead: bool = False
    preload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """What there is to do, once it is planned.

    `exclusive`: nothing may run beside a trial. `before` are the conditions of the run's first start, which stay
    unless the user asks for others. `sources` are the digests of the code that is used, `versions` of the packages
    that figures depend on, `distributions` of the plugins: what another machine must have, too.
    """

    n_trials: int
    exclusive: bool = False
    _: KW_ONLY
    before: Conditions = field(default_factory=lambda: Conditions())
    sources: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)


def _ignore(*news: object) -> None:
    """Nobody listens."""


def _never() -> int:
    """Nobody asks for a stop."""
    return 0


@dataclass(frozen=True)
class Reports:
    """What an executor calls, in the thread that runs `results`, to report and to ask.

    `tell(key, event)`: news of a trial, by its submission's key, `Started` first. `stopping()`: how often a stop was
    asked for; from 1 on running trials are to save a checkpoint and end, from 2 on to end at once.
    `notice(sentence)`: something for whoever started the run.
    """

    tell: Callable[[str, Event], None] = _ignore
    stopping: Callable[[], int] = _never
    _: KW_ONLY
    notice: Callable[[str], None] = _ignore


class Executor(Protocol):
    """Runs trials somewhere."""

    def choose(self, work: Workload) -> Conditions:
        """The conditions, as `mnistarena.executors.conditions` has them; recorded with the plan and each result.

        Raises `ArenaError` where they cannot be had.
        """
        ...

    def results(self, submissions: Iterator[Submission], reports: Reports) -> Iterator[tuple[Submission, Result]]:
        """Each submission with its result, in the order in which they end; taken when there is a place for it.

        A result's `conditions`, if any, are what was otherwise than `choose` said: the host, the device. When a result
        arrives, the files of the trial are in its job's folder, its checkpoint too. Once `reports.stopping()` is not
        0, which it stays, there are no further submissions, and running trials end as "interrupted".
        """
        ...

    def close(self) -> None:
        """End whatever still runs; called once or more, also after an exception."""
        ...


@dataclass(frozen=True)
class ExecutorDef:
    """A way to run trials that `arena run --executor` can name: on this machine, on many.

    `start(params, context)` returns a `Executor`; `context` is an
    `ExecutorContext`. It raises `ArenaError` with a sentence where what it needs is missing.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    start: Callable[[Any, ExecutorContext], Executor]
