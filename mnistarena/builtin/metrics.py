"""Metrics of one trial's predictions on the test split."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.plugin.components import MetricDef, Params, Predictions
from mnistarena.plugin.hooks import hookimpl
from mnistarena.stats import calibration


class NoParams(Params):
    """No parameters."""


class EceParams(Params):
    """Parameters of the expected calibration error."""

    bins: int = Field(calibration.BINS, ge=1, le=1000, description="bins of equal mass")


def accuracy(predictions: Predictions, params: NoParams) -> float:
    """Share of images whose most probable class is the true one."""
    return float((predictions.predicted == predictions.labels).mean())


def _f1(predictions: Predictions, average: str) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(predictions.labels, predictions.predicted, average=average, zero_division=0))


def f1_weighted(predictions: Predictions, params: NoParams) -> float:
    """F1 of each class, averaged by the classes' shares of the test split."""
    return _f1(predictions, "weighted")


def f1_macro(predictions: Predictions, params: NoParams) -> float:
    """F1 of each class, averaged over classes."""
    return _f1(predictions, "macro")


def log_loss(predictions: Predictions, params: NoParams) -> float:
    """Mean negative log-probability of the true class, in nats; probabilities are clipped at 2.2e-16."""
    return calibration.log_loss(predictions.probabilities, predictions.labels)


def brier(predictions: Predictions, params: NoParams) -> float:
    """Mean squared distance between probabilities and the true class, from 0 to 2 (Brier 1950)."""
    return calibration.brier(predictions.probabilities, predictions.labels)


def ece(predictions: Predictions, params: EceParams) -> float:
    """Expected calibration error: mean |confidence − accuracy| over bins of equal mass."""
    confidence: NDArray[np.float64] = predictions.probabilities.max(axis=1)
    return calibration.expected_calibration_error(confidence, predictions.predicted == predictions.labels, params.bins)


def top_2_accuracy(predictions: Predictions, params: NoParams) -> float:
    """Share of images whose true class is among the two most probable."""
    best = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :2]
    return float((best == predictions.labels[:, None]).any(axis=1).mean())


@hookimpl
def arena_metrics() -> Iterable[MetricDef]:
    """The builtin metrics."""
    return [
        MetricDef(
            "accuracy",
            "share of test images classified rightly",
            params=NoParams,
            compute=accuracy,
            higher_is_better=True,
        ),
        MetricDef(
            "f1_weighted",
            "F1 averaged by the classes' sizes",
            params=NoParams,
            compute=f1_weighted,
            higher_is_better=True,
        ),
        MetricDef("f1_macro", "F1 averaged over classes", params=NoParams, compute=f1_macro, higher_is_better=True),
        MetricDef(
            "log_loss",
            "mean negative log-probability of the true class (nats)",
            params=NoParams,
            compute=log_loss,
            higher_is_better=False,
        ),
        MetricDef(
            "brier",
            "mean squared error of the probabilities, 0 to 2",
            params=NoParams,
            compute=brier,
            higher_is_better=False,
        ),
        MetricDef(
            "ece",
            "expected calibration error, bins of equal mass",
            params=EceParams,
            compute=ece,
            higher_is_better=False,
        ),
        MetricDef(
            "top_2_accuracy",
            "true class among the two most probable",
            params=NoParams,
            compute=top_2_accuracy,
            higher_is_better=True,
        ),
    ]
