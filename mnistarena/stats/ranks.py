"""Which recipe is better across datasets? Ranks, Friedman's test, and signed ranks of pairs.

Scores are `(datasets, recipes)`, higher is better, one figure a recipe and dataset: its mean over seeds. Datasets
are what is drawn from a population here, seeds are not: more of them make a score surer, never a test stronger.
Pure functions: numpy and scipy, no files. Demšar 2006 (JMLR 7) says which test is for what.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.verdicts import holm

Scores = NDArray[np.float64]

LEAST_DATASETS = 5
"""Below so many datasets there is no test: even a recipe that wins on each of them may do so by chance."""
LEAST_RECIPES = 3
"""Friedman's test is for so many recipes; two are compared by their signed ranks alone."""
_DIGITS = 12
"""Scores equal to so many decimals are ties: two means of the same counts may differ in their last bits."""


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that all recipes rank alike, `chi_square` and its p; `f` and `p` are Iman and Davenport's.

    `f` is infinite where every dataset ranks the recipes in the same order.
    """

    datasets: int
    recipes: int
    _: KW_ONLY
    chi_square: float
    p_chi_square: float
    f: float
    p: float


@dataclass(frozen=True)
class SignedRanks:
    """Recipe `a` against recipe `b` (columns of the scores): datasets won, lost and tied; exact two-sided p.

    `median` is that of the differences a minus b over the datasets.
    """

    a: int
    b: int
    _: KW_ONLY
    wins: int
    losses: int
    ties: int
    p: float
    median: float = 0.0
    p_adjusted: float = 1.0

    def apart(self, margin: float = 0.0) -> int:
        """1 where a is better on these datasets, −1 where b is, 0 where it is not told: as the verdicts on a pair.

        The test must be passed and the median difference be more than the margin.
        """
        if self.p_adjusted >= ALPHA or abs(self.median) <= margin:
            return 0
        return 1 if self.median > 0 else -1


def rank(scores: Scores) -> Scores:
    """Each dataset's ranks, `(datasets, recipes)`: 1 is the highest score, ties get the mean of their ranks."""
    rounded = np.round(scores, _DIGITS)
    above = (rounded[:, None, :] > rounded[:, :, None]).sum(axis=2)
    level = (rounded[:, None, :] == rounded[:, :, None]).sum(axis=2)
    found: Scores = above + (level + 1) / 2
    return found


def friedman(scores: Scores) -> Friedman:
    """Friedman's test (1937), corrected for ties, and Iman and Davenport's F (1980), which is less conservative.

    χ² has k − 1 degrees of freedom for k recipes; F = (N − 1)χ²/(N(k − 1) − χ²) has k − 1 and (k − 1)(N − 1).
    """
    n, k = scores.shape
    ranks = rank(scores)
    # The ranks' variance within datasets: with ties it is less than the (k² − 1)/12 of a full order.
    within = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))
    if within == 0.0:  # every recipe scores the same everywhere
        return Friedman(n, k, chi_square=0.0, p_chi_square=1.0, f=0.0, p=1.0)
    chi_square = n * float(((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum()) / within
    left = n * (k - 1) - chi_square
    f = (n - 1) * chi_square / left if left > 1e-9 * n * k else math.inf
    p = 0.0 if math.isinf(f) else float(special.fdtrc(k - 1, (k - 1) * (n - 1), f))
    return Friedman(n, k, chi_square=chi_square, p_chi_square=float(special.chdtrc(k - 1, chi_square)), f=f, p=p)


def signed_ranks(scores: Scores) -> list[SignedRanks]:
    """Wilcoxon's signed-rank test (1945) of every pair of recipes, p adjusted by Holm over all of them.

    Not a comparison of mean ranks: whether two recipes differ must not depend on which others are there
    (Benavoli, Corani & Mangili 2016, JMLR 17).
    """
    found = []
    for a in range(scores.shape[1]):
        for b in range(a + 1, scores.shape[1]):
            gaps = np.round(scores[:, a] - scores[:, b], _DIGITS)
            wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
            found.append(
                SignedRanks(
                    a,
                    b,
                    wins=wins,
                    losses=losses,
                    ties=len(gaps) - wins - losses,
                    p=wilcoxon(gaps),
                    median=float(np.median(gaps)),
                )
            )
    adjusted = holm([pair.p for pair in found])
    return [replace(pair, p_adjusted=p) for pair, p in zip(found, adjusted, strict=True)]


def wilcoxon(gaps: Scores) -> float:
    """Exact two-sided p of the signed-rank test of differences `(n,)`; zeros are left out, ties share their ranks.

    The null distribution is that of random signs of these very ranks, so it is exact with ties as well.
    """
    gaps = gaps[gaps != 0]
    sizes = np.abs(gaps)
    # Twice the ranks, so that the shared ones are whole numbers too.
    doubled = [int((sizes < size).sum() * 2 + (sizes == size).sum() + 1) for size in sizes]
    return signs_p(np.copysign(doubled, gaps).astype(np.int64))


def signs_p(steps: NDArray[np.int64]) -> float:
    """Exact two-sided p of the sum of `steps` `(n,)`, each of which is as likely to have the other sign."""
    steps = steps[steps != 0]
    chance = np.ones(1)
    for step in np.abs(steps).tolist():
        longer = np.zeros(len(chance) + step)
        longer[: len(chance)] = chance / 2
        longer[step:] += chance / 2
        chance = longer
    positive, total = int(steps[steps > 0].sum()), int(np.abs(steps).sum())
    return min(1.0, 2 * float(chance[: min(positive, total - positive) + 1].sum()))


def smallest_p(datasets: int, pairs: int = 1) -> float:
    """The least p that the signed-rank test can give, after Holm's correction over `pairs`: one wins everywhere."""
    return min(1.0, pairs * 2.0 ** (1 - datasets))


def datasets_needed(pairs: int, alpha: float = ALPHA) -> int:
    """The least number of datasets at which a pair of `pairs` can be told apart at all."""
    return next(n for n in range(LEAST_DATASETS, 1000) if smallest_p(n, pairs) < alpha)


def groups(count: int, apart: Collection[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The largest sets of 2 or more of `count` recipes of which no two are in `apart`; in order, sets may overlap.

    The maximal cliques of what is not told apart (Bron & Kerbosch 1973, with pivots).
    """
    near = {
        i: {j for j in range(count) if j != i and (i, j) not in apart and (j, i) not in apart} for i in range(count)
    }
    found: list[tuple[int, ...]] = []

    def grow(members: set[int], able: set[int], seen: set[int]) -> None:
        if not able and not seen:
            if len(members) > 1:
                found.append(tuple(sorted(members)))
            return
        pivot = max(able | seen, key=lambda i: (len(near[i] & able), -i))
        for i in sorted(able - near[pivot]):
            grow(members | {i}, able & near[i], seen & near[i])
            able, seen = able - {i}, seen | {i}

    grow(set(), set(range(count)), set())
    return sorted(found)
