"""The TOML document: its tables, keys, defaults and bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from mnistarena.data.splits import SplitRule
from mnistarena.plugin.training import Length
from mnistarena.spec.problems import TomlTable
from mnistarena.spec.seeds import Seed, Seeds
from mnistarena.spec.table import ComponentEntry, Table
from mnistarena.spec.units import amount, as_margin, duration, percentage


class Benchmark(Table):
    """`[benchmark]`: what the comparison is about."""

    name: str = Field(min_length=1, max_length=200, description="the report's title")
    seeds: Seeds = Field([0], description='one trial a model, dataset and seed; or { until = "decided", most = 20 }')
    metrics: list[str | ComponentEntry] = Field(
        ["accuracy", "f1_weighted", "log_loss"], min_length=1, description="figures of the test split"
    )
    baseline: str | None = Field(None, description="label of the model that others are compared with")
    decide: str = Field("accuracy", description="label of the metric that says which model is better")
    margin: Annotated[str | float | None, BeforeValidator(as_margin)] = Field(
        None,
        description='figures that differ by no more are practically equal: "0.1 pp" of a share, which is the default; '
        "of another figure a number",
    )
    target: Annotated[str, AfterValidator(percentage)] | None = Field(
        None, description='validation accuracy, such as "99 %": how soon does each model reach it?'
    )
    timing: Literal["shared", "exclusive"] = Field(
        "shared",
        description="exclusive: nothing of the run goes on beside a trial, and recipes take turns: times are judged",
    )
    keep_models: bool = Field(True, description="whether trained weights stay in the run folder")


class DatasetTable(Table):
    """`[[dataset]]`: the data, and how it is split."""

    name: str = Field(min_length=1, description="the dataset's name")
    label: str | None = Field(None, min_length=1, max_length=80, description="unique; defaults to the name")
    params: TomlTable = Field({}, description="the dataset's own parameters")
    validation: int = Field(0, ge=0, description="images set aside from the training split, stratified")
    split_seed: Seed | Literal["seed"] = Field(
        0,
        description='draws images, for all models alike; "seed": training images anew with each trial\'s seed',
    )
    train_limit: int | None = Field(None, ge=1, description="train on that many images, stratified")
    test_limit: int | None = Field(None, ge=1, description="test on that many images, stratified")
    test: float | None = Field(
        None, gt=0, lt=1, description="share of test images, of a dataset that is one split: stratified, whole groups"
    )
    folds: int | None = Field(
        None, ge=2, le=100, description="cross-validation: all images in so many parts, a trial tests on each"
    )
    splits: int | None = Field(
        None, ge=2, le=100, description="so many times, test images are drawn anew from all images, a trial each"
    )
    test_share: float | None = Field(
        None, gt=0, lt=1, description='with "splits": share of test images; by default the dataset\'s own'
    )
    transforms: list[str | ComponentEntry] = Field([], description="default chain for this dataset's images")

    @model_validator(mode="after")
    def _fits_together(self) -> DatasetTable:
        if self.folds is not None and self.splits is not None:
            raise ValueError('give "folds" or "splits", not both')
        if self.test_share is not None and self.splits is None:
            raise ValueError('"test_share" is for "splits"; give "splits", or leave "test_share" out')
        if self.test is not None and self.pooled:
            raise ValueError(
                '"folds" and "splits" draw the test images; leave "test" out'
                + (', give "test_share"' * bool(self.splits))
            )
        scheme = "folds" if self.folds is not None else "splits"
        if self.pooled and self.test_limit is not None:
            other = 'give "test_share"' if self.splits else f'leave "{scheme}" out'
            raise ValueError(f'"{scheme}" draws the test images from all images, so "test_limit" says nothing; {other}')
        if self.pooled and self.split_seed == "seed":
            raise ValueError(f'"{scheme}" draws training images anew already; give "split_seed" as a number')
        if self.split_seed == "seed" and not self.validation and self.train_limit is None:
            raise ValueError(
                'split_seed = "seed" has nothing to draw: all training images are trained on; give "train_limit", or '
                'draw test images, too, with "folds" or "splits"'
            )
        return self

    @property
    def divided_by(self) -> tuple[float, int] | None:
        """The share of test images of a dataset that is one split, and the seed that draws them."""
        if self.test is None:
            return None
        return self.test, 0 if self.split_seed == "seed" else self.split_seed

    @property
    def pooled(self) -> bool:
        """Whether training and test images are put together, and split several times."""
        return self.folds is not None or self.splits is not None

    @property
    def several(self) -> bool:
        """Whether trials of one recipe use different splits."""
        return self.pooled or self.split_seed == "seed"

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """The numbers of its splits; None alone where there is one."""
        return tuple(range(self.folds or self.splits or 0)) or (None,)

    def rule(self, seed: int, split: int | None = None) -> SplitRule:
        """How the images are split for a trial."""
        drawn = self.split_seed == "seed"
        return SplitRule(
            self.validation,
            seed if self.split_seed == "seed" else self.split_seed,
            train_limit=self.train_limit,
            test_limit=self.test_limit,
            test_seed=0 if drawn and self.test_limit is not None else None,
            split=split,
            folds=self.folds,
            test_share=self.test_share,
        )


class EvaluationTable(Table):
    """`[[evaluation]]`: a further view of the test images, which every trained model predicts as well."""

    name: str = Field(min_length=1, max_length=80, description="unique; what the report calls it")
    transforms: list[str | ComponentEntry] = Field(
        min_length=1, description="what is done to the test images, before each model's own transforms"
    )
    severities: dict[str, Annotated[list[Any], Field(min_length=1, max_length=50)]] = Field(
        {}, max_length=1, description="values of one parameter, mildest first; a view each"
    )


class Optimizer(ComponentEntry):
    """`optimizer`: any class of torch.optim by its name, or a plugin's, with its arguments."""

    name: str = Field("adam", description="a class of torch.optim, in any case, or the name of a plugin's")


