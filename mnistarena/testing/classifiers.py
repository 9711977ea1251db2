"""What a scikit-learn classifier promises; each function is the check of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.components import Task
from mnistarena.testing.check import Nonconformity, NotApplicable

if TYPE_CHECKING:
    from mnistarena.testing.undertest import ModelUnderTest

Features = NDArray[np.float32]


def features(subject: ModelUnderTest) -> Features:
    """The digits as the engine gives them to a classifier, `(n, C·H·W)`."""
    from mnistarena.classifier import flat

    return flat(subject.digits[0], subject.chain)


def fitted(subject: ModelUnderTest, seed: int = 0, labels: NDArray[np.int64] | None = None) -> Any:
    """A classifier fitted to the digits, or to those of some labels only."""
    from mnistarena.classifier import prepare

    classifier = subject.build(seed)
    prepare(classifier, subject.chain, seed)
    values, targets = features(subject), subject.digits[1]
    chosen = np.ones(len(targets), bool) if labels is None else np.isin(targets, labels)
    classifier.fit(values[chosen], targets[chosen])
    return classifier


trained = fitted


def chances(subject: ModelUnderTest, classifier: Any, values: Features) -> NDArray[np.float64]:
    """Probabilities `(n, 10)`, checked as the engine checks them."""
    from mnistarena.evaluation import classifier_probabilities

    return classifier_probabilities(classifier, values, subject.chain.task.n_classes)


def answer_problem(model: Any, task: Task) -> str | None:
    """Nothing: whether a classifier can be fitted to odd images is not known before it is."""
    return None


def output(subject: ModelUnderTest) -> None:
    """Finite probabilities that sum to 1, for one image and for several."""
    for n in (1, 2, 7):
        chances(subject, subject.trained, features(subject)[:n])


def learns(subject: ModelUnderTest) -> None:
    """Fitted images are recognised."""
    found = chances(subject, subject.training, features(subject)).argmax(1)
    right = float((found == subject.digits[1]).mean())
    if right < 0.3:
        raise Nonconformity(
            f"after fit, {right:.0%} of the {len(found)} images that it was fitted to are recognised; chance is 10 %"
        )


def same_seed(subject: ModelUnderTest) -> None:
    """Fitted twice."""
    values = features(subject)
    one, two = chances(subject, subject.trained, values), chances(subject, fitted(subject), values)
    if not np.array_equal(one, two):
        raise Nonconformity(
            f"fitted twice with one seed, probabilities differ by up to {np.abs(one - two).max():.3g}; take random "
            "numbers from random_state alone, and leave n_jobs at 1"
        )


def deterministic_as_said(subject: ModelUnderTest) -> None:
    """Fitted with another seed."""
    if not subject.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    values = features(subject)
    one, two = chances(subject, subject.trained, values), chances(subject, fitted(subject, seed=1), values)
    if not np.array_equal(one, two):
        raise Nonconformity(
            f"deterministic=True, but another seed changes probabilities by up to {np.abs(one - two).max():.3g}; "
            "leave deterministic out"
        )


def evaluation_repeats(subject: ModelUnderTest) -> None:
    """predict_proba draws nothing."""
    values = features(subject)[:8]
    if not np.array_equal(chances(subject, subject.trained, values), chances(subject, subject.trained, values)):
        raise Nonconformity("predict_proba gave the same images other probabilities; seed what it draws")


def evaluation_alone(subject: ModelUnderTest) -> None:
    """A batch of eight, and eight of one."""
    values = features(subject)[:8]
    together = chances(subject, subject.trained, values)
    alone = np.concatenate([chances(subject, subject.trained, values[i : i + 1]) for i in range(8)])
    if not np.allclose(together, alone, rtol=1e-4, atol=1e-5):
        raise Nonconformity(
            f"alone, an image gets other probabilities, by up to {np.abs(together - alone).max():.3g}; take nothing "
            "from the other rows"
        )


def input_untouched(subject: ModelUnderTest) -> None:
    """fit and predict_proba."""
    values = features(subject)
    before = values.copy()
    subject.build().fit(values, subject.digits[1])
    if not np.array_equal(values, before):
        raise Nonconformity("fit changed the images; work on a copy")
    subject.trained.predict_proba(values)
    if not np.array_equal(values, before):
        raise Nonconformity("predict_proba changed the images; work on a copy")


def classes(subject: ModelUnderTest) -> None:
    """Also where the training images lack a class: the engine aligns the columns by it."""
    for labels in (np.arange(10), np.array([1, 3, 8])):
        classifier = fitted(subject, labels=labels)
        found = getattr(classifier, "classes_", None)
        if found is None or list(found) != list(labels):
            raise Nonconformity(
                f"fitted to the labels {labels.tolist()}, classes_ is {found if found is None else list(found)}; set "
                "it in fit: numpy.unique(y)"
            )
        n = np.shape(classifier.predict_proba(features(subject)[:2]))
        if n != (2, len(labels)):
            raise Nonconformity(
                f"fitted to {len(labels)} classes, predict_proba gives {n} for 2 images; give a column each of classes_"
            )
