"""A search of the plan: what is tried, by what it is judged, and the recipe at each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, replace

from mnistarena.engine.seeds import derive
from mnistarena.plan.metric import Metric
from mnistarena.plan.recipe import LoadedDataset, Recipe, Trial
from mnistarena.plan.search_place import SearchPlace
from mnistarena.plugin.components import Params
from mnistarena.plugin.registry import Component
from mnistarena.plugin.search import Searcher, SearchTask
from mnistarena.plugin.space import Between, Parameter, Point, Space
from mnistarena.spec import units
from mnistarena.spec.search import ACCURACY, LOSS, SearchTable
from mnistarena.store.search_records import BudgetRecord, ParameterRecord, SearchPlan

FIRST_SEED = 2**31
"""Trials of searches have seeds from here on; those of a spec are below, so that none is in both."""

MOST_BY_TIME = 1000
"""A search by time ends after so many trials at the latest."""


def steps_of(recipe: Recipe) -> int:
    """The steps of a whole training."""
    training, n = recipe.training, recipe.data.task.n_train
    size = training.batch_size * training.accumulate
    return training.steps or (training.epochs or 1) * (n // size if training.drop_last else math.ceil(n / size))


@dataclass(frozen=True)
class Search:
    """A recipe whose parameters are chosen by a figure of the validation images.

    `base` is the recipe as its table has it, without what is searched. `at` makes the one at a point, or raises
    `ArenaError` where there is none. `trials` is how many points are tried, None where the budget is one of time or of
    steps. `own`: the space is the model plugin's. `seeds` are those of what is chosen.
    """

    base: Recipe
    table: SearchTable
    _: KW_ONLY
    space: Space
    own: bool
    searcher: Component
    params: Params
    metric: Metric | None
    trials: int | None
    seeds: tuple[int, ...]
    at: Callable[[Point], Recipe]

    @property
    def key(self) -> tuple[str, str]:
        """The label of the recipe, and of its dataset."""
        return self.base.label, self.base.data.label

    @property
    def data(self) -> LoadedDataset:
        """The dataset."""
        return self.base.data

    @property
    def by(self) -> str:
        """What is looked at: "validation_loss", "validation_accuracy", or the metric's label."""
        return self.metric.label if self.metric is not None else self.table.by_entry.name

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher figure is better."""
        if self.metric is not None:
            return bool(self.metric.component.definition.higher_is_better)
        return self.by == ACCURACY

    @property
    def sample(self) -> Trial:
        """The trial that stands for those of the search where it is said what the run will be like."""
        return Trial(self.base, self.seeds[0], split=self.data.table.numbers[0])

    def expected(self, seconds: float | None) -> int:
        """About how many trials there will be, with those of what is chosen, if one takes so long."""
        if self.trials is not None:
            tried = self.trials
        elif self.table.time is not None:
            tried = math.ceil(units.seconds(self.table.time) / seconds) if seconds else self.table.at_once
        else:
            tried = math.ceil((self.table.steps or 0) / steps_of(self.base))
        return self.table.repeats * tried + len(self.seeds)

    def start(self, repeat: int) -> Searcher:
        """What proposes the points of a repeat; raises `ArenaError` where it cannot search this space."""
        seed = derive(self.table.seed, "search", repeat) % 2**32
        task = SearchTask(self.space, seed, higher_is_better=self.higher_is_better, trials=self.trials)
        found: Searcher = self.searcher.definition.start(self.params, task)
        return found

    def trial(self, recipe: Recipe, repeat: int, number: int, stops: Iterable[tuple[int, float]]) -> Trial:
        """The trial of a point; its seed depends on its place alone, so that all models meet the same luck."""
        seed = FIRST_SEED + derive(self.table.seed, "search trial", repeat, number) % FIRST_SEED
        place = SearchPlace(
            repeat,
            number,
            by=self.by,
            metric=self.metric,
            higher_is_better=self.higher_is_better,
            stops=tuple(stops),
        )
        return Trial(recipe, seed, split=self.data.table.numbers[0], search=place)

    def chosen(self, points: Iterable[Point]) -> list[Recipe]:
        """The recipes that are judged: at the one chosen point with all seeds, or at each of several with its own."""
        recipes = [self.at(point) for point in points]
        if len(recipes) == 1:
            own = recipes[0].own_seeds or self.table.seeds is not None
            return [replace(recipes[0], seeds=self.seeds, own_seeds=own)]
        return [replace(recipe, seeds=(seed,)) for recipe, seed in zip(recipes, self.seeds, strict=True)]

    def spent(self, trials: int, *, seconds: float, steps: int) -> bool:
        """Whether the budget is spent by so many trials, with so much training."""
        if self.trials is not None:
            return trials >= self.trials
        if self.table.time is not None:
            # What is fitted in no time would be tried for ever.
            return seconds >= units.seconds(self.table.time) or trials >= MOST_BY_TIME
        return steps >= (self.table.steps or 0)

    @property
    def budget(self) -> BudgetRecord:
        """The budget as plan.json has it."""
        if self.trials is not None:
            return {"trials": self.trials}
        if self.table.time is not None:
            return {"seconds": units.seconds(self.table.time)}
        return {"steps": self.table.steps or 0}

    def describe(self) -> SearchPlan:
        """The search in plan.json."""
        pruner = self.table.pruner
        label, dataset = self.key
        return {
            "label": label,
            "dataset": dataset,
            "by": self.by,
            "higher_is_better": self.higher_is_better,
            "budget": self.budget,
            "searcher": {"name": self.searcher.name, "params": self.params.model_dump(mode="json")},
            "pruner": None
            if pruner is None
            else {"name": pruner.name, "params": pruner.model_dump(mode="json", exclude={"name"})},
            "space": [described_parameter(parameter) for parameter in self.space],
            "own": self.own,
            "at_once": self.table.at_once,
            "repeats": self.table.repeats,
        }


def described_parameter(parameter: Parameter) -> ParameterRecord:
    """A parameter of a space in plan.json."""
    domain = parameter.domain
    found: ParameterRecord = {"name": parameter.name}
    if isinstance(domain, Between):
        found |= {"low": domain.low, "high": domain.high, "log": domain.log, "integer": domain.integer}
    else:
        found["values"] = list(domain.values)
    if parameter.when:
        found["when"] = {name: list(values) for name, values in parameter.when.items()}
    return found


def is_measured_always(by: str) -> bool:
    """Whether every trial with validation images has a figure, without a metric."""
    return by in (LOSS, ACCURACY)
