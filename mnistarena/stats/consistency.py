"""What figures of one model on one test set must obey: identities and bounds that expose two that cannot both be true.

Pure functions: numpy only, no files.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
