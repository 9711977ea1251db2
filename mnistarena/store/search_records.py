"""What plan.json and searches.json say of searches: how each was planned, and what it tried and chose."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import Required, TypedDict

from mnistarena.plugin.messages import ComponentIdentity, Count, Label, Number, Text
from mnistarena.plugin.settings import Settings
from mnistarena.plugin.space import Point
from mnistarena.store.ids import Id


class ParameterRecord(TypedDict, total=False):
    """A parameter of a space: either from `low` to `high`, or one of `values`; see `mnistarena.plugin.space`."""

    name: Required[Label]
    low: Number
    high: Number
    log: bool
    integer: bool
    values: list[Any]
    when: dict[Label, list[Any]]


class BudgetRecord(TypedDict, total=False):
    """What each model may spend on a search: trials, or seconds of training, or steps; one of them."""

    trials: Count
    seconds: Number
    steps: Count


class SearchPlan(TypedDict, total=False):
    """A search of the plan: a recipe's parameters, chosen by a figure of the validation images.

    `by` is "validation_loss", "validation_accuracy", or the label of a metric. `own` says that the space is the
    model plugin's. `at_once` points are proposed together. `repeats` is how often the whole search is done; of more
    than one, each of the recipe's seeds has a search of its own.
    """

    label: Required[Label]
    dataset: Required[Label]
    by: Required[Label]
    higher_is_better: Required[bool]
    budget: Required[BudgetRecord]
    searcher: Required[ComponentIdentity]
    pruner: ComponentIdentity | None
    space: Required[list[ParameterRecord]]
    own: bool
    at_once: Count
    repeats: Required[Count]


class TriedRecord(TypedDict, total=False):
    """A trial of a search. `value` is the figure that is looked at, None where it has none.

    `steps` (0 of what is fitted at once) and `seconds` of training are what it spent. `epoch` is the one after which
    it was pruned, `error` why it failed.
    """

    id: Required[Id | None]
    point: Required[Point]
    status: Required[Literal["done", "pruned", "failed", "timeout"]]
    value: Required[Number | None]
    validation_loss: Number | None
    validation_accuracy: Number | None
    steps: Count
    seconds: Number
    epoch: Count
    error: Text


class RepeatRecord(TypedDict):
    """One search: its trials in the order in which they were proposed, and the place of the one chosen, from 0.

    `chosen` is None while it goes on, and where no trial has a value; `ended` tells the two apart.
    """

    trials: list[TriedRecord]
    chosen: Count | None
    ended: bool


class SearchRecord(TypedDict):
    """What became of a search of the plan."""

    label: Label
    dataset: Label
    repeats: list[RepeatRecord]


class SearchesRecord(TypedDict):
    """searches.json: what the searches of a run tried and chose."""

    searches: list[SearchRecord]


class ChosenRecord(TypedDict, total=False):
    """A recipe's entry in plan.json says by it what was chosen: `number` is the trial's place in its search, from 0.

    Where each seed has a search of its own, `params`, `transforms` and `training` are those of the seed's recipe.
    """

    repeat: Required[Count]
    number: Required[Count]
    point: Required[Point]
    params: Settings
    transforms: list[Settings]
    training: Settings | None
