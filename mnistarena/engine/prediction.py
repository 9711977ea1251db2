"""A model's predictions, checked: shape, finite values, probabilities that sum to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from typing_extensions import TypedDict

from mnistarena.engine.batches import Batches
from mnistarena.errors import TrialError
from mnistarena.plugin.messages import Measurements

Extras = dict[str, NDArray[Any]]

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Images uint8 `(n, C, H, W)`, before any transform, to probabilities `(n, n_classes)`."""


class Scores(TypedDict, total=False):
    """Figures of a split, for the history."""

    validation_loss: float
    validation_accuracy: float
    validation_monitor: float


@dataclass(frozen=True)
class Outcome:
    """A trained model's measurements, its probabilities `(n, n_classes)` on the test split, and its extras.

    `predict` is the trained model, for further images.
    """

    measurements: Measurements
    probabilities: NDArray[np.float64]
    _: KW_ONLY
    extras: Extras
    predict: Predict


@torch.inference_mode()
def predict(
    model: nn.Module, batches: Batches, n_classes: int, amp: torch.autocast, *, extras_too: bool = True
) -> tuple[torch.Tensor, Extras]:
    """Logits float32 `(n, n_classes)` on the device, and what `predict_extras` returned, each n rows.

    Raises `TrialError` where the shape is another, or a value is not finite.
    """
    model.eval()
    predict_extras = getattr(model, "predict_extras", None) if extras_too else None
    logits, extras = [], []
    for images, _ in batches.in_order():
        with amp:
            output = model(images)
        if not isinstance(output, torch.Tensor) or output.shape != (len(images), n_classes):
            got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise TrialError(f"the model returned {got} for {len(images)} images; wanted {(len(images), n_classes)}")
        logits.append(output.float())
        if predict_extras is not None:
            extras.append({name: value.cpu().numpy() for name, value in predict_extras(images).items()})
    joined = torch.cat(logits)
    if not bool(joined.isfinite().all()):
        bad = int((~joined.isfinite()).any(1).sum())
        raise TrialError(f"the model returned values that are not finite for {bad} of {len(joined)} images")
    found = {name: np.concatenate([e[name] for e in extras]) for name in (extras[0] if extras else ())}
    for name, values in found.items():
        if len(values) != len(joined):
            raise TrialError(f'predict_extras returned {len(values)} rows of "{name}" for {len(joined)} images')
    return joined, found


def scores(
    model: nn.Module,
    batches: Batches,
    n_classes: int,
    amp: torch.autocast,
    *,
    figure: Callable[[NDArray[np.int64], NDArray[np.float64]], float] | None = None,
) -> Scores:
    """Cross-entropy and accuracy on a split, for the history; also a `figure` of its labels and probabilities."""
    logits, _ = predict(model, batches, n_classes, amp, extras_too=False)
    assert batches.labels is not None
    found: Scores = {
        "validation_loss": functional.cross_entropy(logits, batches.labels).item(),
        "validation_accuracy": (logits.argmax(1) == batches.labels).double().mean().item(),
    }
    if figure is not None:
        found["validation_monitor"] = figure(batches.labels.cpu().numpy(), probabilities(logits))
    return found


def probabilities(logits: torch.Tensor) -> NDArray[np.float64]:
    """Softmax in float64, `(n, n_classes)`."""
    return logits.double().softmax(1).cpu().numpy()


def classifier_probabilities(classifier: Any, features: NDArray[np.float32], n_classes: int) -> NDArray[np.float64]:
    """A scikit-learn classifier's `predict_proba`, its columns put in the order of the labels.

    A class that the training split did not hold gets probability 0.
    """
    found = np.asarray(classifier.predict_proba(features), dtype=np.float64)
    classes = np.asarray(classifier.classes_)
    if found.shape != (len(features), len(classes)):
        raise TrialError(f"predict_proba returned {found.shape}; wanted {(len(features), len(classes))}")
    if not np.isfinite(found).all():
        raise TrialError("predict_proba returned values that are not finite")
    if found.min() < 0 or np.abs(found.sum(axis=1) - 1).max() > 1e-3:
        raise TrialError("predict_proba returned rows that are not probabilities: negative, or not summing to 1")
    aligned = np.zeros((len(features), n_classes))
    aligned[:, classes.astype(np.int64)] = found
    return aligned
