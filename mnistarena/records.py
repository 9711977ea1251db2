"""What the JSON files of a run folder must hold before anything reads a figure from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Label = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=1 << 20)]
Number = Annotated[float, Field(ge=-1e300, le=1e300)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
"""Part of a folder's name, so nothing but hex digits."""


class _Loose(BaseModel):
    """Later versions may add keys; those that are read must be what they are taken for."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Dataset(_Loose):
    label: Label
    class_names: list[Label] = Field(min_length=1, max_length=10_000)
    known_label_errors: list[Count] = []
    fingerprint: Label = ""
    licence: Text = ""
    source: Text = ""
    n_train: Count = 0
    n_validation: Count = 0
    n_test: Count
    train_limit: Count | None = None
    test_limit: Count | None = None
    image_shape: list[Count] | None = Field(None, min_length=3, max_length=3)
    mean: list[Number] | None = None
    std: list[Number] | None = None


class _Transform(_Loose):
    name: Label


class _Training(_Loose):
    epochs: Count | None = None
    steps: Count | None = None


class _Entry(_Loose):
    label: Label
    dataset: Label
    model: Label = ""
    params: dict[str, Any] = {}
    transforms: list[_Transform] = []
    training: _Training | None = None
    notes: list[Text] = []
    seeds: list[Count] = []


class _Metric(_Loose):
    label: Label
    name: Label = ""
    summary: Text = ""
    higher_is_better: bool = False


class _View(_Loose):
    name: Label
    parameter: Label | None = None
    severity: Any = None


class _Planned(_Loose):
    id: Id
    label: Label
    dataset: Label
    seed: Count


class _Plan(_Loose):
    name: Text
    baseline: Label | None = None
    margin: Annotated[float, Field(gt=0, le=0.5)] = 0.001
    target: Annotated[float, Field(gt=0, le=1)] | None = None
    metrics: list[_Metric] = []
    views: list[_View] = []
    datasets: list[_Dataset]
    entries: list[_Entry]
    trials: list[_Planned] = Field(max_length=100_000)
    conditions: dict[str, Any] = {}
    spec_folder: Text = ""

    @model_validator(mode="after")
    def _belongs_together(self) -> _Plan:
        datasets = {entry.label for entry in self.datasets}
        recipes = {(entry.label, entry.dataset) for entry in self.entries}
        if not {entry.dataset for entry in self.entries} <= datasets:
            raise ValueError("a recipe is on a dataset that the plan does not have")
        if not {(trial.label, trial.dataset) for trial in self.trials} <= recipes:
            raise ValueError("a trial is of a recipe that the plan does not have")
        return self


class _Error(_Loose):
    type: Text = ""
    message: Text = ""
    traceback: Text = ""


class _Latency(_Loose):
    p50: Number | None = None
    p95: Number | None = None


class _Measurements(_Loose):
    latency_ms: dict[Label, _Latency | None] | None = None


class _Record(_Loose):
    id: Id
    label: Label
    dataset: Label
    seed: Count
    status: Literal["done", "failed", "timeout", "interrupted"]
    metrics: dict[Label, Number | None] = {}
    view_definitions: list[_View] = []
    measurements: _Measurements | None = None
    conditions: dict[str, Any] = {}
    notes: list[Text] = []
    error: _Error | None = None
    files: dict[Label, Label] = {}
    stamps: dict[Label, list[int] | None] = {}


class _Row(_Loose):
    epoch: Number
    step: Number
    train_loss: Number | None = None
    validation_loss: Number | None = None
    validation_accuracy: Number | None = None
    learning_rate: Number | None = None
    train_seconds: Number | None = None
    wall_seconds: Number | None = None


_KINDS: dict[str, type[BaseModel]] = {"plan": _Plan, "record": _Record, "row": _Row}


def problem(kind: Literal["plan", "record", "row"], value: Any) -> str | None:
    """What is wrong with a plan, a trial's record or a row of its history; None where it is sound."""
    try:
        _KINDS[kind].model_validate(value)
    except ValidationError as found:
        first = found.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else str(first["msg"])
    except RecursionError:
        return "nested too deeply"
    return None
