"""How often 95 % intervals hold the truth, and how often a single pair gets a false verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.cells import Cells, table
from benchmarks.simulate import GAP, LOSS, SPREAD, Recipe, draw, former_width
from mnistarena.stats.crossed import Crossed, differences
from mnistarena.stats.intervals import Difference, exact
from mnistarena.stats.verdicts import MARGIN, Verdict, judge

IMAGES = (10, 20, 50, 100, 300, 1000, 10_000)
ACCURACIES = {0.5: "50 %", 0.9: "90 %", 0.99: "99 %", 0.998: "99.8 %", 1.0: "100 %"}
SEEDS = ((1, 1), (2, 2), (3, 3), (5, 5), (10, 10), (3, 10), (1, 2), (1, 3), (1, 5))
"""Numbers of seeds of two recipes; 1 is of a deterministic one."""
REGIMES = {"stable": (0, 0), "unstable": (1, 1), "the second unstable": (0, 1), "the first unstable": (1, 0)}
"""Which of two recipes are unstable."""
WIDE = {0.9: 0.02, 0.99: 0.005, 0.998: 0.002}
"""A margin within which recipes can be shown to be."""


def named(seeds: tuple[int, int]) -> str:
    """Numbers of seeds as text."""
    return " v ".join("det." if k == 1 else str(k) for k in seeds)


def two(seeds: tuple[int, int], regime: str, accuracy: float, gap: float) -> list[Recipe]:
    """Two recipes whose true accuracies differ by `gap`."""
    middle = min(accuracy, 1 - gap / 2)
    recipes = [
        Recipe(k, middle + side, SPREAD[accuracy] if unstable and k > 1 else 0.0)
        for k, unstable, side in zip(seeds, REGIMES.get(regime, (1, 1)), (gap / 2, -gap / 2), strict=True)
    ]
    if regime == "the first heavy":
        high = min(recipes[0].accuracy + 0.2 * LOSS[accuracy], 1.0)
        recipes[0] = replace(recipes[0], accuracy=high, loss=LOSS[accuracy])
    return recipes


def compared(rng: np.random.Generator, repeats: int, n: int, recipes: Sequence[Recipe]) -> Iterator[Difference]:
    """The difference of two recipes in each simulated benchmark; many are worked on at a time."""
    waiting: list[tuple[Crossed, int, int]] = []
    for number, (crossed, _) in enumerate(draw(rng, repeats, n, recipes), 1):
        waiting.append((crossed, 0, 1))
        if len(waiting) == 200 or number == repeats:
            yield from (pair for pair in differences(waiting) if pair is not None)
            waiting = []


def means(cells: Cells) -> Iterator[str]:
    """A 95 % interval of one recipe's accuracy holds it, %"""
    columns = [("one model", 1), *((kind, k) for kind in ("stable", "unstable") for k in (2, 3, 5, 10))]
    columns += [("heavy", 3), ("heavy", 5)]
    rows = []
    for n in IMAGES:
        for accuracy, name in ACCURACIES.items():
            row = [f"{n:,} images, {name}"]
            for kind, k in columns:
                spread = SPREAD[accuracy] if kind in ("unstable", "heavy") else 0.0
                recipe = Recipe(k, accuracy, spread, LOSS[accuracy] if kind == "heavy" else 0.0)
                where = f"mean of {row[0]}, {kind}, {k} seeds"
                key = (1, n, round(1000 * accuracy), k, len(kind))
                row += cells.measure(key, partial(_held, n, recipe), ["" if kind == "heavy" else "least"], where)
            rows.append(row)
    return table(["", *(f"{kind}, {k}" if k > 1 else kind for kind, k in columns)], rows)


def _held(n: int, recipe: Recipe, rng: np.random.Generator, repeats: int) -> list[int]:
    held = 0
    for crossed, models in draw(rng, repeats, n, [recipe]):
        if recipe.seeds == 1:
            found, truth = exact(int(crossed.recipes[0].sum()), n), float(models[0])
        else:
            mean = crossed.mean(0)
            assert mean is not None
            found, truth = mean, recipe.truth
        held += found.low <= truth <= found.high
    return [held]


