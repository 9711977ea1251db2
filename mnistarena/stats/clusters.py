"""The images' part of variances for figures of any kind, each image by itself or in groups that are drawn together.

T_g is the sum of the contributions in group g of n_g images, and the figure θ = Σ T_g/n. Its linearised residuals are
T_g − θ n_g, and G/(G − 1) Σ (T_g − θ n_g)²/n² over G groups is its variance: that of a ratio of two means (Cochran
1977, Sampling Techniques, chapter 6), and of a cluster-robust standard error. Each image by itself is a group of one.
Pure functions: numpy only, no files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.stats.intervals import Moments
from mnistarena.stats.variance import VarianceComponent

Floats = NDArray[np.float64]


_ROUNDING = 1e-12
"""What is smaller than this beside the contributions themselves is 0 but for the rounding of sums."""


def typical_size(values: NDArray[Any], beside: float = 0.0, power: int = 1) -> float:
    """Σ|v|^(p+1)/Σ|v|^p: how large values are where they are not 0, the largest counting more with a higher `power` p.

    0 where all are 0, but for the rounding of such `beside`.
    """
    sizes = np.abs(values.astype(np.float64)).ravel()
    if not sizes.max() > _ROUNDING * beside:
        return 0.0
    weights = sizes**power
    return float(sizes @ weights / weights.sum())


class Clusters:
    """`n` images in their `groups` `(n,)`; None: each by itself."""

    def __init__(self, n: int, groups: NDArray[np.integer[Any]] | None = None) -> None:
        self.n = n
        self._at = None if groups is None else np.unique(groups, return_inverse=True)[1].ravel()
        self.sizes = np.ones(n) if self._at is None else np.bincount(self._at).astype(np.float64)
        self.count = len(self.sizes)
        self.groups = None if self._at is None else self.count

    def sums(self, values: Floats) -> Floats:
        """The sum over each group of values `(…, n)`, `(…, groups)`."""
        if self._at is None:
            return values
        if values.ndim == 1:
            return np.bincount(self._at, weights=values, minlength=self.count).astype(np.float64)
        return np.array([self.sums(row) for row in values])

    def component(self, given: NDArray[Any]) -> VarianceComponent:
        """What the seeds of contributions `(k, n)` add, k at least 2."""
        k = len(given)
        figures = given.mean(axis=1)
        residuals = self.sums(given - figures[:, None])
        own = residuals - residuals.mean(axis=0)
        scale = self._correction(self.count) / (k - 1) / self.n**2
        return VarianceComponent(k, float(figures.var(ddof=1)), interaction=scale * float((own**2).sum()), df=k - 1)

    def mean(self, given: NDArray[Any], part: VarianceComponent, *, share: bool, span: float) -> Moments:
        """The mean over seeds of contributions `(k, n)`, with two images of a low value and two of a high one more.

        One value is the figure's end, the other is as far from it as contributions are where they are not at the end:
        of right and wrong answers 0 and 1. A share has two ends and the nearer counts; a figure without an end has
        θ ± δ, δ the size of deviations from θ. Each stands for as many images of a group as are one independent one.
        """
        theta = float(given.mean(axis=1).mean())
        low, high = pseudo_values(given, theta, share=share, span=span)
        deviations = given.mean(axis=0) - theta
        residuals = self.sums(deviations)
        weight = self._images_in_one(residuals, deviations, high - low)
        n, count = self.n + 4 * weight, self.count + 4
        centre = (self.n * theta + 2 * weight * (low + high)) / n
        squares = float(((residuals + (theta - centre) * self.sizes) ** 2).sum())
        squares += 2 * weight**2 * ((high - centre) ** 2 + (low - centre) ** 2)
        variance = self._correction(count) * squares / n**2
        return Moments(theta, centre, image_variance=variance, images=round(n), components=(part,), groups=self.groups)

    def difference(
        self, apart: Floats, parts: tuple[VarianceComponent, VarianceComponent], *, size: float, power: int
    ) -> Moments:
        """Differences of two recipes `(n,)`, means over their seeds, with a group more each way.

        A group is added by which the recipes differ one way, and one the other way, both of the mean size, and of half
        of `size` at least. `size` is that of an image's difference where all are 0. With a higher `power` rare large
        differences count more.
        """
        sums, images = self.sums(apart), self.n / self.count
        found = typical_size(sums, size, power)
        more = max(found, size / 2) if found else size * images
        n, count = self.n + 2 * images, self.count + 2
        total = float(sums.sum())
        centre = total / n
        squares = float(((sums - centre * self.sizes) ** 2).sum()) + 2 * (more**2 + (centre * images) ** 2)
        variance = self._correction(count) * squares / n**2
        return Moments(
            total / self.n, centre, image_variance=variance, images=round(n), components=parts, groups=self.groups
        )

    def _images_in_one(self, residuals: Floats, deviations: Floats, span: float) -> float:
        """How many images of a group tell as much as one by itself: the design effect, from 1 to that of equal images.

        As if there were one group more whose images all deviate alike, so that it stays large where few images do.
        """
        images = float(self.sizes @ self.sizes) / self.n
        squares = float(residuals @ residuals) + (span * images) ** 2
        effect = squares / (float(deviations @ deviations) + span**2 * images)
        return min(max(effect, 1.0), images)

    @staticmethod
    def _correction(count: int) -> float:
        return count / max(count - 1, 1)


def pseudo_values(given: NDArray[Any], theta: float, *, share: bool, span: float = 1.0) -> tuple[float, float]:
    """What the images contribute that are added to contributions `(k, n)` of mean θ: a low value and a high one."""
    # Of the second power, since rare large contributions make a mean skewed.
    if share and theta > 0.5:
        return 1 - (typical_size(1 - given, 1.0, 2) or span), 1.0
    if share or given.min() >= 0:
        return 0.0, typical_size(given, power=2) or span
    half = typical_size(given - given.mean(axis=1, keepdims=True), typical_size(given), 2) or span
    return theta - half, theta + half
