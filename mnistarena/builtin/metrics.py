"""Metrics of one trial's predictions on the test split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.builtin import per_image
from mnistarena.errors import NoValue
from mnistarena.plugin.components import MetricDef, Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import calibration
from mnistarena.text import series


class NoParams(Params):
    """No parameters."""


class TopKParams(Params):
    """Parameters of `top_k_accuracy`."""

    k: int = Field(3, ge=1, description="how many classes may be named")


class ClassParams(Params):
    """Parameters of `class_recall` and `class_precision`."""

    of: int = Field(0, ge=0, description="index of the class, from 0")


class EceParams(Params):
    """Parameters of the expected calibration error."""

    bins: int = Field(calibration.BINS, ge=1, le=1000, description="bins of equal mass")


def accuracy(predictions: Predictions, params: NoParams) -> float:
    """Share of images whose most probable class is the true one."""
    return float((predictions.predicted == predictions.labels).mean())


def _f1(predictions: Predictions, *, weighted: bool) -> float:
    labels, predicted, n = predictions.labels, predictions.predicted, predictions.n_classes
    true, named = np.bincount(labels, minlength=n), np.bincount(predicted, minlength=n)
    right = np.bincount(labels[labels == predicted], minlength=n)
    there = true + named > 0
    each = 2 * right[there] / (true + named)[there]
    return float(np.average(each, weights=true[there] if weighted else None))


def f1_weighted(predictions: Predictions, params: NoParams) -> float:
    """F1 of each class, averaged by the classes' shares of the test split."""
    return _f1(predictions, weighted=True)


def f1_macro(predictions: Predictions, params: NoParams) -> float:
    """F1 of each class that is true or named for some image, averaged over these classes."""
    return _f1(predictions, weighted=False)


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
    best = np.argsort(-predictions.scores, axis=1, kind="stable")[:, :2]
    return float((best == predictions.labels[:, None]).any(axis=1).mean())


def top_k_accuracy(predictions: Predictions, params: TopKParams) -> float:
    """Share of images whose true class is among the `k` most likely."""
    from sklearn.metrics import top_k_accuracy_score

    scores, n_classes = predictions.scores, predictions.n_classes
    if params.k >= n_classes:
        raise NoValue(f"k = {params.k} of {n_classes} classes is always right")
    if n_classes == 2:  # scikit-learn wants one score an image then
        return accuracy(predictions, NoParams())
    return float(top_k_accuracy_score(predictions.labels, scores, k=params.k, labels=np.arange(n_classes)))


def error_rate(predictions: Predictions, params: NoParams) -> float:
    """Share of images that are classified wrongly."""
    from sklearn.metrics import zero_one_loss

    return float(zero_one_loss(predictions.labels, predictions.predicted))


def balanced_accuracy(predictions: Predictions, params: NoParams) -> float:
    """Recall of each class that the test split holds, averaged over these classes."""
    from sklearn.metrics import recall_score

    present = np.unique(predictions.labels)
    return float(recall_score(predictions.labels, predictions.predicted, labels=present, average="macro"))


def matthews(predictions: Predictions, params: NoParams) -> float:
    """Matthews' correlation of predicted and true classes, from -1 to 1 (Gorodkin 2004 for several classes)."""
    from sklearn.metrics import matthews_corrcoef

    _need_two_classes(predictions)
    return float(matthews_corrcoef(predictions.labels, predictions.predicted))


def cohen_kappa(predictions: Predictions, params: NoParams) -> float:
    """Agreement of predicted and true classes beyond chance, at most 1 (Cohen 1960)."""
    from sklearn.metrics import cohen_kappa_score

    _need_two_classes(predictions)
    return float(cohen_kappa_score(predictions.labels, predictions.predicted))


def roc_auc(predictions: Predictions, params: NoParams) -> float:
    """Area under the ROC curve of each class against the rest, averaged over classes."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_one_against_rest(predictions), average="macro"))


def average_precision(predictions: Predictions, params: NoParams) -> float:
    """Average precision of each class against the rest, averaged over classes."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_one_against_rest(predictions), average="macro"))


def class_recall(predictions: Predictions, params: ClassParams) -> float:
    """Share of the images of class `of` that are classified rightly."""
    from sklearn.metrics import recall_score

    _need_class(params.of, predictions)
    if not (predictions.labels == params.of).any():
        raise NoValue(f"the test split has no image of class {params.of}")
    found = recall_score(predictions.labels, predictions.predicted, labels=[params.of], average=None)
    return float(found[0])


