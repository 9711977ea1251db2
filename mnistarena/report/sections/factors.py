"""What each factor of a grid does: the mean over the recipes that share a value, and a table of two factors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import product

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import Pair
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import series
from mnistarena.report.names import point
from mnistarena.stats.budgets import luck_of_best
from mnistarena.text import plural

LEAST = 3
"""Of so many recipes it is said how far the best would stand from their mean by luck."""


@dataclass(frozen=True)
class Level:
    """A value of a factor: how many recipes of the grid have it and a result, and the mean of their figures."""

    value: str
    recipes: int
    _: KW_ONLY
    mean: float | None


@dataclass(frozen=True)
class Factor:
    """A key of a grid whose values differ."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Factors:
    """A grid of one model; with two factors `table` has the values of the first as rows, of the second as columns.

    `best` is the best recipe's figure minus the mean of the `compared` recipes, and `luck` what it would be expected to
    be if all were equal; None where fewer than three were compared.
    """

    label: str
    factors: tuple[Factor, ...]
    _: KW_ONLY
    table: tuple[tuple[Level, ...], ...] | None
    compared: int
    best: float | None
    luck: float | None

    def shade(self, level: Level) -> int:
        """How dark a cell of the table is drawn, in percent: the higher its figure, the darker."""
        known = [one.mean for row in self.table or () for one in row if one.mean is not None]
        if level.mean is None or not known:
            return 0
        span = max(known) - min(known)
        return round(8 + 62 * (level.mean - min(known)) / span) if span else 8


def factors(recipes: Sequence[RecipeEvidence], labels: Mapping[str, str], pairs: Sequence[Pair]) -> tuple[Factors, ...]:
    """The grids among the recipes of one dataset, in their order; `labels` are those of recipes with short names."""
    grids: dict[str, dict[tuple[tuple[str, str], ...], RecipeEvidence]] = defaultdict(dict)
    for recipe in recipes:
        label = labels.get(recipe.label, recipe.label)
        if values := point(label):
            grids[label.partition("[")[0]][values] = recipe
    return tuple(_grid(label, points, pairs) for label, points in grids.items() if len(points) > 1)


def _luck(recipes: Sequence[RecipeEvidence], pairs: Sequence[Pair]) -> tuple[int, float | None, float | None]:
    """How many recipes were compared, the best one's figure minus their mean, and what that is expected by luck alone.

    Recipes share the luck of the test images, so that of each is taken from the differences: their mean squared
    standard error is twice its square.
    """
    wanted = {recipe.label for recipe in recipes}
    found = {(pair.a, pair.b): pair.difference for pair in pairs if {pair.a, pair.b} <= wanted and pair.difference}
    compared = {label for both in found for label in both}
    values = [one.decided.mean for one in recipes if one.label in compared]
    if len(values) < LEAST:
        return len(values), None, None
    sign = 1.0 if recipes[0].decided.figure.higher_is_better else -1.0
    own = math.sqrt(sum(one.standard_error**2 for one in found.values()) / len(found) / 2)
    best = max(sign * value for value in values) - sign * sum(values) / len(values)
    return len(values), sign * best, sign * luck_of_best(len(values), own)


def _grid(label: str, points: dict[tuple[tuple[str, str], ...], RecipeEvidence], pairs: Sequence[Pair]) -> Factors:
    values: dict[str, list[str]] = defaultdict(list)
    for one in points:
        for key, value in one:
            values[key] += [value] if value not in values[key] else []
    varied = {key: found for key, found in values.items() if len(found) > 1}

    def level(name: str, wanted: dict[str, str]) -> Level:
        those = [r for one, r in points.items() if wanted.items() <= dict(one).items() and r.decided.known]
        mean = sum(recipe.decided.mean for recipe in those) / len(those) if those else None
        return Level(name, len(those), mean=mean)

    compared, best, luck = _luck(list(points.values()), pairs)
    table = None
    if len(varied) == 2:
        (down, rows), (across, columns) = varied.items()
        cells = [level(f"{one}, {other}", {down: one, across: other}) for one, other in product(rows, columns)]
        table = tuple(tuple(cells[at : at + len(columns)]) for at in range(0, len(cells), len(columns)))
    return Factors(
        label,
        tuple(Factor(key, tuple(level(value, {key: value}) for value in found)) for key, found in varied.items()),
        table=table,
        compared=compared,
        best=best,
        luck=luck,
    )


def answer(found: Sequence[Factors], figure: Figure) -> str:
    """How far apart the means of each factor's values are."""
    said = []
    for one in found:
        parts = []
        for factor in one.factors:
            known = [level for level in factor.levels if level.mean is not None]
            if len(known) > 1:
                best = (max if figure.higher_is_better else min)(known, key=lambda level: level.mean or 0.0)
                means = [level.mean for level in known if level.mean is not None]
                parts.append(
                    f"{factor.name} {best.value} has the best mean, {wording.value(best.mean or 0.0, figure)}, "
                    f"{wording.difference(max(means) - min(means), figure).lstrip('+')} from the worst"
                )
        if parts:
            count = max(sum(level.recipes for level in factor.levels) for factor in one.factors)
            said.append(f"Over {plural(count, 'recipe')} of {one.label}: {series(parts)}.")
        if one.luck is not None and one.best is not None:
            said.append(
                f"Of {one.compared} recipes that were all equal, the best would be expected to stand "
                f"{wording.difference(one.luck, figure)} from their mean, by luck alone; of {one.label} it stands "
                f"{wording.difference(one.best, figure)} from it."
            )
    if not said:
        return ""
    return " ".join(
        [*said, "These are means of recipes that were all run, and no tests: verdicts stand in the leaderboard."]
    )
