"""Recipes and their seeds on the same test images: means, differences, and two trained models against each other.

A recipe's evidence is a matrix `(k, n)`, k seeds by n test images, the same images in the same order for every recipe
that is compared: for accuracy bool, right or wrong; for any other figure float64, each image's contribution to it. Pure
functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena.stats.clusters import Clusters, typical_size
from mnistarena.stats.intervals import ALPHA, Difference, Interval, Moments, ends
from mnistarena.stats.ranks import signs_p
from mnistarena.stats.variance import SharedVariance, VarianceComponent, shared_variance

Correct = NDArray[np.bool_]
Contributions = NDArray[np.bool_] | NDArray[np.float64]


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
    """Recipes on the same test images, seeds crossed with images.

    `recipes` are bool, or float64 of any size, `(k_m, n)`: what each seed gets on each image, so that the row means are
    the seeds' figures. `deterministic` says of which one seed is enough. `groups`, `(n,)`, says which images belong
    together: these are drawn together, and the images' part of every variance is then that over groups. `share` says
    that the figure lies from 0 to 1, `span` how much an image may contribute where none of these shows it: 1 of an
    accuracy, more where few images of a class say all of it. Of bools without groups every sum is a whole number and
    exact, so that neither the order of images nor that of seeds changes a bit. Raises ValueError where the recipes have
    another number of images.
    """

    def __init__(
        self,
        recipes: Sequence[Contributions],
        deterministic: Sequence[bool] | None = None,
        *,
        groups: NDArray[np.integer[Any]] | None = None,
        share: bool = True,
        span: float = 1.0,
    ) -> None:
        if len({given.shape[1] for given in recipes} | ({len(groups)} if groups is not None else set())) != 1:
            raise ValueError("recipes are compared on the same test images, and groups are theirs")
        self.recipes, self.groups, self.share, self.span = recipes, groups, share, span
        self.n = int(recipes[0].shape[1])
        self.seeds = [len(given) for given in recipes]
        self.deterministic = list(deterministic or [False] * len(recipes))
        self._whole = groups is None and all(given.dtype == np.bool_ for given in recipes)
        self._totals = [self._exact(given.sum(axis=1, dtype=np.float64)) for given in recipes]
        self._clusters = Clusters(self.n, groups)
        # Σ over the seeds at each image, (recipes, n); products of whole numbers are exact in float64, below 2⁵³.
        self._images = np.array([given.sum(axis=0, dtype=np.float64) for given in recipes])
        self._products = self._exact(self._images @ self._images.T)

    def _exact(self, sums: NDArray[np.float64]) -> list:  # type: ignore[type-arg]
        return (np.rint(sums).astype(np.int64) if self._whole else sums).tolist()

    def figures(self, m: int) -> NDArray[np.float64]:
        """The figures of recipe m's seeds, `(k,)`."""
        return np.array(self._totals[m], dtype=np.float64) / self.n

    def component(self, m: int) -> VarianceComponent | None:
        """What recipe m's seeds contribute; None with one seed, unless it is deterministic."""
        k, n, sums = self.seeds[m], self.n, self._totals[m]
        if k < 2:
            return VarianceComponent(k) if self.deterministic[m] else None
        if not self._whole:
            return self._clusters.component(self.recipes[m])
        total = sum(sums)
        # Quotients of whole numbers: s² and MSI/n are the same float wherever they are equal.
        seeds = k * sum(value * value for value in sums) - total * total
        residual = n * max(0, k * total - self._products[m][m]) - seeds
        scale = k * (k - 1) * n * n
        return VarianceComponent(
            k,
            max(0, seeds) / scale,
            interaction=max(0, residual) / (scale * max(n - 1, 1)),
            df=k - 1,
        )

    @cached_property
    def components(self) -> list[VarianceComponent | None]:
        """The component of each recipe."""
        return [self.component(m) for m in range(len(self.seeds))]

    @cached_property
    def shared(self) -> SharedVariance:
        """What all these recipes say of any one's seeds."""
        return shared_variance([part for part in self.components if part is not None])

    def mean(self, m: int, confidence: float = 1 - ALPHA) -> Interval | None:
        """Interval of recipe m's figure over seeds and images; None with one seed that is not all there is.

        It is cut at 0 and 1 where the figure is a share, and at 0 where no image contributes less.
        """
        moments = self.mean_moments(m)
        return None if moments is None else interval_of(moments, self.recipes[m], confidence, share=self.share)

    def mean_moments(self, m: int) -> Moments | None:
        """What the interval of recipe m's figure is made of.

        Two images with a low value and two with a high one are added, of an accuracy two that no seed gets right and
        two that all do (Agresti & Coull 1998, Am. Stat. 52), so that an accuracy of 1 is not certain.
        """
        part, k, n = self.components[m], self.seeds[m], self.n + 4
        if part is None:
            return None
        if not self._whole:
            return self._clusters.mean(self.recipes[m], part, share=self.share, span=self.span)
        total = sum(self._totals[m])
        centre = (total / k + 2) / n
        spread = max(0.0, self._products[m][m] / k**2 + 2 - n * centre**2)
        variance = spread / (n - 1) / n
        return Moments(total / (k * self.n), centre, image_variance=variance, images=n, components=(part,))

    def difference_moments(self, a: int, b: int) -> Moments | None:
        """What is known of recipe a minus recipe b; None where one that depends on its seed has only one.

        d̄_i is the difference of the seed means at image i. Two images are added on which the recipes differ by as much
        one way and the other: of single models one that only a gets right and one that only b does (Bonett & Price
        2012, J. Educ. Behav. Stat. 37), else of the size Σd̄²/Σ|d̄|, and Σ|d̄|³/Σd̄² of a figure that is no mean of yes
        and no. Where no image tells the two apart, it is the size of what they get at all, Σc²/Σ|c|, as if one had got
        nothing there: 1 for an accuracy. It is at least half of that: the means of many seeds differ by little where
        they do, and few such images say as little as others.
        """
        first, second = self.components[a], self.components[b]
        if first is None or second is None:
            return None
        i, j, n, product = self.seeds[a], self.seeds[b], self.n + 2, self._products
        apart = j * self._images[a] - i * self._images[b]
        if not self._whole:
            mine, theirs = self.recipes[a], self.recipes[b]
            size = size_of(mine, theirs, share=self.share, span=self.span)
            return self._clusters.difference(apart / (i * j), (first, second), size=size, power=power_of(mine, theirs))
        # All of d̄ is counted in units of 1/(k_a k_b).
        unit = i * j
        total = j * sum(self._totals[a]) - i * sum(self._totals[b])
        squares = max(0, j * j * product[a][a] + i * i * product[b][b] - 2 * unit * product[a][b])
        sizes = float(np.abs(apart).sum())
        size = max(squares / sizes, unit / 2) if sizes > 0 else unit
        spread = max(0.0, squares + 2 * size**2 - total * total / n)
        variance = spread / (n - 1) / n / unit**2
        return Moments(
            total / (unit * self.n),
            total / (unit * n),
            image_variance=variance,
            images=n,
            components=(first, second),
        )

    def difference(self, a: int, b: int) -> Difference | None:
        """Recipe a against recipe b; None where one that depends on its seed has only one."""
        return differences([(self, a, b)])[0]

    def superiority(self, a: int, b: int) -> float:
        """P(A > B): how often a seed of a has more than one of b, ties half; Mann & Whitney's U/(k_a k_b)."""
        first, second = self.figures(a)[:, None], self.figures(b)[None, :]
        return float(((first > second) + 0.5 * (first == second)).mean())


