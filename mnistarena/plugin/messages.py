"""The plain data that a run, its executor and its workers exchange: identities, news of a trial, its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import Required, TypedDict

from mnistarena.environment import Conditions
from mnistarena.plugin.search_identity import MetricDefinition as MetricDefinition, SearchIdentity
from mnistarena.plugin.settings import Settings
from mnistarena.plugin.split_identity import SplitIdentity

Number = Annotated[float, Field(ge=-1e300, le=1e300)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Text = Annotated[str, Field(max_length=1 << 20)]
Label = Annotated[str, Field(max_length=200)]
"""Bounds that hold where such data is read from a file; see store/records.py."""

REASON_CHARACTERS = 1000
"""What a record keeps of the reason why a figure is missing."""

Status = Literal["done", "failed", "timeout", "interrupted"]
"""How a trial ended."""

# ---- What a trial is


class ComponentIdentity(TypedDict):
    """A component and its parameters, as plain data."""

    name: str
    params: Settings


class Identity(TypedDict, total=False):
    """What was asked of a trial, fully resolved. Its hash is the trial's id; see plan/identity.py.

    `training` is the recipe's training table; `sources` are the digests of the plugins in use, by
    "distribution:plugin". `search` is there where it is a trial of a search, which never sees the test images.
    Of a model that was trained elsewhere there is `predictions`, the SHA-256 of the file that holds what it said of the
    test images, beside `dataset` and `seed` alone.
    """

    engine: str
    model: ComponentIdentity
    dataset: SplitIdentity
    transforms: list[ComponentIdentity]
    training: Settings
    sources: dict[str, str]
    seed: int
    search: SearchIdentity
    predictions: str


class ViewDefinition(TypedDict, total=False):
    """A further view of the test images: what its stored predictions were made of.

    `severity` is the value of the transforms' `parameter`, where the view has several.
    """

    name: Required[Label]
    parameter: Label | None
    severity: Any
    transforms: list[ComponentIdentity]
    sources: list[Label]


def view_title(view: ViewDefinition) -> str:
    """The name of a view among those of a plan, such as "blur" or "blur, sigma = 2"."""
    parameter = view.get("parameter")
    return view["name"] if parameter is None else f"{view['name']}, {parameter} = {view.get('severity')}"


@dataclass(frozen=True)
class MetricRequest:
    """A metric to compute: its name, its parameters as JSON, and the `label` its figure carries.

    `source` is the digest that its plugin's code must have; None: whatever is installed.
    """

    label: str
    name: str
    _: KW_ONLY
    params: str
    source: str | None = None


# ---- What a trial measures


class Latency(TypedDict, total=False):
    """Milliseconds of a call: median, 95th percentile (None of fewer than 60 calls), how many calls were measured."""

    p50: Number | None
    p95: Number | None
    calls: Count


class HistoryRow(TypedDict, total=False):
    """A line of a trial's history, as a rule an epoch. Times are in seconds from the training's start.

    `logged` are means of what a model that trains itself reports beside its loss.
    """

    epoch: Required[Number]
    step: Required[Count]
    learning_rate: Number | None
    train_loss: Number | None
    validation_loss: Number | None
    validation_accuracy: Number | None
    logged: dict[Label, Number]
    validation_monitor: Number
    train_seconds: Number
    wall_seconds: Number


def without_clock(rows: Iterable[HistoryRow]) -> list[Settings]:
    """A history without the figures that differ each time a trial runs."""
    return [{k: v for k, v in row.items() if k not in ("train_seconds", "wall_seconds")} for row in rows]


class Measurements(TypedDict, total=False):
    """What was measured of a trial: times in seconds, memory in bytes, counts, the last epoch's figures.

    `train_cpu_seconds` is the processor time of all threads in `train_seconds`. With `flops_uncounted`, the names of
    costly operations, `flops_per_image` is a lower bound. `latency_ms` is by the number of images in a batch.
    `earlier_seconds` is what an interrupted training had used before; it ends up in `wall_seconds`. `pruned`: a search
    ended it early, since it was hopeless.
    """

    train_seconds: Number
    train_cpu_seconds: Number
    wall_seconds: Number
    earlier_seconds: Number
    stage_seconds: dict[Label, Number]
    images_per_second: Number | None
    epochs: Number
    steps: Count
    pruned: bool
    selected_epoch: Number
    train_loss: Number | None
    validation_loss: Number | None
    validation_accuracy: Number | None
    parameters: Count
    trainable_parameters: Count
    flops_per_image: Count | None
    flops_uncounted: list[Label]
    latency_ms: dict[Label, Latency]
    peak_memory_bytes: Count
    peak_gpu_memory_bytes: Count | None
    resumed_at_step: Count


class CostEstimate(TypedDict, total=False):
    """What a whole trial will take, from a few of its steps: seconds, and bytes of memory.

    `latency_seconds` are those of `seconds` that measuring the latency takes, which not every trial does. `unknown`
    says why these are missing, of a model that can be trained all the same. `notes` are what was found odd.
    """

    seconds: float
    latency_seconds: float
    memory_bytes: int
    seconds_per_step: float
    unknown: str
    notes: list[str]


# ---- What a worker reports while a trial runs


@dataclass(frozen=True)
class Started:
    """A worker has begun the trial, on the machine `host` where that is another one."""

    host: str | None = None


@dataclass(frozen=True)
class StageBegan:
    """The trial has entered a stage, such as "training" or "testing"."""

    stage: str


FIRST_STEPS, ESTIMATING = "first steps", "estimating"
"""The stages of an estimate: the model is built and its preflight passed; its first steps are done, too."""


@dataclass(frozen=True)
class StepsDone:
    """The training has done `step` of `total` steps; `loss` is the mean since the last row of the history."""

    step: int
    total: int
    _: KW_ONLY
    loss: float


@dataclass(frozen=True)
class RowAdded:
    """The history has a new row."""

    row: HistoryRow


@dataclass(frozen=True)
class Measured:
    """The predictions are stored. What was measured and noted so far is kept, should the trial's process be lost."""

    measurements: Measurements
    notes: tuple[str, ...] = ()