def class_precision(predictions: Predictions, params: ClassParams) -> float:
    """Share of the images classified as class `of` that are of this class."""
    from sklearn.metrics import precision_score

    _need_class(params.of, predictions)
    if not (predictions.predicted == params.of).any():
        raise NoValue(f"no image is classified as class {params.of}")
    found = precision_score(predictions.labels, predictions.predicted, labels=[params.of], average=None)
    return float(found[0])


def _need_class(of: int, predictions: Predictions) -> None:
    if of >= predictions.n_classes:
        raise NoValue(f"there is no class {of}: the {predictions.n_classes} classes are counted from 0")


def _need_two_classes(predictions: Predictions) -> None:
    if len(np.unique(predictions.labels)) < 2:
        raise NoValue(f"the test split has images of class {predictions.labels[0]} only")


def _one_against_rest(predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Whether each image is of each class, and its scores, both `(n, n_classes)`; all classes must be there.

    As indicators scikit-learn takes scores that are no probabilities too; of probabilities the figures are the same.
    """
    scores, n_classes = predictions.scores, predictions.n_classes
    _need_two_classes(predictions)
    absent = sorted(set(range(n_classes)) - set(predictions.labels.tolist()))
    if absent:
        raise NoValue(f"the test split has no image of class {series(map(str, absent))}")
    return np.eye(n_classes, dtype=np.int64)[predictions.labels], scores


WITHOUT_SCIKIT_LEARN = {"accuracy", "f1_weighted", "f1_macro", "top_2_accuracy", "log_loss", "brier", "ece"}
"""Metrics that are computed without importing it."""


@hookimpl
def arena_metrics() -> Iterable[MetricDef]:
    """The builtin metrics."""
    return [metric.definition() for metric in _METRICS]


@dataclass(frozen=True)
class _Metric:
    """A metric in short: how it is computed, in words, and what each image contributes."""

    compute: Callable[..., float]
    summary: str
    per_image: Callable[..., NDArray[Any]]
    _: KW_ONLY
    params: type[Params] = NoParams
    higher_is_better: bool = True
    share: bool = True

    def definition(self) -> MetricDef:
        """As the framework takes it."""
        return MetricDef(
            self.compute.__name__,
            self.summary,
            params=self.params,
            compute=self.compute,
            higher_is_better=self.higher_is_better,
            share=self.share,
            per_image=self.per_image,
        )


_METRICS = (
    _Metric(accuracy, "share of test images classified rightly", per_image.right),
    _Metric(error_rate, "share of test images classified wrongly", per_image.wrong, higher_is_better=False),
    _Metric(balanced_accuracy, "recall averaged over classes", per_image.balanced_accuracy),
    _Metric(f1_weighted, "F1 averaged by the classes' sizes", per_image.f1_weighted),
    _Metric(f1_macro, "F1 averaged over classes", per_image.f1_macro),
    _Metric(
        class_recall,
        "share of a class's test images classified rightly",
        per_image.class_recall,
        params=ClassParams,
    ),
    _Metric(
        class_precision,
        "share of the images classified as a class that are of it",
        per_image.class_precision,
        params=ClassParams,
    ),
    _Metric(matthews, "correlation of predicted and true classes, -1 to 1", per_image.matthews, share=False),
    _Metric(
        cohen_kappa,
        "agreement of predicted and true classes beyond chance, at most 1",
        per_image.cohen_kappa,
        share=False,
    ),
    _Metric(top_2_accuracy, "true class among the two most probable", per_image.top_2),
    _Metric(top_k_accuracy, "true class among the k most likely", per_image.top_k, params=TopKParams),
    _Metric(roc_auc, "area under the ROC curve, one class against the rest, averaged over classes", per_image.roc_auc),
    _Metric(
        average_precision,
        "average precision, one class against the rest, averaged over classes",
        per_image.average_precision,
    ),
    _Metric(
        log_loss,
        "mean negative log-probability of the true class (nats)",
        per_image.log_loss,
        higher_is_better=False,
        share=False,
    ),
    _Metric(
        brier,
        "mean squared error of the probabilities, 0 to 2",
        per_image.brier,
        higher_is_better=False,
        share=False,
    ),
    _Metric(
        ece, "expected calibration error, bins of equal mass", per_image.ece, params=EceParams, higher_is_better=False
    ),
)
