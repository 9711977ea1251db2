"""Is a model surer than it is right? Mean confidence minus accuracy, over seeds and test images, with its test.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mnistarena.stats.crossed import Correct, Crossed
from mnistarena.stats.intervals import ends, pivot
from mnistarena.stats.verdicts import holm

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Gap:
    """Confidence minus accuracy with its 95 % interval; `p` of no gap is two-sided and Holm's over all recipes."""

    estimate: float
    low: float
    _: KW_ONLY
    high: float
    p: float


def gaps(recipes: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> list[Gap]:
    """One gap a recipe: the confidence of its seeds, `(k, n)`, and where they are right, bool `(k, n)`.

    (1 + confidence − right)/2 lies from 0 to 1, so it has the interval of a recipe's accuracy, with its four added
    images. One seed alone is taken as it is, and the gap speaks of that trained model.
    """
    found = []
    for confidence, correct in recipes:
        share = (1 + confidence.astype(np.float64) - correct) / 2
        moments = Crossed([cast(Correct, share)], [len(share) == 1]).mean_moments(0)
        assert moments is not None
        found.append(moments)
    if not found:
        return []
    centres = np.array([one.centre for one in found])
    adjusted = holm(np.minimum(1.0, 2 * pivot(found).tail(np.abs(centres - 0.5))))
    return [
        Gap(2 * one.estimate - 1, max(-1.0, 2 * low - 1), high=min(1.0, 2 * high - 1), p=p)
        for one, (low, high), p in zip(found, ends(found), adjusted, strict=True)
    ]
