"""What would decide it: how many seeds, or test images, an undecided pair would need.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena.stats.intervals import ALPHA, Difference, pivot
from mnistarena.stats.verdicts import MARGIN

POWER = 0.8
"""How likely a benchmark of the size that `need` names decides, if the truth is what was estimated."""
MOST_SEEDS = 50_000
_LEAST = 1e-20
"""A variance that is not 0."""
_CHANCES = (np.arange(5) + 0.5) / 5
"""Where the s² of a repeated benchmark may lie: the middles of five equally likely ranges."""


@dataclass(frozen=True)
class Need:
    """What would decide an undecided pair, if the truth is what was estimated.

    `goal`: to show a difference, or practical equality. `seeds` of each recipe that has seeds, on these test images;
    None where no number is enough, or where neither recipe depends on its seed (`seeded` is False). Then `images` is
    about how many test images would be, with as many seeds as one likes; None where the estimate lies on the margin.
    Of a pair on several splits (`pooled`) it is about how many images in all, for training and testing.
    """

    goal: Literal["difference", "equality"]
    seeds: int | None
    _: KW_ONLY
    images: int | None = None
    seeded: bool = True
    pooled: bool = False


def need(pair: Difference, *, family: int = 1, margin: float = MARGIN, alpha: float = ALPHA) -> Need:
    """How many seeds of each recipe, or test images, would decide a pair with probability `POWER`.

    A difference, or each side of equality, is tested at α/2 by the pair's own seeds and, with the variances that the
    family shares, at α/2 over its size, Holm's strictest step; for a difference the estimate must be beyond the margin
    besides.
    """
    apart = abs(pair.estimate) > margin
    goal: Literal["difference", "equality"] = "difference" if apart else "equality"
    design = _Design(pair, margin, level=alpha / 2, family=max(family, 1))
    if pair.splits > 1:
        return Need(goal, None, images=design.images(), seeded=False, pooled=True)
    present = max((int(part.seeds) for part in pair.components if part.df), default=0)
    if not present:
        return Need(goal, None, images=design.images(), seeded=False)
    few = many = most = present + 1
    while most < MOST_SEEDS:
        most *= 2
    if design.power(most) < POWER:
        return Need(goal, None, images=design.images())
    while design.power(many) < POWER:
        few, many = many, 2 * many
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if design.power(middle) >= POWER else (middle + 1, many)
    return Need(goal, many)


def chances(
    pairs: Sequence[Difference], seeds: int, *, margin: float = MARGIN, alpha: float = ALPHA
) -> NDArray[np.float64]:
    """How likely each pair of a family is decided when its recipes have so many seeds, those of now among them.

    The predictive probability (Spiegelhalter, Freedman & Blackburn 1986, Control. Clin. Trials 7): the estimate will
    be about the present one, with the variance that further seeds take away. So it is small where most of the
    uncertainty is that of the test images, which stay. The seeds' true variance is averaged over what their few
    accuracies leave possible.
    """
    if not pairs:
        return np.zeros(0)
    later = [one for pair in pairs for one in _with_seeds(pair, seeds)]
    now = [one for pair in pairs for one in _with_seeds(pair, None)]
    spread = np.sqrt(
        np.maximum([a.standard_error**2 - b.standard_error**2 for a, b in zip(now, later, strict=True)], _LEAST)
    )
    own, shared = pivot(later), pivot(later, [one.shared for one in later])

    def reach(level: float) -> NDArray[np.float64]:
        levels = np.full(len(later), level)
        return np.maximum(own.quantile(levels), shared.quantile(levels / len(pairs)))

    estimate = np.array([one.estimate for one in later])
    beyond = np.maximum(reach(alpha / 2), margin)
    within = np.maximum(margin - reach(alpha / 2), 0.0)
    apart = special.ndtr((estimate - beyond) / spread) + special.ndtr((-beyond - estimate) / spread)
    alike = special.ndtr((within - estimate) / spread) - special.ndtr((-within - estimate) / spread)
    found: NDArray[np.float64] = (apart + alike).reshape(len(pairs), -1).mean(axis=1)
    return found


def _with_seeds(pair: Difference, seeds: int | None) -> list[Difference]:
    """A pair with so many seeds, None: as many as it has, for each true variance of its seeds that may be."""
    df = max((part.df for part in pair.components), default=0.0)
    factors = df / (2 * special.gammaincinv(df / 2, _CHANCES)) if df else np.ones(len(_CHANCES))
    if pair.splits > 1:
        # The luck of the splits stays, and that of seeds is what it was on fewer of them.
        gone = sum(part.square * (1 / part.seeds - 1 / max(part.seeds, seeds or 0)) for part in pair.luck)
        parts = [replace(part, square=max(0.0, part.square - gone)) for part in pair.components]
        images = pair.image_variance
    else:
        parts = [replace(part, seeds=seeds, df=seeds - 1) if part.df and seeds else part for part in pair.components]
        lasting = _Design(pair, 0.0, level=1.0, family=1).lasting
        images = max(lasting + sum(part.interaction / part.seeds for part in parts), _LEAST)
    return [
        replace(
            pair,
            image_variance=images,
            components=tuple(replace(part, square=factor * part.square) for part in parts),
        )
        for factor in factors
    ]


@dataclass(frozen=True)
class _Design:
    """A pair as if it were measured anew, the truth being what was estimated; `level` is that of a one-sided test."""

    pair: Difference
    margin: float
    _: KW_ONLY
    level: float
    family: int

    @property
    def lasting(self) -> float:
        """What of the images' part no number of seeds takes away; with several splits more images shrink all of it."""
        if self.pair.splits > 1:
            return self.pair.standard_error**2
        seeds = sum(part.interaction / part.seeds for part in self.pair.components)
        return max(0.0, self.pair.image_variance - seeds)

    def power(self, seeds: int) -> float:
        """The probability of a verdict with so many seeds of each recipe that has any."""
        again = [replace(part, seeds=seeds, df=seeds - 1) if part.df else part for part in self.pair.components]
        images = max(self.lasting + sum(part.interaction / seeds for part in again), _LEAST)
        true = [max(part.square, part.interaction) for part in again]
        squares = sum(value**2 for value in true)
        df = (seeds - 1) * (sum(true) ** 2 / squares if squares else 1.0)  # seeds that do not differ at all
        moments = [
            replace(
                self.pair,
                image_variance=images,
                components=tuple(replace(part, square=factor * value) for part, value in zip(again, true, strict=True)),
            )
            for factor in 2 * special.gammaincinv(df / 2, _CHANCES) / df
        ]
        shared = pivot(moments, [self.pair.shared] * len(moments))
        reach = shared.quantile(np.full(len(moments), self.level / self.family))
        if self.pair.shared.df:  # else the variances are the pair's own in both, at a level that is no stricter
            reach = np.maximum(reach, pivot(moments).quantile(np.full(len(moments), self.level)))
        drawn = self.pair.groups or self.pair.images - 2
        reach *= (drawn + 2) / drawn  # an interval's middle is nearer to 0 than the estimate
        error = math.sqrt(images + sum(part.between for part in again))
        distance = abs(self.pair.estimate)
        if distance > self.margin:
            chance = special.ndtr((distance - np.maximum(reach, self.margin)) / error)
        else:
            room = np.maximum(self.margin - reach, 0.0)
            chance = special.ndtr((room - distance) / error) - special.ndtr((-room - distance) / error)
        return float(chance.mean())

    @property
    def reach(self) -> float:
        """How many standard errors from 0 the strictest test is passed, with any number of seeds.

        With several splits all parts shrink alike, and the degrees of freedom of the splits stay.
        """
        if self.pair.splits == 1:
            return -float(special.ndtri(self.level / self.family))
        own = pivot([self.pair]).quantile(np.array([self.level]))
        shared = pivot([self.pair], [self.pair.shared]).quantile(np.array([self.level / self.family]))
        return float(max(own[0], shared[0])) / self.pair.standard_error

    def images(self) -> int | None:
        """About how many test images would be enough with any number of seeds; None where none would."""
        distance, beyond = abs(self.pair.estimate), abs(abs(self.pair.estimate) - self.margin)
        test = self.reach
        if distance > self.margin:
            chance = float(special.ndtri(POWER))
            error = min(distance / (test + chance), beyond / chance)
        else:  # both sides must be shown, so each may fail half as often
            error = beyond / (test + float(special.ndtri((1 + POWER) / 2)))
        return math.ceil(self.lasting * self.pair.images / error**2) if error > 0 and self.lasting > 0 else None
