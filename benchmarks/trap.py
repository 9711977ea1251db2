"""A planted trap: twenty copies of one recipe as a grid. How often is the one that is picked called better?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from benchmarks.cells import Cells, table
from benchmarks.simulate import SPREAD, Recipe, draw, former_p
from mnistarena.stats.crossed import Crossed, differences
from mnistarena.stats.verdicts import judge

COPIES, VALIDATION = 20, 1000
ACCURACY = 0.99


def trap(cells: Cells) -> Iterator[str]:
    """Twenty copies of the baseline as a grid: the best of them is called better than the baseline, %

    Chosen on 1,000 validation images by one trial each and trained anew: `choose = "validation"`. Best on test: the
    copy whose seeds are best on the test images, by the t test that was used before, as if it were the only one; and
    within the family of all pairs, as a grid without `choose` is judged.
    """
    rows = []
    for n in (300, 2000, 10_000):
        for kind in ("stable", "unstable"):
            for seeds in (3, 5):
                spread = SPREAD[ACCURACY] if kind == "unstable" else 0.0
                row = [f"{n:,} images, 99 %, {kind}, {seeds} seeds"]
                key = (21, n, seeds, len(kind))
                row += cells.measure(key, partial(_called, n, seeds, spread), ["most", "", "most"], f"trap, {row[0]}")
                rows.append(row)
    return table(["", "chosen on validation", "best on test, alone", "best on test, in its family"], rows)


def _called(n: int, seeds: int, spread: float, rng: np.random.Generator, repeats: int) -> list[int]:
    one = Recipe(seeds, ACCURACY, spread)
    chosen = alone = family = 0
    tried = draw(rng, repeats, VALIDATION, [Recipe(2, ACCURACY, spread)] * COPIES)
    tested = draw(rng, repeats, n, [one] * (COPIES + 1))
    fresh = draw(rng, repeats, n, [one] * 2)
    for (validation, _), (grid, _), (final, _) in zip(tried, tested, fresh, strict=True):
        # The copies are alike, so whichever is picked, the trials that are judged are two recipes' with fresh seeds.
        assert _best(validation, range(COPIES)) in range(COPIES)
        chosen += _better(final, [(0, 1)])
        best = _best(grid, range(1, COPIES + 1))
        pair = grid.difference(best, 0)
        assert pair is not None
        alone += pair.estimate > 0 and former_p(grid, best, 0, pair) <= 0.025
        pairs = [(a, b) for a in range(COPIES + 1) for b in range(a)]
        family += _better(grid, pairs, only=(best, 0))
    return [chosen, alone, family]


def _best(crossed: Crossed, recipes: Iterable[int]) -> int:
    return max(recipes, key=lambda m: float(crossed.figures(m).mean()))


def _better(crossed: Crossed, pairs: list[tuple[int, int]], only: tuple[int, int] | None = None) -> bool:
    """Whether the first of a pair is called better, within the family of all of them."""
    verdicts = judge(differences((crossed, a, b) for a, b in pairs))
    return verdicts[pairs.index(only) if only else 0].verdict == "better"
