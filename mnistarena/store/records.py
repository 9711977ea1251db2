"""The JSON files of a run folder as types, and the checks before anything reads a figure from them.

A file may come from a stranger or from another version: keys that are added later are allowed, those that are read
must have the type that is written here. Each type is a TypedDict, so the file's content is used as it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import Required, TypedDict

from mnistarena.environment import Conditions
from mnistarena.errors import StoreError
from mnistarena.plugin import messages
from mnistarena.plugin.messages import (
    ComponentIdentity,
    Count,
    ErrorDetails,
    HistoryRow,
    Identity,
    Label,
    Measurements,
    MetricDefinition,
    Number,
    Status,
    StepsSaved,
    Text,
    ViewDefinition,
)
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.split_identity import SplitIdentity

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""Hex digits, since it is part of a folder's name."""


class DrawRecord(TypedDict, total=False):
    """One of several ways in which trials split a dataset: that of trials of `seed`, or of the number `split`.

    `mean` and `std` are those of its training images, a value a channel; `class_counts` are its images of each class.
    """

    seed: Count | None
    split: Count | None
    n_train: Required[Count]
    n_validation: Required[Count]
    n_test: Required[Count]
    class_counts: Required[list[Count]]
    mean: Required[list[Number]]
    std: Required[list[Number]]


class DatasetRecord(TypedDict, total=False):
    """A dataset of the plan. `test_groups` is how many groups its test images come in, 0 where they have none.

    `mean` and `std` are those of the training split, a value a channel; `class_counts` are its images of each class.
    Where trials split it differently, these are those of the first of `draws`, and `n_test` is the number of images
    that any of them tests on. `n_images` is that of all images where training and test images are put together.
    """

    label: Required[Label]
    name: Label
    params: dict[str, Any]
    class_names: Required[Annotated[list[Label], Field(min_length=1, max_length=10_000)]]
    known_label_errors: list[Count]
    class_counts: list[Count]
    fingerprint: Label
    licence: Text
    source: Text
    n_train: Count
    n_validation: Count
    n_test: Required[Count]
    test_groups: Count
    split_seed: Count | Literal["seed"]
    n_images: Count
    folds: Count | None
    splits: Count | None
    draws: list[DrawRecord]
    train_limit: Count | None
    test_limit: Count | None
    image_shape: Annotated[list[Count], Field(min_length=3, max_length=3)] | None
    mean: list[Number] | None
    std: list[Number] | None


class TransformRecord(TypedDict, total=False):
    """A transform of a recipe: its name, and its parameters beside it."""

    name: Required[Label]
    size: Any


class TrainingRecord(TypedDict, total=False):
    """What the report reads of a recipe's training table; the other keys are shown as they are."""

    epochs: Count | None
    steps: Count | None
    batch_size: Count
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    select: Label


class RecipeRecord(TypedDict, total=False):
    """A recipe of the plan, on one dataset.

    `output` is what the model's plugin says that it returns; None or absent: logits, of a classifier what it has.
    """

    label: Required[Label]
    dataset: Required[Label]
    model: Label
    summary: Text
    params: dict[str, Any]
    transforms: list[TransformRecord]
    training: TrainingRecord | None
    notes: list[Text]
    distribution: Label
    deterministic: bool
    output: Output | None
    seeds: list[Count]


class MetricRecord(TypedDict, total=False):
    """A metric of the plan."""

    label: Required[Label]
    name: Label
    summary: Text
    higher_is_better: bool
    share: bool
    params: dict[str, Any]
    source: Label


class PlannedTrial(TypedDict, total=False):
    """A trial of the plan; `split` is there where its dataset has several numbers of them."""

    id: Required[Id]
    label: Required[Label]
    dataset: Required[Label]
    seed: Required[Count]
    split: Count


class PluginRecord(TypedDict):
    """A single-file plugin of the plan: its name, and the SHA-256 of its content."""

    name: Label
    digest: Label


class EarlierRecipe(TypedDict):
    """A recipe that was run before, under the label that it had, by the ids of its trials."""

    label: Label
    trials: list[Id]


class EarlierUse(TypedDict):
    """A run that used the same test images before: the name of its folder, the day of its start, its recipes.

    `images` says which test images, as `mnistarena.store.earlier_use.images_of`.
    """

    run: Label
    date: Label
    images: Label
    recipes: list[EarlierRecipe]


