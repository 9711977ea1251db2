"""Recipes that were trained and tested on several splits of the same images: the luck of the split is counted, too.

What is estimated is a figure of a recipe over training samples, seeds and test images like these. The splits share
images, so that the variance of their mean is more than the J-th part of the variance s² between them. Nadeau & Bengio
(2003, Machine Learning 52) take s² (1/J + n_test/n_train) on J − 1 degrees of freedom. Few splits say little of s², and
the images bound the variance from below:

    V(χ²) = max(I, (1/J + n_test/n_train) s² ν/χ²),   ν = min(J − 1, 9)

I is the variance over all tested images, as on one split. In each split a seed gives other random numbers, so that s²
holds the luck of seeds as well. As with seeds, a p value is a mean over χ² (`mnistarena.stats.pivotal`). Without the
term n_test/n_train intervals of unstable learners over many splits are too narrow, without s² all are; and more than
ten splits of the same images tell little more of s² than ten: benchmarks/splits.py.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.stats.clusters import Clusters
from mnistarena.stats.crossed import Contributions, interval_of, power_of, size_of
from mnistarena.stats.intervals import ALPHA, Difference, Interval, Moments, ends
from mnistarena.stats.variance import VarianceComponent

Values = NDArray[np.float64]
_MOST_DF = 9
_NOTHING = VarianceComponent(1)


@dataclass(frozen=True)
class Layout:
    """What the columns of contributions `(k, n)` are of: an image, tested in one of the splits.

    `split` `(n,)` is its number, and `image` `(n,)` its image; `groups` `(n,)` says which images belong together.
    `ratio` is the number of test images over that of all others.
    """

    split: NDArray[np.int64]
    image: NDArray[np.int64]
    _: KW_ONLY
    ratio: float
    groups: NDArray[np.integer[Any]] | None = None

    @property
    def splits(self) -> int:
        """How many splits there are."""
        return len(np.unique(self.split))

    @property
    def images(self) -> int:
        """How many images the dataset has, for training and testing."""
        return round(len(self.split) / self.splits * (1 + 1 / self.ratio)) if self.ratio else len(self.split)

    @property
    def clusters(self) -> Clusters:
        """The columns that are drawn together: those of a group of images, or else of one image."""
        once = len(np.unique(self.image)) == len(self.image)
        groups = self.image if self.groups is None and not once else self.groups
        return Clusters(len(self.image), groups)

    def component(self, values: Values, image_variance: float) -> VarianceComponent:
        """What the splits contribute to the variance of the mean of `values` `(n,)`, beyond that of the images."""
        means = self.means(values[None])[0]
        count = 1 / (1 / len(means) + self.ratio)
        return VarianceComponent(
            count, float(means.var(ddof=1)), interaction=image_variance * count, df=float(min(len(means) - 1, _MOST_DF))
        )

    def means(self, given: Contributions) -> Values:
        """The figure of each row `(k, n)` in each split, `(k, splits)`."""
        _, at = np.unique(self.split, return_inverse=True)
        return np.array([np.bincount(at, row) for row in given]) / np.bincount(at)

    def luck(self, given: Contributions) -> VarianceComponent:
        """The variance of the figure of a seed within a split, of a recipe's contributions `(k, n)`."""
        k = len(given)
        if k < 2:
            return VarianceComponent(k)
        return VarianceComponent(k, float(self.means(given).var(axis=0, ddof=1).mean()), df=k - 1)

    def with_splits(self, found: Moments, values: Values) -> Moments:
        """What is known of the mean of `values` `(n,)` by the images, with the luck of the splits beside it."""
        images = self.images + found.images - len(values)
        return replace(found, images=images, components=(self.component(values, found.image_variance),))


def mean_moments(given: Contributions, layout: Layout, *, share: bool = True, span: float = 1.0) -> Moments:
    """What is known of one recipe's figure from contributions `(k, n)`. Pseudo-images as in `Clusters.mean`."""
    found = layout.clusters.mean(given, _NOTHING, share=share, span=span)
    return layout.with_splits(found, given.mean(axis=0, dtype=np.float64))


def mean(
    given: Contributions, layout: Layout, confidence: float = 1 - ALPHA, *, share: bool = True, span: float = 1.0
) -> Interval:
    """Interval of one recipe's figure over training samples, seeds and images, cut as in `Crossed.mean`."""
    return interval_of(mean_moments(given, layout, share=share, span=span), given, confidence, share=share)


def difference_moments(
    a: Contributions, b: Contributions, layout: Layout, *, share: bool = True, span: float = 1.0
) -> Moments:
    """What is known of recipe A `(k_a, n)` minus B `(k_b, n)`. Pseudo-images as in `Clusters.difference`."""
    values = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    size = size_of(a, b, share=share, span=span)
    found = layout.clusters.difference(values, (_NOTHING, _NOTHING), size=size, power=power_of(a, b))
    return layout.with_splits(found, values)


def differences(
    asked: Sequence[tuple[Contributions, Contributions]], layout: Layout, *, share: bool = True, span: float = 1.0
) -> list[Difference]:
    """Many differences at once: the first recipe against the second of each. `share` and `span` as in `Crossed`."""
    moments = [difference_moments(a, b, layout, share=share, span=span) for a, b in asked]
    return [
        Difference.between(one, low, high, splits=layout.splits, luck=(layout.luck(a), layout.luck(b)))
        for (a, b), one, (low, high) in zip(asked, moments, ends(moments), strict=True)
    ]
