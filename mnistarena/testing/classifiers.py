"""The checks of a scikit-learn classifier; each function is the check of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.plugin.components import Task
from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.family import Family

if TYPE_CHECKING:
    from mnistarena.testing.model_under_test import ModelUnderTest

Features = NDArray[np.float32]


def features(model: ModelUnderTest) -> Features:
    """The digits as the engine gives them to a classifier, `(n, C·H·W)`."""
    from mnistarena.trial.classifier import flat

    return flat(model.digits[0], model.chain)


def fitted(model: ModelUnderTest, seed: int = 0, labels: NDArray[np.int64] | None = None) -> Any:
    """A classifier fitted to the digits, or to those of some labels only."""
    from mnistarena.trial.classifier import seed_classifier

    classifier = model.build(seed)
    seed_classifier(classifier, model.chain, seed)
    values, targets = features(model), model.digits[1]
    chosen = np.ones(len(targets), bool) if labels is None else np.isin(targets, labels)
    classifier.fit(values[chosen], targets[chosen])
    return classifier


def probabilities(model: ModelUnderTest, classifier: Any, values: Features) -> NDArray[np.float64]:
    """Probabilities `(n, 10)`, checked as the engine checks them."""
    from mnistarena.engine.prediction import classifier_probabilities

    return classifier_probabilities(classifier, values, model.chain.task.n_classes)


def answer_problem(classifier: Any, task: Task) -> str | None:
    """None: whether a classifier can be fitted to unusual images is known only after fitting."""
    return None


def output(model: ModelUnderTest) -> None:
    """Probabilities are finite and sum to 1, for one image and for several."""
    for n in (1, 2, 7):
        probabilities(model, model.trained, features(model)[:n])


def learns(model: ModelUnderTest) -> None:
    """At least 30 % of the images that it was fitted to are recognised."""
    found = probabilities(model, model.trained_or_raise, features(model)).argmax(1)
    right = float((found == model.digits[1]).mean())
    if right < 0.3:
        raise Nonconformity(
            f"after fit, {right:.0%} of the {len(found)} images that it was fitted to are recognised; chance is 10 %"
        )


def same_seed(model: ModelUnderTest) -> None:
    """Two classifiers fitted with the same seed give the same probabilities."""
    values = features(model)
    one, two = probabilities(model, model.trained, values), probabilities(model, fitted(model), values)
    if not np.array_equal(one, two):
        raise Nonconformity(
            f"fitted twice with one seed, probabilities differ by up to {np.abs(one - two).max():.3g}; take random "
            "numbers from random_state alone, and leave n_jobs at 1"
        )


def deterministic_as_said(model: ModelUnderTest) -> None:
    """A classifier with `deterministic=True` gives the same probabilities with another seed."""
    if not model.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    values = features(model)
    one, two = probabilities(model, model.trained, values), probabilities(model, fitted(model, seed=1), values)
    if not np.array_equal(one, two):
        raise Nonconformity(
            f"deterministic=True, but another seed changes probabilities by up to {np.abs(one - two).max():.3g}; "
            "leave deterministic out"
        )


def evaluation_repeats(model: ModelUnderTest) -> None:
    """The same images get the same probabilities twice: predict_proba draws no random numbers."""
    values = features(model)[:8]
    one, two = (probabilities(model, model.trained, values) for _ in range(2))
    if not np.array_equal(one, two):
        raise Nonconformity("predict_proba gave the same images other probabilities; seed what it draws")


def evaluation_alone(model: ModelUnderTest) -> None:
    """Eight images get the same probabilities together and one at a time."""
    values = features(model)[:8]
    together = probabilities(model, model.trained, values)
    alone = np.concatenate([probabilities(model, model.trained, values[i : i + 1]) for i in range(8)])
    if not np.allclose(together, alone, rtol=1e-4, atol=1e-5):
        raise Nonconformity(
            f"alone, an image gets other probabilities, by up to {np.abs(together - alone).max():.3g}; take nothing "
            "from the other rows"
        )


def input_untouched(model: ModelUnderTest) -> None:
    """Neither fit nor predict_proba changes the images."""
    values = features(model)
    before = values.copy()
    model.build().fit(values, model.digits[1])
    if not np.array_equal(values, before):
        raise Nonconformity("fit changed the images; work on a copy")
    model.trained.predict_proba(values)
    if not np.array_equal(values, before):
        raise Nonconformity("predict_proba changed the images; work on a copy")


def classes(model: ModelUnderTest) -> None:
    """`classes_` gives the labels of the columns, also where the training images lack a class."""
    for labels in (np.arange(10), np.array([1, 3, 8])):
        classifier = fitted(model, labels=labels)
        found = getattr(classifier, "classes_", None)
        if found is None or list(found) != list(labels):
            raise Nonconformity(
                f"fitted to the labels {labels.tolist()}, classes_ is {found if found is None else list(found)}; set "
                "it in fit: numpy.unique(y)"
            )
        n = np.shape(classifier.predict_proba(features(model)[:2]))
        if n != (2, len(labels)):
            raise Nonconformity(
                f"fitted to {len(labels)} classes, predict_proba gives {n} for 2 images; give one column for each of "
                "classes_"
            )


FAMILY = Family(
    "classifier",
    {
        "output": output,
        "learns": learns,
        "same-seed": same_seed,
        "deterministic-as-said": deterministic_as_said,
        "evaluation-repeats": evaluation_repeats,
        "evaluation-alone": evaluation_alone,
        "input-untouched": input_untouched,
        "classes": classes,
    },
    train=fitted,
    answer_problem=answer_problem,
)
