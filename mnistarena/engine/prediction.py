"""A model's outputs: what they are, checked, and turned into probabilities where they are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from mnistarena.plugin.predictions import Output, Outputs

Extras = dict[str, NDArray[Any]]

Predict = Callable[[NDArray[np.uint8]], Outputs]
"""Images uint8 `(n, C, H, W)`, before any transform, to what the model says of them."""

SUM_TOLERANCE = 1e-2
"""How far a row of a module's probabilities may be from the sum 1: that of bfloat16 is."""


Figure = Callable[[NDArray[np.int64], Outputs], float]
"""A figure of labels `(n,)` and what a model says of their images."""


class Scores(TypedDict, total=False):
    """Figures of a split, for the history; the loss is None of a model without probabilities."""

    validation_loss: float | None
    validation_accuracy: float
    validation_monitor: float


@dataclass(frozen=True)
class Outcome:
    """A trained model's measurements, what it says of the test split, and its extras.

    `predict` is the trained model, for further images. What follows once the predictions are stored: `weights()` are
    the bytes to keep of the model (None: nothing), `costs()` measures it.
    """

    measurements: Measurements
    outputs: Outputs
    _: KW_ONLY
    extras: Extras
    predict: Predict
    costs: Callable[[], Measurements]
    weights: Callable[[], bytes] | None = None


# ---- What a module returned


def main_output(output: object) -> object:
    """The output that predicts: of an object its `logits`, of a dict its "logits", of a tuple its first element.

    Auxiliary outputs, such as those that GoogLeNet and Hugging Face's models return too, are left alone. A tensor, and
    anything else, is returned as it is.
    """
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping) and "logits" in output:
        return output["logits"]
    if hasattr(output, "logits"):
        return output.logits
    if isinstance(output, (tuple, list)) and output:
        return output[0]
    return output


def as_logits(output: torch.Tensor, kind: Output) -> torch.Tensor:
    """What the recipe's loss is computed of, `(n, n_classes)`.

    Log-probabilities are logits: their softmax is the probabilities, so that the cross-entropy of them is the negative
    log-likelihood. Of probabilities the logarithm is taken, clamped at the smallest normal float32. Scores stay as they
    are.
    """
    if kind == "probabilities":
        return output.float().clamp_min(torch.finfo(torch.float32).tiny).log()
    return output


def loss_input(output: object, kind: Output) -> torch.Tensor:
    """What the recipe's loss is computed of, from what a module returned in training; raises `TrialError`."""
    found = main_output(output)
    if not isinstance(found, torch.Tensor):
        wanted = kind.replace("_", "-")
        raise TrialError(f"forward returned {type(found).__name__}: return a tensor of {wanted} (n, classes)")
    return as_logits(found, kind)


def looks_like_probabilities(outputs: torch.Tensor) -> bool:
    """Whether outputs `(n, n_classes)` are probabilities: no value is negative and every row sums to 1."""
    if outputs.dim() != 2 or not len(outputs) or not bool(outputs.isfinite().all()):
        return False
    values = outputs.double()
    sums = values.sum(1)
    return float(values.min()) >= 0 and bool(torch.allclose(sums, torch.ones_like(sums), rtol=0, atol=1e-4))


# ---- Prediction


@torch.no_grad()  # not inference_mode: a model may cache a tensor here that its training uses
def predict(
    model: nn.Module,
    batches: Batches,
    n_classes: int,
    amp: torch.autocast,
    *,
    output: Output = "logits",
    extras_too: bool = True,
) -> tuple[torch.Tensor, Extras]:
    """Outputs float32 `(n, n_classes)` on the device, and what `predict_extras` returned, each n rows.

    Classes int64 `(n,)` where `output` is "labels". Raises `TrialError` where the shape is another, or a value is not
    finite.
    """
    model.eval()
    predict_extras = getattr(model, "predict_extras", None) if extras_too else None
    outputs, extras = [], []
    for images, _ in batches.in_order():
        with amp:
            found = main_output(model(images))
        wanted = (len(images),) if output == "labels" else (len(images), n_classes)
        if not isinstance(found, torch.Tensor) or found.shape != wanted:
            got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise TrialError(f"the model returned {got} for {len(images)} images; wanted {wanted}")
        outputs.append(_classes(found, n_classes) if output == "labels" else found.float())
        if predict_extras is not None:
            extras.append({name: value.cpu().numpy() for name, value in predict_extras(images).items()})
    joined = torch.cat(outputs)
    if not bool(joined.isfinite().all()):
        bad = int((~joined.isfinite()).any(1).sum())
        raise TrialError(f"the model returned values that are not finite for {bad} of {len(joined)} images")
    arrays = {name: np.concatenate([e[name] for e in extras]) for name in (extras[0] if extras else ())}
    for name, values in arrays.items():
        if len(values) != len(joined):
            raise TrialError(f'predict_extras returned {len(values)} rows of "{name}" for {len(joined)} images')
    return joined, arrays


def _classes(found: torch.Tensor, n_classes: int) -> torch.Tensor:
    if found.is_floating_point() or found.is_complex() or bool(((found < 0) | (found >= n_classes)).any()):
        raise TrialError(
            f'output = "labels", but the model returned {found.dtype} from {found.min()} to {found.max()}; '
            f"wanted integers from 0 to {n_classes - 1}"
        )
    return found.long()


