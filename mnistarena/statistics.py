"""How sure may we be? Intervals, paired tests, verdicts and invariants over arrays of right and wrong.

A recipe's evidence is its correctness matrix C, bool `(k, n)`: k seeds by n test images, the same images in
the same order for every recipe that is compared. Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Correct = NDArray[np.bool_]
Verdict = Literal["better", "worse", "equal", "undecided"]

ALPHA = 0.05
MARGIN = 0.001
"""Differences of accuracy within ± this (0.1 percentage points) do not matter in practice."""


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Accuracy of recipe A minus recipe B, with what is needed to judge it.

    `image_variance` and `seed_variance` are the two parts of the squared standard error: more test images
    shrink the first, more seeds the second (and a little of the first).
    """

    estimate: float
    low: float
    high: float
    image_variance: float
    seed_variance: float
    df: float

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


@dataclass(frozen=True)
class McNemar:
    """Two trained models on the same images: how often only one of them is right.

    `p` is two-sided and exact; it speaks of these two models, never of the recipes that made them.
    """

    only_first: int
    only_second: int
    n: int
    p: float

    @property
    def difference(self) -> float:
        """Accuracy of the first minus the second."""
        return (self.only_first - self.only_second) / self.n


def _tail(distance: float, standard_error: float, df: float) -> float:
    if standard_error == 0.0:
        return 0.5 if distance == 0.0 else float(distance < 0.0)
    return float(stats.t.sf(distance / standard_error, df))


def wilson(right: int, n: int, confidence: float = 1 - ALPHA) -> Interval:
    """Wilson's score interval for one trained model: `right` of `n` images (Wilson 1927, JASA 22).

    For one model only: k models on n images are not k·n independent answers.
    """
    if n == 0:
        return Interval(math.nan, 0.0, 1.0)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    p = right / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # The ends are exact at none and all right; rounding must not put them outside [0, 1].
    low = 0.0 if right == 0 else (centre - spread) / scale
    high = 1.0 if right == n else (centre + spread) / scale
    return Interval(p, low, high)


def seed_variance(correct: Correct) -> float:
    """Variance of a recipe's mean accuracy that is due to its seeds; C is `(k, n)`, k ≥ 2.

    max(0, s² − MSI/n)/k: the variance s² of the seeds' accuracies holds the seed × image interaction too,
    which the images' part already counts. MSI is the interaction's mean square in a two-way layout without
    replication (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4).
    """
    values = correct.astype(np.float64)
    k, n = values.shape
    seeds = values.mean(axis=1)
    residual = values - seeds[:, None] - values.mean(axis=0) + values.mean()
    interaction = float((residual**2).sum()) / ((k - 1) * max(n - 1, 1))
    return float(max(0.0, float(seeds.var(ddof=1)) - interaction / n) / k)


def _combine(image_means: NDArray[np.float64], seeds: list[tuple[float, int]], confidence: float) -> Difference:
    """Crossed random effects: images × seeds; `seeds` holds (variance, number of seeds) of each recipe."""
    n = image_means.size
    images = float(image_means.var(ddof=1)) / n if n > 1 else math.inf
    parts = [(images, n - 1), *((variance, k - 1) for variance, k in seeds)]
    total = sum(variance for variance, _ in parts)
    # Satterthwaite (1946): a sum of variances has the degrees of freedom of a moment-matched chi-square.
    weight = sum(variance**2 / df for variance, df in parts if variance > 0 and df > 0)
    df = total**2 / weight if weight > 0 and math.isfinite(total) else float(max(n - 1, 1))
    estimate = float(image_means.mean())
    half = float(stats.t.ppf(0.5 + confidence / 2, df)) * math.sqrt(total)
    return Difference(estimate, estimate - half, estimate + half, images, total - images, df)


def seed_mean(correct: Correct, *, deterministic: bool = False, confidence: float = 1 - ALPHA) -> Interval | None:
    """Interval of a recipe's accuracy over seeds and images; C is `(k, n)`.

    None with one seed, from which nothing about the recipe follows, unless it is `deterministic`.
    The crossed random effects formula of `difference`, with one recipe.
    """
    if len(correct) < 2 and not deterministic:
        return None
    seeds = [(seed_variance(correct), len(correct))] if len(correct) > 1 else []
    found = _combine(correct.mean(axis=0), seeds, confidence)
    return Interval(found.estimate, max(0.0, found.low), min(1.0, found.high))


