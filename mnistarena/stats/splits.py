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
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.stats.clusters import pseudo_values, typical_size
from mnistarena.stats.crossed import Contributions, interval_of
from mnistarena.stats.intervals import ALPHA, Difference, Interval, Moments, ends
from mnistarena.stats.variance import VarianceComponent

Values = NDArray[np.float64]
_MOST_DF = 9


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

    def component(self, values: Values, image_variance: float) -> VarianceComponent:
        """What the splits contribute to the variance of the mean of `values` `(n,)`, beyond that of the images."""
        _, at = np.unique(self.split, return_inverse=True)
        means = np.bincount(at, values) / np.bincount(at)
        count = 1 / (1 / len(means) + self.ratio)
        return VarianceComponent(
            count, float(means.var(ddof=1)), interaction=image_variance * count, df=float(min(len(means) - 1, _MOST_DF))
        )

    @property
    def images(self) -> int:
        """How many images are tested in any split."""
        return len(np.unique(self.image))

    def moments(self, values: Values, pseudo: Sequence[float]) -> Moments:
        """What is known of the mean of `values` `(n,)`, with images of such values added, whose sum decides the centre.

        An image, or a group of them, that has more columns than others deviates from the mean the more.
        """
        estimate, images, n = float(values.mean()), self.images, self.images + len(pseudo)
        centre = (estimate * images + sum(pseudo)) / n
        _, at = np.unique(self.image if self.groups is None else self.groups, return_inverse=True)
        sums = np.bincount(at, values - estimate) * (images / len(values))
        units = len(sums)
        spread = float((sums**2).sum()) * units / max(units - 1, 1) + sum((value - centre) ** 2 for value in pseudo)
        variance = spread / n**2
        return Moments(
            estimate,
            centre,
            image_variance=variance,
            images=units + len(pseudo),
            components=(self.component(values, variance),),
        )


def mean_moments(given: Contributions, layout: Layout, *, share: bool = True) -> Moments:
    """What is known of one recipe's figure from contributions `(k, n)`. Pseudo-images as in `Crossed.mean_moments`."""
    values = given.mean(axis=0, dtype=np.float64)
    low, high = pseudo_values(given, float(values.mean()), share=share)
    return layout.moments(values, (high, high, low, low))


def mean(given: Contributions, layout: Layout, confidence: float = 1 - ALPHA, *, share: bool = True) -> Interval:
    """Interval of one recipe's figure over training samples, seeds and images, cut as in `Crossed.mean`."""
    return interval_of(mean_moments(given, layout, share=share), given, confidence, share=share)


def difference_moments(a: Contributions, b: Contributions, layout: Layout) -> Moments:
    """What is known of recipe A `(k_a, n)` minus B `(k_b, n)`. Pseudo-images as in `Crossed.difference_moments`."""
    values = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    size = typical_size(np.concatenate([a.ravel(), b.ravel()])) or 1.0
    apart = typical_size(values, size)
    size = max(apart, size / 2) if apart else size
    return layout.moments(values, (size, -size))


def differences(asked: Sequence[tuple[Contributions, Contributions]], layout: Layout) -> list[Difference]:
    """Many differences at once: the first recipe against the second of each."""
    moments = [difference_moments(a, b, layout) for a, b in asked]
    return [
        Difference(
            one.estimate,
            one.centre,
            image_variance=one.image_variance,
            images=one.images,
            components=one.components,
            low=low,
            high=high,
            splits=layout.splits,
        )
        for one, (low, high) in zip(moments, ends(moments), strict=True)
    ]
