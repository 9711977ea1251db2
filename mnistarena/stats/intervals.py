"""Intervals: of one trained model, and of estimates that rest on test images and on seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from mnistarena.stats.pivotal import Pivot
from mnistarena.stats.variance import NOTHING_SHARED, SharedVariance, VarianceComponent

ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its confidence interval."""

    estimate: float
    low: float
    _: KW_ONLY
    high: float


@dataclass(frozen=True)
class Moments:
    """An estimate and its squared standard error, before an interval is made of them.

    `centre` is the middle of every interval: the estimate with pseudo-images. `images` counts these too, and
    `image_variance` I is their part of the squared standard error; `components` are the parts of the seeds. `groups`
    is how many groups the images come in, without those that were added; None where each stands for itself.
    """

    estimate: float
    centre: float
    _: KW_ONLY
    image_variance: float
    images: int
    components: tuple[VarianceComponent, ...]
    groups: int | None = None

    @property
    def image_df(self) -> float:
        """The degrees of freedom of `image_variance`."""
        return max((self.images if self.groups is None else self.groups) - 1.0, 1.0)


@dataclass(frozen=True)
class Difference(Moments):
    """The figure of recipe A minus that of recipe B, with what is needed to judge it; `low` to `high` holds it at 95 %.

    More test images shrink `image_variance`, more seeds `seed_variance` and a little of the first. Interval and p
    values are of these two recipes' own seeds; `shared` is what the other recipes of the run say of these, for tests
    of a family (`mnistarena.stats.verdicts`). With several `splits` of the same images, what the components count is
    the luck of these (`mnistarena.stats.splits`), and more images shrink all parts; `luck` is then what each recipe's
    seeds vary within a split, which is a part of that.
    """

    _: KW_ONLY
    low: float
    high: float
    shared: SharedVariance = NOTHING_SHARED
    splits: int = 1
    luck: tuple[VarianceComponent, ...] = ()

    @classmethod
    def between(cls, moments: Moments, low: float, high: float, **more: Any) -> Difference:
        """These moments with the two ends of their interval; `more` are the fields that have a default."""
        return cls(**vars(moments), low=low, high=high, **more)

    @property
    def seed_variance(self) -> float:
        """The seeds' part of the squared standard error."""
        return sum(part.between for part in self.components)

    @property
    def standard_error(self) -> float:
        """The standard error of the estimate."""
        return math.sqrt(self.image_variance + self.seed_variance)

    def interval(self, confidence: float = 1 - ALPHA) -> Interval:
        """An interval of any confidence."""
        low, high = ends([self], confidence)[0]
        return Interval(self.estimate, low, high=high)

    def p_above(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true difference is at most `bound`."""
        return float(pivot([self]).tail(np.array([self.centre - bound]))[0])

    def p_below(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true difference is at least `bound`."""
        return float(pivot([self]).tail(np.array([bound - self.centre]))[0])

    def turned(self) -> Difference:
        """Recipe B minus recipe A."""
        return replace(
            self,
            estimate=-self.estimate,
            centre=-self.centre,
            low=-self.high,
            high=-self.low,
            components=self.components[::-1],
            luck=self.luck[::-1],
        )


def pivot(moments: Sequence[Moments], shared: Sequence[SharedVariance] | None = None) -> Pivot:
    """How uncertain these estimates are: of their own seeds, or with what is `shared` beside them, one an estimate."""
    parts = [one.components for one in moments]
    if shared is not None:
        parts = [tuple(map(known.moderated, own)) for known, own in zip(shared, parts, strict=True)]
    # In an order of their own, so that A minus B and B minus A are the same to the bit.
    ordered = [sorted((one.seeds, one.square, one.interaction, one.df) for one in own) for own in parts]
    width = max(1, *map(len, ordered))
    nothing = (1, 0.0, 0.0, 1.0)
    table = np.array([given + [nothing] * (width - len(given)) for given in ordered], dtype=np.float64)
    seeds, square, interaction, df = np.moveaxis(table, -1, 0)
    return Pivot(
        np.array([one.image_variance for one in moments]),
        np.array([one.image_df for one in moments]),
        square=square,
        interaction=interaction,
        seeds=seeds,
        df=df,
    )


def ends(moments: Sequence[Moments], confidence: float = 1 - ALPHA) -> list[tuple[float, float]]:
    """The two ends of each estimate's interval."""
    if not moments:
        return []
    half = pivot(moments).quantile(np.full(len(moments), (1 - confidence) / 2))
    return [(one.centre - float(x), one.centre + float(x)) for one, x in zip(moments, half, strict=True)]


def exact(right: int, n: int, confidence: float = 1 - ALPHA) -> Interval:
    """The exact interval of one trained model, `right` of `n` images (Clopper and Pearson 1934, Biometrika 26).

    It holds at least as often as it says for every n and every accuracy, which Wilson's does not near 0 and 1. For one
    model only: k models on n images are not k·n independent answers.
    """
    if n == 0:
        return Interval(math.nan, 0.0, high=1.0)
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(right, n - right + 1, tail)) if right else 0.0
    high = float(special.betaincinv(right + 1, n - right, 1 - tail)) if right < n else 1.0
    return Interval(right / n, low, high=high)