class PlanRecord(TypedDict, total=False):
    """plan.json: what a run is, as it was last started.

    `earlier_uses` are those of its test images, by recipes that it does not have.
    """

    name: Required[Text]
    spec_file: Label
    engine: Label
    baseline: Label | None
    decide: Label
    margin: Annotated[float, Field(gt=0)]
    target: Annotated[float, Field(gt=0, le=1)] | None
    timing: Label
    metrics: list[MetricRecord]
    views: list[ViewDefinition]
    datasets: Required[list[DatasetRecord]]
    entries: Required[list[RecipeRecord]]
    trials: Required[Annotated[list[PlannedTrial], Field(max_length=100_000)]]
    plugins: list[PluginRecord]
    earlier_uses: list[EarlierUse]
    conditions: Conditions
    spec_folder: Text
    format: int


class TrialRecord(TypedDict, total=False):
    """trial.json: what became of a trial. `stamps` are the size and time of each file in `files`, by name.

    `metric_problems`, `no_values`, `interval_problems` and `view_problems` say why figures are missing, as in `Result`.
    """

    id: Required[Id]
    label: Required[Label]
    dataset: Required[Label]
    seed: Required[Count]
    split: Count
    status: Required[Status]
    identity: Identity
    conditions: Conditions
    notes: list[Text]
    started: Label | None
    finished: Label
    metrics: dict[Label, Number | None]
    metric_problems: dict[Label, Text]
    no_values: dict[Label, Text]
    interval_problems: dict[Label, Text]
    view_problems: dict[Text, Text]
    measurements: Measurements
    metric_definitions: dict[Label, MetricDefinition]
    view_definitions: list[ViewDefinition]
    progress: StepsSaved
    error: ErrorDetails
    files: dict[Label, Label]
    stamps: dict[Label, list[int] | None]
    format: int
    digest: Label


_LOOSE = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)

for _kind in (
    *(
        DatasetRecord,
        DrawRecord,
        TransformRecord,
        TrainingRecord,
        RecipeRecord,
        MetricRecord,
        PlannedTrial,
        PluginRecord,
    ),
    *(EarlierRecipe, EarlierUse),
    *(PlanRecord, TrialRecord, Conditions, Identity, ComponentIdentity, MetricDefinition, ViewDefinition),
    *(HistoryRow, Measurements, ErrorDetails, StepsSaved, messages.Latency, SplitIdentity),
):
    _kind.__pydantic_config__ = _LOOSE  # type: ignore[union-attr]

_PLAN = TypeAdapter(PlanRecord)
_RECORD = TypeAdapter(TrialRecord)
_ROW = TypeAdapter(HistoryRow)


def as_plan(value: object, where: object) -> PlanRecord:
    """A plan that was read; raises `StoreError` that names `where` and what is wrong."""
    plan = cast(PlanRecord, _checked(_PLAN, value, f"{where} is not a plan"))
    datasets = {entry["label"] for entry in plan["datasets"]}
    recipes = {(entry["label"], entry["dataset"]) for entry in plan["entries"]}
    if not {entry["dataset"] for entry in plan["entries"]} <= datasets:
        raise StoreError(f"{where} is not a plan: a recipe is on a dataset that the plan does not have")
    if not {(trial["label"], trial["dataset"]) for trial in plan["trials"]} <= recipes:
        raise StoreError(f"{where} is not a plan: a trial is of a recipe that the plan does not have")
    of = {(trial["label"], trial["dataset"]) for trial in plan["trials"]}
    if len({(trial["label"], trial["dataset"], "split" in trial) for trial in plan["trials"]}) > len(of):
        raise StoreError(f"{where} is not a plan: of a recipe some trials have a split, and others none")
    return plan


def as_record(value: object, where: object) -> TrialRecord:
    """A trial's record that was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(TrialRecord, _checked(_RECORD, value, f"{where} is not a trial's record"))


def as_row(value: object, where: object) -> HistoryRow:
    """A row of a history that was read; raises `StoreError` that names `where` and what is wrong."""
    return cast(HistoryRow, _checked(_ROW, value, f"cannot read {where}"))


def _checked(adapter: TypeAdapter[Any], value: object, blame: str) -> object:
    try:
        adapter.validate_python(value)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{blame}: {where}: {first['msg']}" if where else f"{blame}: {first['msg']}") from None
    except RecursionError:
        raise StoreError(f"{blame}: nested too deeply") from None
    return value
