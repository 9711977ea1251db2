"""Seeds until decided: false verdicts over all looks, and the seeds that it saves against a fixed number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from benchmarks.cells import Cells, table
from benchmarks.coverage import two
from benchmarks.families import family
from benchmarks.simulate import Recipe, draw
from mnistarena.stats.course import Course
from mnistarena.stats.crossed import Crossed, differences
from mnistarena.stats.looks import LEAST_SEEDS, looks
from mnistarena.stats.verdicts import MARGIN, judge

MOST = 20
SETTINGS = ((10_000, 0.99, 0.003), (1000, 0.9, 0.02))
"""Images, accuracy, and how far apart two recipes may be to be practically equal."""


def followed(crossed: Crossed, margin: float) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Each pair's verdict after all looks: its sign, whether it is "equal"; and the seeds used of each recipe."""
    plan, recipes = looks(LEAST_SEEDS, MOST), range(len(crossed.recipes))
    pairs = list(combinations(recipes, 2))
    course = Course(plan, [1 if one else len(plan.seeds) for one in crossed.deterministic], margin=margin)
    used = [0] * len(recipes)
    while not course.ended:
        used = [1 if crossed.deterministic[m] else plan.seeds[course.asked[m] - 1] for m in recipes]
        now = Crossed([crossed.recipes[m][: used[m]] for m in recipes], crossed.deterministic)
        course.look(pairs, differences((now, a, b) for a, b in pairs))
    verdicts = [course.called.get(pair) for pair in pairs]
    signs = np.array([{"better": 1, "worse": -1}.get(verdict or "", 0) for verdict in verdicts])
    return signs, np.array([verdict == "equal" for verdict in verdicts]), used


def _outcomes(n: int, recipes: Sequence[Recipe], margin: float, rng: np.random.Generator, repeats: int) -> list[float]:
    """A false call, a false equal; true differences called, also with all seeds; the share of seeds that were used."""
    pairs = list(combinations(range(len(recipes)), 2))
    gaps = np.array([round(recipes[a].truth - recipes[b].truth, 9) for a, b in pairs])
    right = np.sign(gaps) * (np.abs(gaps) > 0)
    totals = np.zeros(5)
    for crossed, _ in draw(rng, repeats, n, recipes):
        signs, equal, used = followed(crossed, margin)
        fixed = judge(differences((crossed, a, b) for a, b in pairs), margin=margin)
        goal = right != 0 if right.any() else np.ones(len(pairs), bool)
        reached = (signs == right) if right.any() else equal
        with_all = [
            one.verdict == {1: "better", -1: "worse"}.get(int(side), "equal")
            for one, side in zip(fixed, right, strict=True)
        ]
        totals += (
            ((signs != 0) & (signs != right)).any(),
            (equal & (np.abs(gaps) >= margin - 1e-9)).any(),
            reached[goal].mean(),
            np.array(with_all)[goal].mean(),
            sum(used) / sum(recipe.seeds for recipe in recipes),
        )
    return list(totals)


def until_decided(cells: Cells) -> Iterator[str]:
    """Seeds until decided, at most 20: false verdicts over all looks, true ones, and the seeds that were used, %

    Two recipes, of which none, both or one is unstable, and ten of which two differ. “Right” is better or worse where
    recipes differ, else equal; “with all” is the same with 20 seeds of each from the start.
    """
    rows = []
    for number, (n, accuracy, margin) in enumerate(SETTINGS):
        for regime in ("stable", "unstable", "the second unstable"):
            for gap in (0.0, 0.5 * margin, margin, 2 * margin):
                for seeds in ((MOST, MOST), (1, MOST)):
                    if seeds[0] == 1 and regime == "unstable":
                        continue
                    recipes = two(seeds, regime, accuracy, gap)
                    name = f"{n:,} images, {100 * accuracy:g} %, {regime}, {100 * gap:g} pp apart"
                    row = [name + (", the first deterministic" if seeds[0] == 1 else "")]
                    within = margin if gap in (0.0, margin) else MARGIN
                    key = (20, number, len(regime), round(1e5 * gap), seeds[0])
                    measure = partial(_outcomes, n, recipes, within)
                    rows.append(row + cells.measure(key, measure, ["most", "most", "", "", ""], row[0]))
    return table(["", "called falsely", "equal falsely", "right", "with all", "seeds used"], rows)


def families_until_decided(cells: Cells) -> Iterator[str]:
    """Seeds until decided, at most 20, of ten recipes of which two differ: at least one false verdict, %"""
    rows = []
    for number, (n, accuracy, gap) in enumerate(SETTINGS):
        for kind in ("stable", "unstable", "half unstable"):
            row = [f"{n:,} images, {100 * accuracy:g} %, {kind}"]
            recipes = [replace(recipe, seeds=MOST) for recipe in family(kind, (MOST,), accuracy, gap)]
            few = Cells(max(cells.replications // 5, 1), cells.short)
            measure = partial(_outcomes, n, recipes, gap)
            rows.append(row + few.measure((21, number, len(kind)), measure, ["most", "most", "", "", ""], row[0]))
    return table(["", "called falsely", "equal falsely", "power", "with all", "seeds used"], rows)