def scores(
    model: nn.Module,
    batches: Batches,
    n_classes: int,
    amp: torch.autocast,
    output: Output = "logits",
    *,
    figure: Figure | None = None,
) -> Scores:
    """Cross-entropy and accuracy on a split, for the history; no cross-entropy of scores and labels.

    Also a `figure` of its labels and of what the model says.
    """
    outputs, _ = predict(model, batches, n_classes, amp, output=output, extras_too=False)
    assert batches.labels is not None
    predicted, loss = outputs, None
    if output != "labels":
        predicted = outputs.argmax(1)
    if output not in ("scores", "labels"):
        loss = functional.cross_entropy(as_logits(outputs, output), batches.labels).item()
    found: Scores = {
        "validation_loss": loss,
        "validation_accuracy": (predicted == batches.labels).double().mean().item(),
    }
    if figure is not None:
        found["validation_monitor"] = figure(batches.labels.cpu().numpy(), answers(outputs, output, n_classes))
    return found


def answers(found: torch.Tensor, output: Output, n_classes: int) -> Outputs:
    """What `predict` returned as what it means, in float64; raises `TrialError` where it is not what it is called.

    Logits by softmax, log-probabilities by exp, probabilities as they are.
    """
    if output == "labels":
        return Outputs(found.cpu().numpy(), "labels", n_classes=n_classes)
    values = found.double()
    if output == "scores":
        return Outputs(values.cpu().numpy(), "scores", n_classes=n_classes)
    if output == "logits":
        return Outputs(values.softmax(1).cpu().numpy(), n_classes=n_classes)
    probabilities = (values.exp() if output == "log_probabilities" else values).cpu().numpy()
    if problem := _not_probabilities(probabilities, SUM_TOLERANCE):
        said = "output" if output == "probabilities" else "exp of the output"
        raise TrialError(
            f'the model says output = "{output}", but the {said} {problem}; '
            'say output = "logits" or "scores" in its ModelDef, or return what it says'
        )
    return Outputs(probabilities, n_classes=n_classes)


def _not_probabilities(values: NDArray[np.float64], tolerance: float) -> str | None:
    """Why rows `(n, n_classes)` are no probabilities, as the end of a sentence; None where they are."""
    if values.min() < 0:
        return f"has negative values, down to {values.min():.3g}"
    sums = values.sum(axis=1)
    if np.abs(sums - 1).max() > tolerance:
        return f"has rows that sum to between {sums.min():.3g} and {sums.max():.3g}, not to 1"
    return None


# ---- Classifiers


def answering_method(classifier: Any, output: Output | None) -> str:
    """The method that a fitted classifier is asked by; `TrialError` where it does not have it.

    Asked only after `fit`: some have `predict_proba` only then. With None, `predict_proba` where there is one, else
    `predict`: scores of a support vector machine would not always give the class that it predicts.
    """
    methods = {
        "probabilities": "predict_proba",
        "log_probabilities": "predict_log_proba",
        "logits": "decision_function",
        "scores": "decision_function",
        "labels": "predict",
    }
    names = ("predict_proba", "predict") if output is None else (methods[output],)
    for name in names:
        if hasattr(classifier, name):
            return name
    said = "" if output is None else f', as output = "{output}" asks for'
    raise TrialError(f"after fit, {type(classifier).__name__} has no {' and no '.join(names)}{said}")


def classifier_outputs(
    classifier: Any, features: NDArray[np.float32], n_classes: int, output: Output | None = None
) -> Outputs:
    """What a fitted classifier says of features `(n, C·H·W)`, its columns put in the order of the labels.

    A class that the training split did not hold gets probability 0, or the lowest score that float32 has.
    """
    method = answering_method(classifier, output)
    found = np.asarray(getattr(classifier, method)(features))
    if method == "predict":
        return Outputs(_predicted(found, len(features), n_classes), "labels", n_classes=n_classes)
    classes = getattr(classifier, "classes_", None)
    if classes is None:
        raise TrialError(
            f"{type(classifier).__name__} has no classes_, which say what class a column of {method} is; "
            "set it in fit: numpy.unique(y)"
        )
    places = np.asarray(classes).astype(np.int64)
    found = found.astype(np.float64)
    if method == "decision_function" and found.shape == (len(features),) and len(places) == 2:
        found = np.stack([-found, found], axis=1)  # one score for two classes
    if found.shape != (len(features), len(places)):
        raise TrialError(f"{method} returned {found.shape}; wanted {(len(features), len(places))}")
    if method == "predict_log_proba":
        found = np.exp(found)
    if not np.isfinite(found).all():
        raise TrialError(f"{method} returned values that are not finite")
    if output == "logits":
        found = torch.from_numpy(found).softmax(1).numpy()
    elif method == "decision_function":
        aligned = np.full((len(features), n_classes), float(np.finfo(np.float32).min))
        aligned[:, places] = found
        return Outputs(aligned, "scores", n_classes=n_classes)
    elif problem := _not_probabilities(found, 1e-3):
        raise TrialError(f"{method} returned rows that are not probabilities: it {problem}")
    aligned = np.zeros((len(features), n_classes))
    aligned[:, places] = found
    return Outputs(aligned, n_classes=n_classes)


def _predicted(found: NDArray[Any], n: int, n_classes: int) -> NDArray[np.int64]:
    """The classes that `predict` returned, checked."""
    if found.shape != (n,):
        raise TrialError(f"predict returned {found.shape}; wanted {(n,)}")
    try:
        classes = found.astype(np.int64)
        whole = bool((classes == found).all())
    except (TypeError, ValueError):
        whole = False
    if not whole or classes.min() < 0 or classes.max() >= n_classes:
        raise TrialError(f"predict returned what are not classes, integers from 0 to {n_classes - 1}: {found[:3]} …")
    return classes
