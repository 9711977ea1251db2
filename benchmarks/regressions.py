"""How often `arena compare --fail-on-regression` passes a recipe that has lost exactly the margin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.cells import Cells, table
from benchmarks.coverage import ACCURACIES, REGIMES, WIDE, compared, named, two
from benchmarks.simulate import Recipe
from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.no_worse import p_of_loss

SEEDS = ((1, 1), (2, 2), (3, 3), (5, 5), (10, 10), (3, 10), (10, 3))


def regressions(cells: Cells) -> Iterator[str]:
    """A recipe that has lost exactly the margin passes as no worse, %"""
    rows = []
    for n in (300, 1000, 10_000):
        for accuracy, margin in WIDE.items():
            for regime in REGIMES:
                columns = [seeds for seeds in SEEDS if seeds[0] > 1 or regime == "stable"]
                row = [f"{n:,} images, {ACCURACIES[accuracy]}, {regime}"]
                for seeds in SEEDS:
                    if seeds not in columns:
                        row.append("")
                        continue
                    measure = partial(_passed, n, two(seeds, regime, accuracy, margin), margin)
                    key = (41, n, round(1000 * accuracy), *seeds, len(regime))
                    row += cells.measure(key, measure, ["most"], f"passed, {row[0]}, {named(seeds)} seeds")
                rows.append(row)
    return table(["margin 2, 0.5, 0.2 pp", *map(named, SEEDS)], rows)


def _passed(n: int, recipes: Sequence[Recipe], margin: float, rng: np.random.Generator, repeats: int) -> list[int]:
    # The second recipe of the pair is the worse one, by the margin.
    return [sum(p_of_loss(pair.turned(), margin) < ALPHA for pair in compared(rng, repeats, n, recipes))]
