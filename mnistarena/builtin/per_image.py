"""What each test image contributes to the metrics of `metrics.py`, by the names of these; the mean is the figure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import contributions
from mnistarena.stats.consistency import confusion

Floats = NDArray[np.float64]


def _of_cells(figure: Callable[..., tuple[float, Floats]], predictions: Predictions, _: object = None) -> Floats:
    """Contributions to a figure of the confusion matrix, which comes with its slopes."""
    matrix = confusion(predictions.labels, predictions.predicted, predictions.n_classes).astype(np.float64)
    return contributions.of_cells(*figure(matrix), predictions.labels, predictions.predicted)


balanced_accuracy = partial(_of_cells, contributions.balanced_accuracy)
f1_weighted = partial(_of_cells, partial(contributions.f1, weighted=True))
f1_macro = partial(_of_cells, partial(contributions.f1, weighted=False))
matthews = partial(_of_cells, contributions.matthews)
cohen_kappa = partial(_of_cells, contributions.cohen_kappa)


def class_recall(predictions: Predictions, params: Any) -> Floats:
    """Of the recall of class `of`."""
    return _of_cells(partial(contributions.recall, of=params.of), predictions)


def class_precision(predictions: Predictions, params: Any) -> Floats:
    """Of the precision of class `of`."""
    return _of_cells(partial(contributions.precision, of=params.of), predictions)


def right(predictions: Predictions, params: object) -> NDArray[np.bool_]:
    """Of the accuracy."""
    found: NDArray[np.bool_] = predictions.predicted == predictions.labels
    return found


def wrong(predictions: Predictions, params: object) -> NDArray[np.bool_]:
    """Of the error rate."""
    return ~right(predictions, params)


def top_2(predictions: Predictions, params: object) -> NDArray[np.bool_]:
    """Of the top 2 accuracy."""
    return contributions.top_k(predictions.scores, predictions.labels, 2)


def top_k(predictions: Predictions, params: Any) -> NDArray[np.bool_]:
    """Of the top k accuracy; of equal scores scikit-learn takes the highest class first, but for two classes."""
    if predictions.n_classes == 2:
        return right(predictions, params)
    last = predictions.n_classes - 1
    return contributions.top_k(predictions.scores[:, ::-1], last - predictions.labels, params.k)


def roc_auc(predictions: Predictions, params: object) -> Floats:
    """Of the mean area under the ROC curves."""
    return contributions.roc_auc(predictions.scores, predictions.labels)


def average_precision(predictions: Predictions, params: object) -> Floats:
    """Of the mean average precision."""
    return contributions.average_precision(predictions.scores, predictions.labels)


def log_loss(predictions: Predictions, params: object) -> Floats:
    """Of the log loss."""
    return contributions.log_loss(predictions.probabilities, predictions.labels)


def brier(predictions: Predictions, params: object) -> Floats:
    """Of the Brier score."""
    return contributions.brier(predictions.probabilities, predictions.labels)


def ece(predictions: Predictions, params: Any) -> Floats:
    """Of the expected calibration error."""
    confidence = predictions.probabilities.max(axis=1)
    return contributions.calibration_error(right(predictions, params), confidence, params.bins)
