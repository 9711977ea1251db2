"""Intervals and paired differences over arrays of right and wrong, seeds crossed with images.

A recipe's evidence is its correctness matrix C, bool `(k, n)`: k seeds by n test images, the same images in
the same order for every recipe that is compared. Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

Correct = NDArray[np.bool_]

ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its confidence interval."""

    estimate: float
    low: float
    _: KW_ONLY
    high: float


@dataclass(frozen=True)
class VarianceComponent:
    """What one recipe's seeds contribute: `square` their accuracies' variance s², `interaction` MSI/n.

    MSI is the mean square of the seed × image interaction in a two-way layout without replication (Searle,
    Casella & McCulloch, Variance Components, 1992, chapter 4). A deterministic recipe contributes nothing.
    """

    seeds: int
    square: float = 0.0
    _: KW_ONLY
    interaction: float = 0.0

    @property
    def between(self) -> float:
        """Variance of the seed mean beyond what the images' part already counts: max(0, s² − MSI/n)/k."""
        return max(0.0, self.square - self.interaction) / self.seeds

    @property
    def uncertain(self) -> float:
        """The mean square whose degrees of freedom the variance `between` has: s²/k, where it counts at all."""
        return self.square / self.seeds if self.square > self.interaction else 0.0


@dataclass(frozen=True)
class Difference:
    """Accuracy of recipe A minus recipe B, with what is needed to judge it.

    `image_variance` and `seed_variance` are the two parts of the squared standard error: more test images
    shrink the first, more seeds the second (and a little of the first).
    """

    estimate: float
    low: float
    _: KW_ONLY
    high: float
    image_variance: float
    seed_variance: float
    df: float
    images: int = 0
    components: tuple[VarianceComponent, ...] = ()

    @property
    def standard_error(self) -> float:
        """The standard error of the estimate."""
        return math.sqrt(self.image_variance + self.seed_variance)

    def p_above(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true difference is at most `bound`."""
        return _tail(self.estimate - bound, self.standard_error, self.df)

    def p_below(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true difference is at least `bound`."""
        return _tail(bound - self.estimate, self.standard_error, self.df)

    @property
    def p_one_sided(self) -> float:
        """The smaller of the two one-sided p values against no difference."""
        return min(self.p_above(0.0), self.p_below(0.0))

    def turned(self) -> Difference:
        """Recipe B minus recipe A."""
        return replace(self, estimate=-self.estimate, low=-self.high, high=-self.low)


@dataclass(frozen=True)
class McNemar:
    """Two trained models on the same images: how often only one of them is right.

    `p` is two-sided and exact; it speaks of these two models, never of the recipes that made them.
    """

    only_first: int
    only_second: int
    _: KW_ONLY
    n: int
    p: float

    @property
    def difference(self) -> float:
        """Accuracy of the first minus the second."""
        return (self.only_first - self.only_second) / self.n

    def turned(self) -> McNemar:
        """The second against the first."""
        return replace(self, only_first=self.only_second, only_second=self.only_first)


class Crossed:
    """Recipes on the same test images, seeds crossed with images: every figure from one matrix product.

    `recipes` are bool, or shares from 0 to 1, `(k_m, n)`; `deterministic` says of which one seed is enough. The
    product holds, for every two trained models, on how many images both are right; of bools it is exact, being
    whole numbers below 2⁵³.
    Raises ValueError where the recipes have another number of images.
    """

    def __init__(self, recipes: Sequence[Correct], deterministic: Sequence[bool] | None = None) -> None:
        if len({correct.shape[1] for correct in recipes}) != 1:
            raise ValueError("recipes are compared on the same test images")
        rows = np.concatenate(recipes).astype(np.float64)
        self.n = int(rows.shape[1])
        self.seeds = [len(correct) for correct in recipes]
        self.deterministic = list(deterministic or [False] * len(recipes))
        self._ends = np.concatenate([[0], np.cumsum(self.seeds)])
        self._right = rows.sum(axis=1)
        self._both = rows @ rows.T
        sums = np.add.reduceat(np.add.reduceat(self._both, self._ends[:-1], axis=0), self._ends[:-1], axis=1)
        self._products = sums / np.outer(self.seeds, self.seeds)  # Σ_i of two recipes' seed means at image i

    def accuracies(self, m: int) -> NDArray[np.float64]:
        """The accuracies of recipe m's seeds, `(k,)`."""
        found: NDArray[np.float64] = self._right[self._ends[m] : self._ends[m + 1]] / self.n
        return found

    def component(self, m: int) -> VarianceComponent | None:
        """What recipe m's seeds contribute; None with one seed, unless it is deterministic."""
        k, n = self.seeds[m], self.n
        if k < 2:
            return VarianceComponent(k) if self.deterministic[m] else None
        seeds = self.accuracies(m)
        grand = float(seeds.mean())
        squares = self._both.diagonal()[self._ends[m] : self._ends[m + 1]].sum()
        residual = squares - n * (seeds**2).sum() - k * self._products[m, m] + k * n * grand**2
        return VarianceComponent(
            k, float(seeds.var(ddof=1)), interaction=max(0.0, float(residual)) / ((k - 1) * max(n - 1, 1)) / n
        )

    def mean(self, m: int, confidence: float = 1 - ALPHA) -> Interval | None:
        """Interval of recipe m's accuracy over seeds and images; None with one seed that is not all there is."""
        part = self.component(m)
        if part is None:
            return None
        estimate = float(self.accuracies(m).mean())
        found = self._judge(estimate, self._products[m, m], (part,), confidence)
        return Interval(estimate, max(0.0, found.low), high=min(1.0, found.high))

    def difference(self, a: int, b: int, confidence: float = 1 - ALPHA) -> Difference | None:
        """Recipe a against recipe b; None where one that depends on its seed has only one.

        SE² = Var_i(d̄_i)/n + Σ_m max(0, s²_m − MSI_m/n)/k_m with d̄_i the difference of the seed means at image
        i; t interval with Satterthwaite's degrees of freedom, of the mean squares s²_m: their difference from
        MSI_m/n is as uncertain as they are, however small it is. (With the difference itself in that formula, a
        real recipe was told from itself in more than the promised share of draws; see benchmarks/verdicts.py.)
        """
        parts = (self.component(a), self.component(b))
        if parts[0] is None or parts[1] is None:
            return None
        estimate = float(self.accuracies(a).mean() - self.accuracies(b).mean())
        squares = self._products[a, a] + self._products[b, b] - 2 * self._products[a, b]
        return self._judge(estimate, squares, (parts[0], parts[1]), confidence)

    def mcnemar(self, a: int, b: int) -> McNemar:
        """McNemar's exact test (Dietterich 1998) of the first trained model of recipe a against that of b."""
        i, j = self._ends[a], self._ends[b]
        both = self._both[i, j]
        return _mcnemar(int(self._right[i] - both), int(self._right[j] - both), self.n)

    def superiority(self, a: int, b: int) -> float:
        """P(A > B): how often a seed of a beats one of b, ties half; Mann & Whitney's U/(k_a k_b)."""
        first, second = self.accuracies(a)[:, None], self.accuracies(b)[None, :]
        return float(((first > second) + 0.5 * (first == second)).mean())

    def _judge(
        self, estimate: float, squares: float, components: tuple[VarianceComponent, ...], confidence: float
    ) -> Difference:
        n = self.n
        images = max(0.0, squares - n * estimate**2) / (n - 1) / n if n > 1 else math.inf
        total = images + sum(part.between for part in components)
        means = [(images, n - 1), *((part.uncertain, part.seeds - 1) for part in components)]
        df = _satterthwaite(total, means) if math.isfinite(total) else 1.0
        half = float(special.stdtrit(df, 0.5 + confidence / 2)) * math.sqrt(total)
        return Difference(
            estimate,
            estimate - half,
            high=estimate + half,
            image_variance=images,
            seed_variance=total - images,
            df=df,
            images=n,
            components=components,
        )


def _satterthwaite(total: float, squares: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a total of mean squares (value, df), moment-matched (Satterthwaite 1946); at least 1."""
    weight = sum(value**2 / df for value, df in squares if value > 0 and df > 0)
    return max(total**2 / weight, 1.0) if weight > 0 else float(max(squares[0][1], 1))


def _tail(distance: float, standard_error: float, df: float) -> float:
    if standard_error == 0.0:
        return 0.5 if distance == 0.0 else float(distance < 0.0)
    if math.isinf(standard_error):
        return 0.5
    return float(special.stdtr(df, -distance / standard_error))


def _mcnemar(first: int, second: int, n: int) -> McNemar:
    p = min(1.0, 2 * float(special.bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0
    return McNemar(first, second, n=n, p=p)


def wilson(right: int, n: int, confidence: float = 1 - ALPHA) -> Interval:
    """Wilson's score interval for one trained model: `right` of `n` images (Wilson 1927, JASA 22).

    For one model only: k models on n images are not k·n independent answers.
    """
    if n == 0:
        return Interval(math.nan, 0.0, high=1.0)
    z = float(special.ndtri(0.5 + confidence / 2))
    p = right / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exact at none and all right; rounding must not put them outside [0, 1].
    low = 0.0 if right == 0 else (centre - spread) / scale
    high = 1.0 if right == n else (centre + spread) / scale
    return Interval(p, low, high=high)


def seed_mean(correct: Correct, *, deterministic: bool = False, confidence: float = 1 - ALPHA) -> Interval | None:
    """Interval of one recipe's accuracy over seeds and images; C is `(k, n)`. See `Crossed.mean`."""
    return Crossed([correct], [deterministic]).mean(0, confidence)


def difference(
    a: Correct, b: Correct, *, deterministic: tuple[bool, bool] = (False, False), confidence: float = 1 - ALPHA
) -> Difference | None:
    """Recipe A, bool `(k_a, n)`, against recipe B, `(k_b, n)`. See `Crossed.difference`."""
    return Crossed([a, b], deterministic).difference(0, 1, confidence)


def mcnemar(a: Correct, b: Correct) -> McNemar:
    """McNemar's exact test of one trained model against another (Dietterich 1998); `a` and `b` are `(n,)`."""
    return _mcnemar(int((a & ~b).sum()), int((b & ~a).sum()), int(a.size))
