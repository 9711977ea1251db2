"""Fitting a scikit-learn classifier: its seed, features and labels, and the validation images where it stops early."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.engine.seeds import derive
from mnistarena.errors import TrialError, first_line

Features = NDArray[np.float32]
Labels = NDArray[np.int64]

SEEDS = ("random_state", "random_seed", "seed")
"""The names of a classifier's parameters, or of those of a part of it, that are set from the trial's seed."""

STOPS_EARLY = (
    *("early_stopping_rounds", "early_stopping_round", "early_stopping", "n_iter_no_change"),  # xgboost, LightGBM
    *("od_wait", "od_pval", "od_type", "use_best_model"),  # CatBoost has two more names for it
)
"""The parameters by which a classifier whose `fit` takes an evaluation set is asked to stop early."""


EVALUATED = {"eval_set", "eval_X"}
"""Of a `fit` that takes one of these, early stopping works with an evaluation set alone."""


def seed_classifier(classifier: Any, chain: Chain, seed: int) -> None:
    """Set every random state of a classifier from the trial's seed; `TrialError` where the chain is random."""
    if any(is_random for _, is_random in chain.steps):
        raise TrialError("a scikit-learn model sees each image once: a random transform has no meaning for it")
    state = derive(seed, "fit") % 2**32
    if found := {name: state for name in _parameters(classifier) if name.rpartition("__")[2] in SEEDS}:
        classifier.set_params(**found)  # one of no library may draw from numpy's generator, which is seeded


def flat(images: NDArray[np.uint8], chain: Chain) -> Features:
    """Images `(n, C, H, W)` through the chain, as the features `(n, C·H·W)` that a classifier gets."""
    return Batches(images, None, chain=chain, device=torch.device("cpu"), keep=False).flat()


def fit_classifier(
    classifier: Any,
    features: Features,
    labels: Labels,
    *,
    held: tuple[Features, Labels],
    note: Callable[[str], object] = lambda sentence: None,
) -> Any:
    """Fit a classifier and return it; `held` are features and labels of the validation images, perhaps none.

    One that refuses labels with gaps, as xgboost does where a class has no training image, is fitted to 0…k-1 and
    returned as `Relabelled`. `note` is told of both. Raises `TrialError` as `fit_arguments` does.
    """
    classes = np.unique(labels)
    # A class that is not among the training images is unknown to the classifier: its evaluation would refuse it.
    known = np.isin(held[1], classes)
    arguments = fit_arguments(classifier, held[0][known], held[1][known])
    if arguments:
        some = f"the {known.sum()} validation images"
        if not known.all():
            some = f"the {known.sum()} of {len(known)} validation images whose class has a training image"
        note(f"its early stopping used {some}: its score on them is no independent one")
    try:
        classifier.fit(features, labels, **arguments)
        return classifier
    except ValueError as problem:
        if np.array_equal(classes, np.arange(len(classes))):
            raise
        try:
            arguments = fit_arguments(classifier, held[0][known], np.searchsorted(classes, held[1][known]))
            classifier.fit(features, np.searchsorted(classes, labels), **arguments)
        except Exception:
            raise problem from None
        note(
            f"it refused the labels {', '.join(map(str, classes))} ({first_line(problem)}), so it was fitted to 0 to "
            f"{len(classes) - 1} in their place"
        )
    return Relabelled(classifier, classes)


def fit_arguments(classifier: Any, features: Features, labels: Labels) -> dict[str, Any]:
    """What `fit` gets besides the training images, from features `(n, d)` and labels `(n,)` of the validation images.

    The evaluation set, for a classifier that takes one and whose parameters ask for early stopping: as `eval_X` and
    `eval_y` (LightGBM), `eval_set` (xgboost, CatBoost), or `X_val` and `y_val` (scikit-learn); with `verbose=False`
    where `fit` of the first two has that. Raises `TrialError` where early stopping needs it and
    there are no validation images, or where it is asked of a part, whose features only the whole could make.
    """
    found, taken = _parameters(classifier), _arguments_of_fit(classifier)
    for name, value in found.items():
        part = found.get(name.rpartition("__")[0])
        if part is not None and _asks(name.rpartition("__")[2], value) and _arguments_of_fit(part) & EVALUATED:
            raise TrialError(
                f"{name} = {value} asks for early stopping within {type(classifier).__name__}, which cannot hand the "
                "validation images on as its part sees them; leave it out, or build that part alone, what comes "
                "before it as transforms in the spec"
            )
    if taken & EVALUATED:
        asked = next((name for name, value in found.items() if _asks(name, value)), None)
        if asked is None:
            return {}
        if not len(labels):
            raise TrialError(
                f"the early stopping of {type(classifier).__name__} ({asked} = {found[asked]}) needs validation "
                "images: set validation in the spec's [[dataset]], or leave the early stopping out"
            )
        pair = {"eval_X": features, "eval_y": labels}
        handed: dict[str, Any] = pair if pair.keys() <= taken else {"eval_set": [(features, labels)]}
        return {**handed, **({"verbose": False} if "verbose" in taken else {})}
    if {"X_val", "y_val"} <= taken and found.get("early_stopping") is True and len(labels):
        return {"X_val": features, "y_val": labels}
    return {}


def _parameters(classifier: Any) -> Mapping[str, Any]:
    """The classifier's parameters, those of its parts too; none of one that is of no library."""
    return classifier.get_params() if hasattr(classifier, "get_params") else {}


def _arguments_of_fit(classifier: Any) -> set[str]:
    try:
        return set(inspect.signature(classifier.fit).parameters)
    except (AttributeError, TypeError, ValueError):
        return set()


def _asks(name: str, value: Any) -> bool:
    """Whether a parameter with this value asks for early stopping."""
    if name == "callbacks":
        return any(type(callback).__name__ == "EarlyStopping" for callback in value or ())
    return name in STOPS_EARLY and (value == "Iter" or (isinstance(value, (bool, int, float)) and value > 0))


class Relabelled:
    """A classifier that was fitted to the labels 0…k-1; `classes_` says which labels they stand for."""

    def __init__(self, classifier: Any, classes: Labels) -> None:
        self.classifier = classifier
        self.classes_ = classes

    def predict(self, features: Features) -> Labels:
        """The labels `(n,)` of features `(n, C·H·W)`."""
        places = np.asarray(self.classifier.predict(features)).astype(np.int64)
        return self.classes_[places]

    def __getattr__(self, name: str) -> Any:
        # Its columns are in the order of classes_ already.
        if name in ("predict_proba", "predict_log_proba", "decision_function"):
            return getattr(self.classifier, name)
        raise AttributeError(f"{type(self).__name__} has no {name}")