Event = Started | StageBegan | StepsDone | RowAdded | Measured
"""News of a trial that runs."""

Send = Callable[[Event], None]
"""How a worker reports."""


# ---- What becomes of a trial


class ErrorDetails(TypedDict, total=False):
    """An exception as plain data. `stage` is "scoring" where predictions are stored and only scoring was refused."""

    type: Text
    message: Text
    traceback: Text
    stage: Label


class StepsSaved(TypedDict):
    """How far an interrupted training had come."""

    step: Count
    total: Count


class Result(TypedDict, total=False):
    """What became of a trial: its status, then metrics and measurements, or the error.

    `metric_problems` are the metrics that failed, by label, and `view_problems` the further views, by `view_title`,
    each with the reason: they are missing, and tried again by the next run. `no_values` are the metrics that have no
    meaning for the trial's predictions, with the reason; `interval_problems` are those without interval.
    `conditions` are what was otherwise than planned: the host, the device. `progress` says where a checkpoint was
    saved. `cost` answers a job whose mode is "estimate". `notes` are sentences for the trial's record and the report.
    """

    status: Required[Status]
    metrics: dict[str, float | None]
    metric_problems: dict[str, str]
    no_values: dict[str, str]
    interval_problems: dict[str, str]
    view_problems: dict[str, str]
    measurements: Measurements
    error: ErrorDetails
    conditions: Conditions
    progress: StepsSaved
    cost: CostEstimate
    notes: list[Text]


def failure(status: Status, kind: str, message: str, traceback: str = "") -> Result:
    """The result of a trial that could not report one itself; `kind` is a short name of the cause."""
    return {"status": status, "error": {"type": kind, "message": message, "traceback": traceback}}


def error_message(result: Result, otherwise: str) -> str:
    """The message of a result's error, or `otherwise` where it has none."""
    return result.get("error", {}).get("message", otherwise)


@dataclass(frozen=True)
class Ended:
    """The last message of a worker: the result of its job."""

    result: Result


@dataclass(frozen=True)
class Device:
    """The device that a name stands for; `bf16`: it computes in bfloat16 itself; `problem`: why it cannot be used."""

    device: str = ""
    device_name: str | None = None
    _: KW_ONLY
    bf16: bool = False
    problem: str = ""
