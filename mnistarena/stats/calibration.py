"""Can a model's probabilities be believed? Scores and the reliability curve, from probabilities alone.

Pure functions: numpy only, no files. `confidence` is the largest probability of each image, `(n,)`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

BINS = 15
EDGES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.0)
"""Bins of the stated error, 1 − confidence: finer where good models put nearly all their images."""


@dataclass(frozen=True)
class Bin:
    """Images of like confidence: how many, the mean stated error 1 − confidence, the share that is wrong."""

    images: int
    stated: float
    _: KW_ONLY
    wrong: float


def log_loss(probabilities: Floats, labels: NDArray[np.integer[Any]]) -> float:
    """Mean negative log-probability of the true class, in nats; clipped at 2.2e-16."""
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, np.finfo(np.float64).eps)).mean())


def brier(probabilities: Floats, labels: NDArray[np.integer[Any]]) -> float:
    """Mean squared distance between probabilities and the true class, from 0 to 2 (Brier 1950)."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean |confidence − accuracy| over bins of equal mass.

    Equal mass (Nixon et al. 2019), because at 99 % accuracy nearly every image falls into the last of
    equally wide bins. A stable sort, so that ties fall into bins in the order of the test split.
    """
    order = np.argsort(confidence, kind="stable")
    total = 0.0
    for rows in np.array_split(order, min(bins, len(order))):
        total += abs(float(confidence[rows].sum() - correct[rows].sum()))
    return total / len(order)


def chance_error(confidence: Floats, bins: int = BINS) -> float:
    """About the calibration error that these confidences would show on so many images if they were exactly true.

    In a bin the errors of a true model have the mean λ = Σ(1 − confidence) and the variance v = Σ confidence ·
    (1 − confidence): E|errors − λ| is 2λ times the chance of none where λ < 1, and else about √(2v/π).
    """
    order = np.sort(confidence.astype(np.float64))
    total = 0.0
    for rows in np.array_split(order, min(bins, len(order))):
        errors = float((1 - rows).sum())
        if errors < 1:
            total += 2 * errors * float(np.prod(rows))
        else:
            total += float(np.sqrt(2 / np.pi * (rows * (1 - rows)).sum()))
    return total / len(order)


def reliability(confidence: Floats, correct: NDArray[np.bool_]) -> list[Bin]:
    """The reliability curve on the scale of errors, over `EDGES`, from the least confident bin to the surest."""
    stated = np.clip(1 - confidence, 0.0, 1.0)
    place = np.digitize(stated, EDGES, right=False)
    found = []
    for at in range(1, len(EDGES) + 1):
        rows = place == at
        if count := int(rows.sum()):
            found.append(Bin(count, float(stated[rows].mean()), wrong=float(1 - correct[rows].mean())))
    return found
