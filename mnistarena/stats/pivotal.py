"""The distribution of an estimate whose variance is known from few seeds: a generalised pivotal quantity.

The variance of a mean over k seeds and n images is V = I + Σ_m max(0, σ²_m − ι_m)/k_m: I of the images, σ²_m of the
seeds' accuracies, ι_m what these vary by for being judged on finitely many images, which I counts already. σ²_m is
known as s²_m only, and s²_m ν_m/σ²_m has the χ² distribution on ν_m degrees of freedom. So V is as uncertain as

    V(χ²) = I + Σ_m max(0, s²_m ν_m/χ²_m − ι_m)/k_m

and a one-sided p is the mean of a normal tail over it (Tsui & Weerahandi 1989, JASA 84; Weerahandi 1993, JASA 88).
In place of the normal tail stands Student's, I being on n − 1 degrees of freedom. With many seeds it is a t test.

With two recipes of similar σ²/k that is wider than it need be, as this answer to Behrens and Fisher's problem is known
to be: 97 to 99 % of its 95 % intervals hold the truth. So the values drawn are weighted by ((Σ_m v_m)²/Σ_m v_m²)^e,
v_m = σ²_m/k_m and e = 1.25 min ν/max ν: by 1 where one recipe has all the uncertainty and the mean above is right, by
2.4 where two of as many seeds have as much each. That is a prior for how alike they are, found by simulation, as is
that it must be weaker where the numbers of seeds differ; `benchmarks/VERDICTS.md` says what it covers.

All arrays have one entry an estimate, `(p,)`, or one an estimate and recipe, `(p, recipes)`. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

_STEP, _FIRST, _LAST = 1.1, -17.0, 9.0
"""Nodes of the mean over χ²: even steps of the log odds of its lower tail. The integrand is smooth on that scale, and
the trapezoid rule errs by about a hundredth of p at most, down to p = 10⁻⁶."""
_EVENNESS = 1.25
"""How much values drawn count for where two recipes have as much of the uncertainty."""
_BLOCK = 200
"""So many estimates are worked on at a time: it bounds the memory."""
_TURNS = 60


def _nodes() -> tuple[Floats, Floats]:
    """Lower tail probabilities of χ², and their weights."""
    lower = special.expit(np.arange(_FIRST, _LAST, _STEP))
    weights = lower * (1 - lower)
    return lower, weights / weights.sum()


_LOWER, _WEIGHTS = _nodes()


class Pivot:
    """Estimates with the uncertainty of their variances.

    `images` I and its degrees of freedom `image_df`, both `(p,)`; `square` s²_m, `interaction` ι_m, `seeds` k_m and
    `df` ν_m, `(p, recipes)`. A recipe without a seed part has square 0. `images` is above 0.
    """

    def __init__(
        self, images: Floats, image_df: Floats, *, square: Floats, interaction: Floats, seeds: Floats, df: Floats
    ) -> None:
        self.images, self.image_df = images, image_df
        bounded = np.maximum(df, 1.0)
        known, at = np.unique(bounded, return_inverse=True)
        quantiles = 2 * special.gammaincinv(known[:, None] / 2, _LOWER)
        factors = (known[:, None] / quantiles)[at.reshape(df.shape)]
        self._evenness = _EVENNESS * bounded.min(axis=1) / bounded.max(axis=1)
        self._drawn = square[..., None] * factors / seeds[..., None]
        self._parts = np.maximum(0.0, self._drawn - (interaction / seeds)[..., None])

    def tail(self, distance: Floats) -> Floats:
        """P of an estimate that is `distance` `(…, p)` or more above the truth; a distance may be negative."""
        found = np.empty(distance.shape)
        for rows, deviation, df, weights in self._blocks():
            scale = _scale(df)
            for at in np.ndindex(distance.shape[:-1]):
                one = (*at, rows)
                t = distance[one][:, None] / deviation
                found[one] = _mean(special.ndtr(-_normal(t, df, scale=scale, odds=t * t / df)), weights)
        return found

    def quantile(self, p: Floats) -> Floats:
        """The distance whose tail is `p` `(p,)`, below one half: Newton's method on the logarithms of both."""
        found = np.empty(len(self.images))
        for rows, deviation, df, weights in self._blocks():
            goal = np.log(p[rows])
            x = -special.ndtri(p[rows]) * _mean(deviation, weights)
            moving = np.ones(len(x), np.bool_)
            scale = _scale(df)
            squared = scale**2
            for _ in range(_TURNS):
                t = x[:, None] / deviation
                odds = t * t / df
                z = _normal(t, df, scale=scale, odds=odds)
                tail = _mean(special.ndtr(-z), weights)
                # dz/dt of `_normal`; the step is that of log p against log x.
                slope = squared * t / ((1 + odds) * z) / deviation
                density = _mean(np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * slope, weights)
                step = (np.log(tail) - goal) * tail / (density * x)
                x = np.where(moving, x * np.exp(np.clip(step, -1.5, 1.5)), x)
                moving &= np.abs(step) > 1e-9
                if not moving.any():
                    break
            found[rows] = x
        return found

    def _blocks(self) -> Iterator[tuple[slice, Floats, Floats, Floats]]:
        """Some rows; of each row and node the standard error and Student's degrees of freedom; the nodes' weights."""
        nodes = _WEIGHTS
        for _ in range(self._parts.shape[1] - 1):
            nodes = np.outer(nodes, _WEIGHTS).ravel()
        for start in range(0, len(self.images), _BLOCK):
            rows = slice(start, start + _BLOCK)
            total, squares = _sums(self._drawn[rows]), _sums(self._drawn[rows] ** 2)
            even = np.divide(total**2, squares, out=np.ones_like(total), where=squares > 0)
            weights = nodes * even ** self._evenness[rows, None]
            weights /= weights.sum(axis=1, keepdims=True)
            variance = self.images[rows, None] + _sums(self._parts[rows])
            # Satterthwaite's, where only the images' part is uncertain.
            df = self.image_df[rows, None] * (variance / self.images[rows, None]) ** 2
            yield rows, np.sqrt(variance), df, weights


def _sums(drawn: Floats) -> Floats:
    """`(p, recipes, nodes)` to `(p, nodes ** recipes)`: the sum over recipes for every combination of their nodes."""
    found = drawn[:, 0]
    for m in range(1, drawn.shape[1]):
        found = (found[:, :, None] + drawn[:, m][:, None, :]).reshape(len(found), -1)
    return found


def _mean(values: Floats, weights: Floats) -> Floats:
    """The mean over the nodes; unlike a matrix product, the same bits whatever estimates are worked on together."""
    found: Floats = (values * weights).sum(axis=1)
    return found


def _scale(df: Floats) -> Floats:
    found: Floats = (8 * df + 1) / (8 * df + 3)
    return found


def _normal(t: Floats, df: Floats, *, scale: Floats, odds: Floats) -> Floats:
    """The normal deviate with the tail of Student's t, to about a thousandth (Wallace 1959, Ann. Math. Stat. 30).

    `scale` is `_scale(df)`, `odds` t²/df.
    """
    found: Floats = np.copysign(scale * np.sqrt(df * np.log1p(odds)), t)
    return found
