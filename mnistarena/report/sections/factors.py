"""What each factor of a grid does: the mean over the recipes that share a value, and a table of two factors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import product

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import series
from mnistarena.report.names import point
from mnistarena.text import plural


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
    """A grid of one model; with two factors `table` has the values of the first as rows, of the second as columns."""

    label: str
    factors: tuple[Factor, ...]
    _: KW_ONLY
    table: tuple[tuple[Level, ...], ...] | None

    def shade(self, level: Level) -> int:
        """How dark a cell of the table is drawn, in percent: the higher its figure, the darker."""
        known = [one.mean for row in self.table or () for one in row if one.mean is not None]
        if level.mean is None or not known:
            return 0
        span = max(known) - min(known)
        return round(8 + 62 * (level.mean - min(known)) / span) if span else 8


def factors(recipes: Sequence[RecipeEvidence], labels: Mapping[str, str]) -> tuple[Factors, ...]:
    """The grids among the recipes of one dataset, in their order; `labels` are those of recipes with short names."""
    grids: dict[str, dict[tuple[tuple[str, str], ...], RecipeEvidence]] = defaultdict(dict)
    for recipe in recipes:
        label = labels.get(recipe.label, recipe.label)
        if values := point(label):
            grids[label.partition("[")[0]][values] = recipe
    return tuple(_grid(label, points) for label, points in grids.items() if len(points) > 1)


def _grid(label: str, points: dict[tuple[tuple[str, str], ...], RecipeEvidence]) -> Factors:
    values: dict[str, list[str]] = defaultdict(list)
    for one in points:
        for key, value in one:
            values[key] += [value] if value not in values[key] else []
    varied = {key: found for key, found in values.items() if len(found) > 1}

    def level(name: str, wanted: dict[str, str]) -> Level:
        those = [r for one, r in points.items() if wanted.items() <= dict(one).items() and r.decided.known]
        mean = sum(recipe.decided.mean for recipe in those) / len(those) if those else None
        return Level(name, len(those), mean=mean)

    table = None
    if len(varied) == 2:
        (down, rows), (across, columns) = varied.items()
        cells = [level(f"{one}, {other}", {down: one, across: other}) for one, other in product(rows, columns)]
        table = tuple(tuple(cells[at : at + len(columns)]) for at in range(0, len(cells), len(columns)))
    return Factors(
        label,
        tuple(Factor(key, tuple(level(value, {key: value}) for value in found)) for key, found in varied.items()),
        table=table,
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
    if not said:
        return ""
    return " ".join(
        [*said, "These are means of recipes that were all run, and no tests: verdicts stand in the leaderboard."]
    )
