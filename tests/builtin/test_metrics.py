"""Metrics against scikit-learn, by hand, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from mnistarena import Predictions
from mnistarena.builtin import metrics

DEFS = {definition.name: definition for definition in metrics.arena_metrics()}


def predictions(n=500, classes=5, seed=0, skill=2.0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    scores = random.normal(size=(n, classes))
    scores[np.arange(n), labels] += skill
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return Predictions(labels, chances, index=np.arange(n))


def value(name, given, **params):
    return DEFS[name].compute(given, DEFS[name].params(**params))


def test_against_scikit_learn():
    given = predictions()
    labels, predicted, chances = given.labels, given.predicted, given.probabilities
    assert value("accuracy", given) == pytest.approx(reference.accuracy_score(labels, predicted))
    assert value("f1_macro", given) == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    assert value("f1_weighted", given) == pytest.approx(reference.f1_score(labels, predicted, average="weighted"))
    assert value("log_loss", given) == pytest.approx(reference.log_loss(labels, chances))
    assert value("top_2_accuracy", given) == pytest.approx(reference.top_k_accuracy_score(labels, chances, k=2))
    assert value("brier", given) == pytest.approx(((chances - np.eye(5)[labels]) ** 2).sum(1).mean())


def test_a_perfect_model_is_perfect_and_a_certain_error_is_not_infinite():
    labels = np.array([0, 1, 2, 1])
    perfect = Predictions(labels, np.eye(3)[labels], index=np.arange(4))
    for name, best in (("accuracy", 1), ("f1_weighted", 1), ("f1_macro", 1), ("log_loss", 0), ("brier", 0), ("ece", 0)):
        assert value(name, perfect) == pytest.approx(best, abs=1e-12)
    wrong = Predictions(labels, np.eye(3)[(labels + 1) % 3], index=np.arange(4))
    assert value("log_loss", wrong) == pytest.approx(-np.log(np.finfo(float).eps))
    assert value("brier", wrong) == 2
    assert value("ece", wrong) == 1


def test_ece_by_hand():
    chances = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.9, 0.1]])
    given = Predictions(np.array([0, 1, 0, 0]), chances, index=np.arange(4))
    # Two bins of two: confidence 1.3 with 1 right, 1.7 with 2 right.
    assert value("ece", given, bins=2) == pytest.approx((0.3 + 0.3) / 4)


@pytest.mark.parametrize("name", DEFS)
def test_the_order_of_images_does_not_matter(name):
    given = predictions()
    order = np.random.default_rng(1).permutation(len(given.labels))
    shuffled = Predictions(given.labels[order], given.probabilities[order], index=given.index[order])
    assert value(name, given) == pytest.approx(value(name, shuffled))


@pytest.mark.parametrize("name", DEFS)
def test_better_models_score_better_in_the_direction_that_is_claimed(name):
    poor, good = predictions(skill=0.5), predictions(skill=3.0)
    if name == "ece":
        pytest.skip("calibration is no matter of skill")
    assert (value(name, good) > value(name, poor)) == DEFS[name].higher_is_better
