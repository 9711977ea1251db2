"""Seeds until decided: false verdicts over all looks, and the seeds that it saves against a fixed number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells import Cells, Limit, table
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
NO_MARGIN = 1e-5
"""No one is equal within it, and every difference is beyond it."""


def followed(
    crossed: Crossed, margin: float, *, everything: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], float]:
    """Each pair's verdict after all looks: its sign, and whether it is "equal"; its sign by the first look of those at
    which it is called where no rule is kept; the share of all seeds that were used. With `everything`, all recipes get
    all seeds, so that each pair is tested at each look.
    """
    plan, recipes = looks(LEAST_SEEDS, MOST), range(len(crossed.recipes))
    pairs = list(combinations(recipes, 2))
    last = [1 if one else len(plan.seeds) for one in crossed.deterministic]
    course = Course(plan, last, margin=margin)
    unruled = np.zeros(len(pairs), np.int64)
    used = [0] * len(recipes)
    while not course.ended:
        used = [1 if crossed.deterministic[m] else plan.seeds[course.asked[m] - 1] for m in recipes]
        now = Crossed([crossed.recipes[m][: used[m]] for m in recipes], crossed.deterministic)
        found = differences((now, a, b) for a, b in pairs)
        unruled = np.where(unruled == 0, signs([one.verdict for one in judge(found, margin=margin)]), unruled)
        course.look(pairs, found)
        if everything:
            course.asked = [min(course.number + 1, one) for one in last]
    verdicts = [course.called.get(pair) for pair in pairs]
    share = sum(used) / sum(len(correct) for correct in crossed.recipes)
    return signs(verdicts), np.array([verdict == "equal" for verdict in verdicts]), unruled, share


def signs(verdicts: Sequence[str | None]) -> NDArray[np.int64]:
    """1 for better, -1 for worse, else 0."""
    return np.array([{"better": 1, "worse": -1}.get(verdict or "", 0) for verdict in verdicts])


def _outcomes(n: int, recipes: Sequence[Recipe], margin: float, rng: np.random.Generator, repeats: int) -> list[float]:
    """A false call, without a rule too; a false equal; the share that is called rightly, and is so with all seeds; the
    share of seeds that were used.
    """
    pairs = list(combinations(range(len(recipes)), 2))
    gaps = np.array([round(recipes[a].truth - recipes[b].truth, 9) for a, b in pairs])
    right, counted = np.sign(gaps), gaps != 0 if gaps.any() else np.ones(len(pairs), bool)
    totals = np.zeros(6)
    for crossed, _ in draw(rng, repeats, n, recipes):
        called, equal, unruled, share = followed(crossed, margin)
        fixed = [one.verdict for one in judge(differences((crossed, a, b) for a, b in pairs), margin=margin)]
        in_fixed = signs(fixed) == right if gaps.any() else np.array(fixed) == "equal"
        totals += (
            ((called != 0) & (called != right)).any(),
            ((unruled != 0) & (unruled != right)).any(),
            (equal & (np.abs(gaps) >= margin - 1e-9)).any(),
            (called == right if gaps.any() else equal)[counted].mean(),
            in_fixed[counted].mean(),
            share,
        )
    return list(totals)


HEAD = ["", "called falsely", "without a rule", "equal falsely", "right", "with all", "seeds used"]
LIMITS: tuple[Limit, ...] = ("most", "", "most", "", "", "")


def until_decided(cells: Cells) -> Iterator[str]:
    """Seeds until decided, at most 20, of two recipes: false verdicts over all looks, true ones, seeds used, %

    Without a rule: each look at 5 %. “Right” is better or worse where recipes differ, else equal; “with all” is that
    with 20 seeds of each from the start. The margin is the difference where recipes are to be called equal, falsely or
    rightly, and nearly 0 where they are to be called different, falsely.
    """
    rows = []
    for number, (n, accuracy, wide) in enumerate(SETTINGS):
        asked = ((0.0, wide), (0.0, NO_MARGIN), (wide / 2, MARGIN), (wide, wide), (2 * wide, MARGIN))
        for regime in ("stable", "unstable", "the second unstable"):
            for gap, margin in asked:
                for seeds in ((MOST, MOST), (1, MOST)):
                    if seeds[0] == 1 and regime == "unstable":
                        continue
                    first = ", the first deterministic" if seeds[0] == 1 else ""
                    row = [
                        f"{n:,} images, {100 * accuracy:g} %, {regime}{first}, {100 * gap:g} pp apart, "
                        f"margin {100 * margin:g} pp"
                    ]
                    key = (20, number, len(regime), round(1e5 * gap), round(1e5 * margin), seeds[0])
                    measure = partial(_outcomes, n, two(seeds, regime, accuracy, gap), margin)
                    rows.append(row + cells.measure(key, measure, LIMITS, row[0]))
    return table(HEAD, rows)


def families_until_decided(cells: Cells) -> Iterator[str]:
    """Looks at 3, 5, 8, 13 and 20 seeds of ten recipes of which two differ: at least one false verdict over all, %

    All recipes get all seeds, so that each pair is tested at each look; there are fewer tests where seeds are saved.
    With a fifth of the benchmarks. The margin of calls is nearly 0, that of equality the true difference.
    """
    rows = []
    few = Cells(max(cells.replications // 5, 1), cells.short)
    for number, (n, accuracy, gap) in enumerate(SETTINGS):
        for kind in ("stable", "unstable", "half unstable"):
            row = [f"{n:,} images, {100 * accuracy:g} %, {kind}"]
            measure = partial(_family, n, family(kind, (MOST,), accuracy, gap), gap)
            rows.append(row + few.measure((21, number, len(kind)), measure, ["most", "", "most", ""], row[0]))
    return table(["", "called falsely", "without a rule", "equal falsely", "power"], rows)


def _family(n: int, recipes: Sequence[Recipe], margin: float, rng: np.random.Generator, repeats: int) -> list[float]:
    """A false call, without a rule too; a false equal; the share of true differences that are called."""
    pairs = list(combinations(range(len(recipes)), 2))
    gaps = np.array([round(recipes[a].truth - recipes[b].truth, 9) for a, b in pairs])
    totals = np.zeros(4)
    for crossed, _ in draw(rng, repeats, n, recipes):
        called, _, unruled, _ = followed(crossed, NO_MARGIN, everything=True)
        _, equal, _, _ = followed(crossed, margin, everything=True)
        totals += (
            ((called != 0) & (called != np.sign(gaps))).any(),
            ((unruled != 0) & (unruled != np.sign(gaps))).any(),
            (equal & (np.abs(gaps) >= margin - 1e-9)).any(),
            (called == np.sign(gaps))[gaps != 0].mean(),
        )
    return list(totals)
