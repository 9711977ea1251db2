"""The JSON files of a run folder as types, TypedDicts that are used as they are; `checked.py` holds files to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import Required, TypedDict

from mnistarena.environment import Conditions
from mnistarena.plugin.messages import (
    Count,
    ErrorDetails,
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
from mnistarena.plugin.settings import Settings
from mnistarena.store.ids import Id
from mnistarena.store.search_records import ChosenRecord, SearchPlan


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
    `border` says how bright the outermost pixels of the training images are: see `Borders`.
    """

    label: Required[Label]
    name: Label
    params: Settings
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
    test: Number | None
    image_shape: Annotated[list[Count], Field(min_length=3, max_length=3)] | None
    mean: list[Number] | None
    std: list[Number] | None
    border: Annotated[list[Number], Field(min_length=3, max_length=3)]


class TransformRecord(TypedDict, total=False):
    """A transform of a recipe: its name, and its parameters beside it."""

    name: Required[Label]
    size: Any


class TrainingRecord(TypedDict, total=False):
    """What the report reads of a recipe's training table; the other keys are shown as they are."""

    epochs: Count | None
    steps: Count | None
    batch_size: Count
    optimizer: Settings
    schedule: Settings
    select: Label


class BroughtRecord(TypedDict):
    """Predictions of a model that was trained elsewhere: the seed, the file as the spec has it, its SHA-256."""

    seed: Count
    file: Text
    sha256: Label


class RecipeRecord(TypedDict, total=False):
    """A recipe of the plan, on one dataset.

    `output` is what the model's plugin says that it returns; None or absent: logits, of a classifier what it has.
    `ended_before`: how many of its seeds had ended at each start that changed which seeds it is asked for. `chosen`
    is there where a search chooses its parameters: what was chosen, empty as long as nothing is. Of several repeats the
    entry describes the first one's recipe; the others differ by their points, and have a seed each. `brought` is there
    where it was not trained here: the files with its predictions.
    """

    label: Required[Label]
    dataset: Required[Label]
    model: Label
    summary: Text
    caveat: Text
    params: Settings
    transforms: list[TransformRecord]
    training: TrainingRecord | None
    notes: list[Text]
    distribution: Label
    deterministic: bool
    output: Output | None
    seeds: list[Count]
    ended_before: list[Count]
    chosen: list[ChosenRecord]
    brought: list[BroughtRecord]


class PublishedRecord(TypedDict):
    """A figure from elsewhere, without predictions: an accuracy on a dataset's whole test split, of `n_test` images.

    `text` is the figure as it was published; `n_test` is None where the dataset has no test split of its own.
    """

    label: Label
    dataset: Label
    text: Label
    n_test: Count | None


class MetricRecord(TypedDict, total=False):
    """A metric of the plan."""

    label: Required[Label]
    name: Label
    summary: Text
    higher_is_better: bool
    share: bool
    params: Settings
    source: Label


class PlannedTrial(TypedDict, total=False):
    """A trial of the plan; `split` is there where its dataset has several numbers of them.

    `look` is the first look, from 1, that needs it; 1 where the number of seeds is fixed.
    """

    id: Required[Id]
    label: Required[Label]
    dataset: Required[Label]
    seed: Required[Count]
    split: Count
    look: Annotated[int, Field(ge=1)]


class LooksPlan(TypedDict):
    """After how many seeds the run is looked at, and which share of the 5 % each look spends."""

    until: Label
    seeds: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=1000)]
    shares: list[Number]


class LookedAt(TypedDict):
    """What a look found: how many comparisons were decided until then, of how many, and who gets more seeds."""

    seeds: Count
    decided: Count
    compared: Count
    further: list[Label]


class DatasetLooks(TypedDict):
    """The looks at one dataset. `asked` is the look up to which each recipe is asked for its seeds."""

    asked: dict[Label, Annotated[int, Field(ge=1)]]
    looks: list[LookedAt]


class LooksRecord(TypedDict):
    """looks.json: what the looks of a run decided, by dataset."""

    datasets: dict[Label, DatasetLooks]


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


class AutoPrecision(TypedDict):
    """What precision = "auto" is decided by, since a run's first start: the device, and whether it has bf16."""

    device: Label
    device_name: Label
    bf16: bool


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
    looks: LooksPlan | None
    metrics: list[MetricRecord]
    views: list[ViewDefinition]
    datasets: Required[list[DatasetRecord]]
    entries: Required[list[RecipeRecord]]
    searches: list[SearchPlan]
    published: list[PublishedRecord]
    trials: Required[Annotated[list[PlannedTrial], Field(max_length=100_000)]]
    plugins: list[PluginRecord]
    earlier_uses: list[EarlierUse]
    conditions: Conditions
    auto_precision: AutoPrecision
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
