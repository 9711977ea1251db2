"""The TOML document: its tables, keys, defaults and bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from mnistarena.data.splits import SplitRule
from mnistarena.spec.units import amount, duration, percentage, points


class Table(BaseModel):
    """A table of the spec: strict, and without unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


TomlTable = dict[str, Any]
"""A table whose keys are checked later, by whoever it is for."""

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class ComponentEntry(Table):
    """A component by name, with its parameters beside it: `{ name = "resize", size = 32 }`."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1, description="the component's name")

    @property
    def arguments(self) -> TomlTable:
        """Everything beside the name."""
        return dict(self.model_extra or {})


class Benchmark(Table):
    """`[benchmark]`: what the comparison is about."""

    name: str = Field(min_length=1, max_length=200, description="the report's title")
    seeds: list[Seed] = Field([0], min_length=1, description="one trial a model, dataset and seed")
    metrics: list[str | ComponentEntry] = Field(
        ["accuracy", "f1_weighted", "log_loss"], min_length=1, description="figures of the test split"
    )
    baseline: str | None = Field(None, description="label of the model that others are compared with")
    margin: Annotated[str, AfterValidator(points)] = Field(
        "0.1 pp", description="accuracies that differ by no more are practically equal"
    )
    target: Annotated[str, AfterValidator(percentage)] | None = Field(
        None, description='validation accuracy, such as "99 %": how soon does each model reach it?'
    )
    timing: Literal["shared", "exclusive"] = Field(
        "shared", description="exclusive: nothing of the run goes on beside a trial, so that its times are its own"
    )
    keep_models: bool = Field(True, description="whether trained weights stay in the run folder")


class DatasetTable(Table):
    """`[[dataset]]`: the data, and how it is split."""

    name: str = Field(min_length=1, description="the dataset's name")
    label: str | None = Field(None, min_length=1, max_length=80, description="unique; defaults to the name")
    params: TomlTable = Field({}, description="the dataset's own parameters")
    validation: int = Field(0, ge=0, description="images set aside from the training split, stratified")
    split_seed: int = Field(0, ge=0, lt=2**31, description="which images those are; shared by all models")
    train_limit: int | None = Field(None, ge=1, description="train on that many images, stratified")
    test_limit: int | None = Field(None, ge=1, description="test on that many images, stratified")
    transforms: list[str | ComponentEntry] = Field([], description="default chain for this dataset's images")

    @property
    def rule(self) -> SplitRule:
        """How the images are split."""
        return SplitRule(self.validation, self.split_seed, train_limit=self.train_limit, test_limit=self.test_limit)


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
    """`optimizer`: any class of torch.optim by its name, with its arguments."""

    name: str = Field("adam", description="a class of torch.optim, in any case")


class Schedule(Table):
    """`schedule`: the learning rate as a factor of the optimizer's, counted in steps."""

    name: Literal["constant", "cosine", "one-cycle", "step"] = Field("constant", description="the shape")
    warmup_steps: int = Field(0, ge=0, description="linear rise from 0 over the first steps")
    final: float = Field(0.0, ge=0, le=1, description="cosine, one-cycle: the factor at the last step")
    peak: float = Field(0.3, gt=0, lt=1, description="one-cycle: where the peak is, as a share of the training")
    initial: float = Field(0.04, gt=0, le=1, description="one-cycle: the factor at the first step")
    every: int = Field(1000, ge=1, description="step: steps between two drops")
    gamma: float = Field(0.1, gt=0, le=1, description="step: the factor of each drop")


class Training(Table):
    """`[training]`: the recipe."""

    epochs: int | None = Field(None, ge=1, description="passes over the training split")
    steps: int | None = Field(None, ge=1, description="instead of epochs: batches, for a short training")
    batch_size: int = Field(64, ge=1, description="images a step")
    optimizer: Optimizer = Field(Optimizer(name="adam", lr=0.001), description="any of torch.optim")  # type: ignore[call-arg]
    lr_factors: dict[str, Annotated[float, Field(ge=0, le=1000)]] = Field(
        {}, description='the optimizer\'s lr times this for the parameters of a module, such as { "features" = 0.1 }'
    )
    schedule: Schedule = Field(Schedule(), description="learning rate over steps")
    loss: Literal["cross-entropy", "multi-margin", "brier"] = Field("cross-entropy", description="what is minimised")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="for cross-entropy")
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of all gradients together")
    precision: Literal["float32", "bf16", "auto"] = Field("float32", description="auto: bf16 where it pays (CUDA)")
    select: Literal["last", "best"] = Field("last", description="the epoch kept: the last, or best on validation")
    time_limit: Annotated[str, AfterValidator(duration)] | None = Field(
        None, description='a hard guard for the whole trial, such as "5m"; reaching it is a failure'
    )

    @model_validator(mode="after")
    def _one_length(self) -> Training:
        if self.epochs is not None and self.steps is not None:
            raise ValueError('give "epochs" or "steps", not both')
        if self.label_smoothing and self.loss != "cross-entropy":
            raise ValueError(f'"label_smoothing" works with loss "cross-entropy", not "{self.loss}"')
        return self


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
    transforms: list[str | ComponentEntry] | None = Field(None, description="in place of the dataset's chain")
    training: TomlTable = Field({}, description="merged into [training], key by key")
    resources: ResourcesTable = Field(
        ResourcesTable(), description="what each of its trials asks for on shared machines"
    )