class Schedule(ComponentEntry):
    """`schedule`: the learning rate as a factor of the optimizer's, counted in steps."""

    name: str = Field("constant", description="the shape: `arena list schedules`; its own parameters stand beside it")
    warmup_steps: Length = Field(0, description='linear rise from 0 over the first steps, or such as "1 epoch"')


class ParameterGroup(Table):
    """An entry of `groups`: parameters by their names, and what the optimizer does otherwise for them."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)

    match: str = Field(min_length=1, description='a pattern of names, such as "*.bias" or "head.*"')
    optimizer: Optimizer | None = Field(None, description="another optimizer for them")

    @property
    def arguments(self) -> TomlTable:
        """What stands in place of the optimizer's own arguments."""
        return dict(self.model_extra or {})


class Average(Table):
    """`average`: the weights that are validated and kept are a mean of those that training went through."""

    name: Literal["ema", "swa"] = Field(description="ema: exponential, each step; swa: equal, each epoch")
    decay: float = Field(0.999, gt=0, lt=1, description="ema: what the mean keeps of itself at each step")
    start: float = Field(0.75, ge=0, lt=1, description="swa: the share of the training after which it begins")


class Training(Table):
    """`[training]`: the recipe."""

    epochs: int | None = Field(None, ge=1, description="passes over the training split")
    steps: int | None = Field(None, ge=1, description="instead of epochs: steps, for a short training")
    batch_size: int = Field(64, ge=1, description="images a step, times `accumulate`")
    accumulate: int = Field(1, ge=1, le=10_000, description="batches whose gradients make one step together")
    drop_last: bool = Field(False, description="leave out an epoch's last step where it has fewer images")
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled", description="balanced: drawn with replacement, each class as often"
    )
    augmentations: list[str | ComponentEntry] = Field(
        [], description='what is done to training batches with their labels, such as ["mixup"]'
    )
    optimizer: Optimizer = Field(Optimizer(name="adam", lr=0.001), description="any of torch.optim, or a plugin's")  # type: ignore[call-arg]
    lr_factors: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        {}, description='the optimizer\'s lr times this for the parameters of a module, such as { "features" = 0.1 }'
    )
    groups: list[ParameterGroup] = Field(
        [], description='parameters with other settings, such as [{ match = "*.bias", weight_decay = 0 }]'
    )
    decayed: Literal["all", "weights"] = Field(
        "all", description="weights: no weight decay for biases and parameters of one dimension, as of norms"
    )
    schedule: Schedule = Field(Schedule(), description="learning rate over steps")
    loss: str | ComponentEntry = Field("cross-entropy", description="what is minimised: `arena list losses`")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="for losses that have it, such as cross-entropy")
    class_weights: Literal["balanced"] | list[Annotated[float, Field(ge=0)]] | None = Field(
        None, description="what an image of each class counts in the loss; balanced: n / (classes × images of it)"
    )
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of all gradients together")
    precision: Literal["float32", "bf16", "auto"] = Field(
        "float32", description="auto: bf16 where the device has it, and it pays"
    )
    average: Average | None = Field(None, description="validate and keep a mean of the weights")
    select: Literal["last", "best"] = Field("last", description="the epoch kept: the last, or best on validation")
    monitor: str | ComponentEntry = Field(
        "accuracy",
        description='best by which validation figure: "accuracy" (of equals the lower loss), "loss", a metric',
    )
    patience: int | None = Field(None, ge=1, description="stop after so many epochs without a better validation figure")
    time_limit: Annotated[str, AfterValidator(duration)] | None = Field(
        None, description='a hard guard for the whole trial, such as "5m"; reaching it is a failure'
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Training:
        if self.epochs is not None and self.steps is not None:
            raise ValueError('give "epochs" or "steps", not both')
        if self.class_weights is not None and self.accumulate > 1:
            raise ValueError(
                '"class_weights" and "accumulate" do not go together: the weighted mean of a step is not that of its '
                'batches; use sampling = "balanced"'
            )
        if isinstance(self.class_weights, list) and not any(self.class_weights):
            raise ValueError('"class_weights" are all 0; give at least one class a weight')
        return self

    @property
    def loss_entry(self) -> ComponentEntry:
        """The loss as a table, with `label_smoothing` among its parameters."""
        given = ComponentEntry(name=self.loss) if isinstance(self.loss, str) else self.loss
        smoothing = {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
        return given.model_copy(update=smoothing)

    @property
    def monitor_entry(self) -> ComponentEntry:
        """What is monitored, as a table."""
        return ComponentEntry(name=self.monitor) if isinstance(self.monitor, str) else self.monitor

    @property
    def augmentation_entries(self) -> list[ComponentEntry]:
        """The augmentations as tables."""
        return [ComponentEntry(name=one) if isinstance(one, str) else one for one in self.augmentations]


class ResourcesTable(Table):
    """`resources`: what a trial asks of an executor that shares out machines; the local one runs --jobs at a time."""

    cpus: int | None = Field(None, ge=1, description="processor cores, and threads; by default one")
    gpus: float | None = Field(
        None, ge=0, description="GPUs, or a share of one such as 0.25; by default one where there are any"
    )
    memory: Annotated[str, AfterValidator(amount)] | None = Field(
        None, description='to be set aside, such as "4GiB"; by default 2 GiB'
    )


class ModelTable(Table):
    """`[[model]]`: a recipe: a model, its parameters, its transforms, its training."""

    name: str = Field(min_length=1, description="the model's name")
    label: str | None = Field(None, min_length=1, max_length=80, description="unique; defaults to the name")
    seeds: list[Seed] | None = Field(None, min_length=1, description="in place of the benchmark's")
    params: TomlTable = Field({}, description="the model's own parameters")
    grid: TomlTable = Field({}, description="lists under params or training; a recipe each combination")
    choose: Literal["validation"] | None = Field(
        None, description='"validation": one recipe, the combination of the grid that is best on validation images'
    )
    search: TomlTable | Literal[False] | None = Field(
        None,
        description="ranges and lists of values by the paths of what they are for; with [search] by default the "
        "model's own, false: none",
    )
    transforms: list[str | ComponentEntry] | None = Field(None, description="in place of the dataset's chain")
    training: TomlTable = Field({}, description="merged into [training], key by key")
    resources: ResourcesTable = Field(
        ResourcesTable(), description="what each of its trials asks for on shared machines"
    )