def size_of(a: Contributions, b: Contributions, *, share: bool, span: float) -> float:
    """How large what the two recipes get on an image is, where it is not 0; `span` where that says more."""
    found = typical_size(np.concatenate([a.ravel(), b.ravel()]))
    return max(found, span) if share else found or span


def power_of(a: Contributions, b: Contributions) -> int:
    """How much rare large differences of two recipes count, see `Clusters.difference`: 1 where both say yes or no."""
    return 1 if _is_yes_or_no(a) and _is_yes_or_no(b) else 2


def interval_of(moments: Moments, given: Contributions, confidence: float, *, share: bool) -> Interval:
    """The interval of the mean of contributions `(k, n)`, cut where no figure can be."""
    low, high = ends([moments], confidence)[0]
    least = 0.0 if share or given.min() >= 0 else -math.inf
    return Interval(moments.estimate, max(least, low), high=min(1.0 if share else math.inf, high))


def _is_yes_or_no(given: Contributions) -> bool:
    return given.dtype == np.bool_ or bool(((given == 0) | (given == given.max())).all())


def differences(asked: Iterable[tuple[Crossed, int, int]]) -> list[Difference | None]:
    """Many differences at once, which is much faster than one by one: recipe a against recipe b of each `Crossed`.

    SE² = Var_i(d̄_i)/n + Σ_m max(0, s²_m − MSI_m/n)/k_m; the interval is that of `mnistarena.stats.pivotal`.
    """
    known = [(crossed, crossed.difference_moments(a, b)) for crossed, a, b in asked]
    moments = [found for _, found in known if found is not None]
    found = iter(ends(moments))
    return [
        None if one is None else Difference.between(one, *next(found), shared=crossed.shared) for crossed, one in known
    ]


def mcnemar(a: Correct, b: Correct, groups: NDArray[np.integer[Any]] | None = None) -> McNemar:
    """McNemar's exact test of one trained model against another (Dietterich 1998); `a` and `b` are `(n,)`.

    Under no difference, each image that one alone gets right is as likely the other's. With groups whole groups are:
    the exact distribution of Σ ±D_g, D_g how many more images of group g the one gets right than the other.
    """
    first, second = int((a & ~b).sum()), int((b & ~a).sum())
    if groups is None:
        p = min(1.0, 2 * float(special.bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0
    else:
        p = signs_p(np.rint(Clusters(len(a), groups).sums(a.astype(np.float64) - b)).astype(np.int64))
    return McNemar(first, second, n=int(a.size), p=p)
