"""A row for each model whose parameters were searched for: what was tried, what was chosen, and from which end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.evidence.searches import Chosen, Edge, Searched, edge, short_names
from mnistarena.report.format import plain
from mnistarena.stats.budgets import BestOf
from mnistarena.store.search_records import ParameterRecord, SearchPlan


@dataclass(frozen=True)
class Setting:
    """A value of a chosen point, and at which end of what was searched it lies."""

    name: str
    value: str
    _: KW_ONLY
    edge: Edge

    @property
    def text(self) -> str:
        """Text such as "lr = 0.01"."""
        return f"{self.name} = {self.value}"


@dataclass(frozen=True)
class Choice:
    """What one search chose: trial `number` of `of`, with its `value` of the validation images."""

    number: int
    of: int
    _: KW_ONLY
    settings: tuple[Setting, ...]
    value: float | None


@dataclass(frozen=True)
class Attempt:
    """A trial of a search, `number` of search `repeat`, both from 1, with the last `value` that is known of it."""

    repeat: int
    number: int
    _: KW_ONLY
    point: Mapping[str, Any]
    status: str
    value: float | None
    chosen: bool


@dataclass(frozen=True)
class Row:
    """A model whose parameters were searched for.

    `by` is the figure that chose. `validation` is the mean `figure` of the chosen trials on the validation images,
    `test` that of the chosen recipe's seeds on the test images; None where it is not known. `names` are the short names
    of its parameters, `budgets` what smaller budgets would have found.
    """

    label: str
    search: SearchPlan
    _: KW_ONLY
    by: Figure
    tried: int
    failed: int
    pruned: int
    seconds: float
    choices: tuple[Choice, ...]
    figure: Figure
    validation: float | None
    test: float | None
    names: Mapping[str, str]
    attempts: tuple[Attempt, ...]
    budgets: tuple[BestOf, ...]

    def name(self, one: Attempt) -> str:
        """Which trial it is: its number, after that of its search where there are several."""
        return f"{one.repeat}.{one.number}" if self.search["repeats"] > 1 else str(one.number)

    @property
    def gap(self) -> float | None:
        """Validation minus test."""
        return None if self.validation is None or self.test is None else self.validation - self.test


def setting(value: object) -> str:
    """A parameter's value, a number with at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else plain(value)


def row(one: Searched, recipe: RecipeEvidence | None) -> Row:
    """The row of a model; `recipe` is the chosen one's evidence, None where the run has none."""
    short = short_names(one.plan["space"])
    space = {parameter["name"]: parameter for parameter in one.plan["space"]}
    figure = ACCURACY if one.figure.label in ("validation_accuracy", "validation_loss") else one.figure
    validation = [_shown(one, chosen) for chosen in one.chosen]
    known = [value for value in validation if value is not None]
    test = None
    if recipe is not None and recipe.done:
        test = recipe.metric(figure.label)
        test = recipe.accuracy if test is None and figure == ACCURACY and recipe.correct.size else test
    taken = {(chosen.repeat, chosen.number) for chosen in one.chosen}
    return Row(
        one.label,
        one.plan,
        by=one.figure,
        tried=len(one.tried),
        failed=one.count("failed", "timeout"),
        pruned=one.count("pruned"),
        seconds=one.seconds,
        choices=tuple(
            Choice(
                chosen.number,
                len(one.repeats[chosen.repeat - 1]["trials"]),
                settings=tuple(_settings(chosen.trial["point"], space, short)),
                value=chosen.trial["value"],
            )
            for chosen in one.chosen
        ),
        figure=figure,
        validation=sum(known) / len(known) if known and len(known) == len(validation) else None,
        test=test,
        names=short,
        attempts=tuple(
            Attempt(
                repeat,
                number,
                point=trial["point"],
                status=trial["status"],
                value=one.seen(trial),
                chosen=(repeat, number) in taken,
            )
            for repeat, part in enumerate(one.repeats, 1)
            for number, trial in enumerate(part["trials"], 1)
        ),
        budgets=one.budgets,
    )


def _shown(one: Searched, chosen: Chosen) -> float | None:
    """The figure of a chosen trial that can be set beside one of the test images: for a loss its accuracy."""
    by_loss = one.figure.label == "validation_loss"
    return chosen.trial.get("validation_accuracy") if by_loss else chosen.trial["value"]


def _settings(
    point: Mapping[str, Any], space: Mapping[str, ParameterRecord], short: Mapping[str, str]
) -> Iterator[Setting]:
    for name, parameter in space.items():
        if name in point:
            yield Setting(short[name], setting(point[name]), edge=edge(parameter, point[name]))
