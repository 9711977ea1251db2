"""What a smaller budget of a search would have found, and what the best of several equal recipes is worth.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

BAND = 0.8
"""The share of all choices of trials whose best value lies in a band."""


@dataclass(frozen=True)
class BestOf:
    """The best value of `trials` of the tried ones, over all choices of so many of them, each trial at most once.

    `expected` is its mean and `low` to `high` hold it in 80 % of the choices, each over those choices that have any
    value: `share` of all.
    """

    trials: int
    expected: float
    _: KW_ONLY
    low: float
    high: float
    share: float


def best_of(values: Sequence[float | None], *, higher_is_better: bool) -> tuple[BestOf, ...]:
    """The best of k of the n tried values, for k = 1 … n; empty where none has a value.

    None stands for a trial that was spent and gave no value: it is never the best. Where all have one, the mean is the
    unbiased estimate of the expected best value of k trials (Dodge et al. 2019, EMNLP, "Show your work", draw with
    replacement, which is biased: Tang et al. 2020, ACL). The last one is the best value itself.
    """
    known = np.sort([value for value in values if value is not None])
    n, without = len(values), len(values) - len(known)
    if not len(known):
        return ()
    if not higher_is_better:
        known = known[::-1]
    # The trials without a value are the worst ones. Of all choices of k, `below[r]` have none above the r worst.
    rank = np.arange(without, n + 1, dtype=np.float64)
    below = np.ones_like(rank)
    found = []
    for k in range(1, n + 1):
        below *= np.maximum(rank - k + 1, 0) / (n - k + 1)
        found.append(_best(known, below, k))
    return tuple(found)


def _best(known: NDArray[np.float64], below: NDArray[np.float64], k: int) -> BestOf:
    """The best of k: `known` from worst to best, `below` the shares of choices that have none above each, 0 first."""
    share = 1 - below[0]
    reached = (below[1:] - below[0]) / share
    tail = (1 - BAND) / 2
    ends = [float(known[np.searchsorted(reached, at - 1e-12)]) for at in (tail, 1 - tail)]
    return BestOf(
        k,
        float(np.diff(reached, prepend=0.0) @ known),
        low=min(ends),
        high=max(ends),
        share=float(share),
    )


def luck_of_best(n: int, standard_error: float) -> float:
    """How far the best of n equal recipes is expected above their true figure, by the luck of each alone.

    `standard_error` is that luck: of each recipe's figure, independent of the others'. It is that of the expected
    maximum of n standard normal variables. Raises ValueError for n below 1.
    """
    if n < 1:
        raise ValueError("the best of none has no value")

    def density(x: float) -> float:
        return x * n * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * float(special.ndtr(x)) ** (n - 1)

    return float(integrate.quad(density, -12, 12, points=[0.0])[0]) * standard_error