def difference(
    a: Correct,
    b: Correct,
    *,
    deterministic: tuple[bool, bool] = (False, False),
    confidence: float = 1 - ALPHA,
) -> Difference | None:
    """Recipe A against recipe B; `a` is `(k_a, n)`, `b` `(k_b, n)`, columns the same images.

    SE² = Var_i(d̄_i)/n + Σ_m max(0, s²_m − MSI_m/n)/k_m with d̄_i the difference of the seed means at image
    i; t interval with Satterthwaite's degrees of freedom. None where a recipe that depends on its seed has
    only one: then only the two trained models can be compared (`mcnemar`).
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError("two recipes are compared on the same test images")
    seeds = []
    for correct, fixed in zip((a, b), deterministic, strict=True):
        if len(correct) > 1:
            seeds.append((seed_variance(correct), len(correct)))
        elif not fixed:
            return None
    return _combine(a.mean(axis=0) - b.mean(axis=0), seeds, confidence)


def mcnemar(a: Correct, b: Correct) -> McNemar:
    """McNemar's exact test of one trained model against another (Dietterich 1998); `a` and `b` are `(n,)`."""
    first, second = int((a & ~b).sum()), int((b & ~a).sum())
    p = 1.0 if first + second == 0 else float(stats.binomtest(first, first + second).pvalue)
    return McNemar(first, second, int(a.size), p)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values (1979), in the order given: p̃₍ᵢ₎ = max_{j≤i} min(1, (m − j + 1) p₍ⱼ₎)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1.0, values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]


def verdicts(differences: Sequence[Difference], *, margin: float = MARGIN, alpha: float = ALPHA) -> list[Verdict]:
    """One verdict a pair; the sequence is the Holm family.

    better: Holm-adjusted one-sided p of Δ ≤ 0 below α/2, and Δ̂ > margin. worse: the mirror.
    equal: both one-sided tests against ±margin below α (Schuirmann 1987). Else undecided.
    """
    found: list[Verdict] = []
    for pair, p in zip(differences, holm([pair.p_one_sided for pair in differences]), strict=True):
        if p < alpha / 2 and abs(pair.estimate) > margin:
            found.append("better" if pair.estimate > 0 else "worse")
        elif max(pair.p_above(-margin), pair.p_below(margin)) < alpha:
            found.append("equal")
        else:
            found.append("undecided")
    return found


def confusion(labels: NDArray[Any], predicted: NDArray[Any], n_classes: int) -> NDArray[np.int64]:
    """Counts `(n_classes, n_classes)`: rows are true classes, columns predicted ones."""
    cells = labels.astype(np.int64) * n_classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def weighted_f1_gap(matrix: NDArray[np.int64]) -> float:
    """Weighted F1 minus accuracy, exactly: (1/2N) Σ_c (FP_c² − FN_c²)/(n_c + p_c); `matrix` as `confusion`.

    Follows from F1_c = 2 TP_c/(n_c + p_c), n_c true and p_c predicted images of class c, n_c − p_c = FN_c − FP_c.
    """
    true, predicted, hit = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    both = np.maximum(true + predicted, 1)
    return float((((predicted - hit) ** 2 - (true - hit) ** 2) / both).sum() / (2 * matrix.sum()))


def weighted_f1_bound(errors: float, n: int, smallest_class: int) -> float:
    """The most that weighted F1 can differ from accuracy: e²/(2N(2 n_min − e)) for e errors, e ≤ n_min.

    Infinite beyond e = n_min, where the bound says nothing. The worst case has all errors in the smallest class.
    """
    if errors > smallest_class:
        return math.inf
    return errors**2 / (2 * n * (2 * smallest_class - errors)) if errors else 0.0


def contradiction(accuracy: float, weighted_f1: float, n: int, smallest_class: int) -> str | None:
    """Why these two figures cannot come from one model on one test set, or None where they can.

    Half a unit of the fourth decimal is allowed to each figure for rounding.
    """
    errors = (1 - accuracy) * n
    bound = weighted_f1_bound(errors, n, smallest_class)
    gap = abs(accuracy - weighted_f1)
    if gap <= bound + 1e-4:
        return None
    return (
        f"accuracy {accuracy:.4f} and weighted F1 {weighted_f1:.4f} differ by {100 * gap:.2f} pp; "
        f"with {errors:.0f} errors in {n:,} images they can differ by {100 * bound:.3f} pp at most, "
        "so they do not come from one model on one test set"
    )