def pairs(cells: Cells) -> Iterator[str]:
    """A 95 % interval of a difference holds it, %"""
    for regime in (*REGIMES, "the first heavy"):
        columns = [seeds for seeds in SEEDS if _new(seeds, regime)]
        rows = []
        for n in IMAGES:
            for accuracy, name in ACCURACIES.items():
                row = [f"{n:,} images, {name}"]
                for seeds in columns:
                    recipes = two(seeds, regime, accuracy, GAP[accuracy])
                    where = f"difference of {row[0]}, {regime}, {named(seeds)} seeds"
                    key = (2, n, round(1000 * accuracy), *seeds, len(regime))
                    limit = "" if regime == "the first heavy" else "least"
                    row += cells.measure(key, partial(_difference_held, n, recipes), [limit], where)
                rows.append(row)
        yield from ("", f"Seeds; {regime}:", "")
        yield from table(["", *map(named, columns)], rows)


def _difference_held(n: int, recipes: Sequence[Recipe], rng: np.random.Generator, repeats: int) -> list[int]:
    truth = recipes[0].truth - recipes[1].truth
    return [sum(pair.low <= truth <= pair.high for pair in compared(rng, repeats, n, recipes))]


def _new(seeds: tuple[int, int], regime: str) -> bool:
    """Whether a cell is not another one's mirror: a deterministic recipe is stable, and is the first."""
    if regime == "the first heavy":
        return seeds in ((3, 3), (5, 5), (10, 10))
    if seeds[0] == 1:
        return regime == "stable" or (regime == "the second unstable" and seeds[1] > 1)
    return seeds[0] != seeds[1] or regime != "the first unstable"


def widths(cells: Cells) -> Iterator[str]:
    """The width of a difference's 95 % interval, as a multiple of what it was before

    Medians of a tenth as many simulated benchmarks. “–”: most intervals had no width before.
    """
    columns = [(regime, seeds) for regime in list(REGIMES)[:3] for seeds in SEEDS if _new(seeds, regime)]
    rows = []
    for n in IMAGES:
        for accuracy, name in list(ACCURACIES.items())[:-1]:
            row = [f"{n:,} images, {name}"]
            for regime, seeds in columns:
                rng = np.random.default_rng([11, n, round(1000 * accuracy), *seeds, len(regime)])
                recipes = two(seeds, regime, accuracy, GAP[accuracy])
                found = [_ratio(crossed) for crossed, _ in draw(rng, max(cells.replications // 10, 3), n, recipes)]
                middle = float(np.median(found))
                row.append(f"{middle:.2f}" if np.isfinite(middle) else "–")
            rows.append(row)
    return table(["", *(f"{regime}, {named(seeds)}" for regime, seeds in columns)], rows)


def _ratio(crossed: Crossed) -> float:
    pair = crossed.difference(0, 1)
    assert pair is not None
    before = former_width(crossed, 0, 1, pair)
    return (pair.high - pair.low) / before if before else np.inf


def false_verdicts(cells: Cells) -> Iterator[str]:
    """False verdicts on a pair: "better" or "worse" of equal recipes, "equal" of two as far apart as the margin, %"""
    rows = []
    for n in (300, 1000, 10_000):
        for accuracy, wide in WIDE.items():
            for regime in REGIMES:
                for seeds in SEEDS:
                    if not _new(seeds, regime):
                        continue
                    row = [f"{n:,} images, {ACCURACIES[accuracy]}, {regime}, {named(seeds)}"]
                    asked: tuple[tuple[float, float, tuple[Verdict, ...]], ...] = (
                        (0.0, 0.0, ("better", "worse")),
                        (MARGIN, MARGIN, ("equal",)),
                        (wide, wide, ("equal",)),
                    )
                    for number, (gap, margin, wrong) in enumerate(asked):
                        measure = partial(_judged, n, two(seeds, regime, accuracy, gap), margin, wrong)
                        key = (3, n, round(1000 * accuracy), *seeds, len(regime), number)
                        row += cells.measure(key, measure, ["most"], f"{' or '.join(wrong)} of {row[0]}, gap {gap}")
                    rows.append(row)
    return table(["", "called, though equal", "equal at ±0.1 pp", "equal at ±2, ±0.5, ±0.2 pp"], rows)


def _judged(
    n: int,
    recipes: Sequence[Recipe],
    margin: float,
    wrong: tuple[Verdict, ...],
    rng: np.random.Generator,
    repeats: int,
) -> list[int]:
    found = compared(rng, repeats, n, recipes)
    return [sum(judge([pair], margin=margin)[0].verdict in wrong for pair in found)]
