"""Identities and bounds that two figures of one model must obey."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mnistarena.stats import consistency


def test_weighted_f1_differs_from_accuracy_by_exactly_this() -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    matrix = consistency.confusion(labels, predicted, 5)
    assert (matrix == confusion_matrix(labels, predicted)).all()
    expected = f1_score(labels, predicted, average="weighted") - accuracy_score(labels, predicted)
    assert consistency.weighted_f1_gap(matrix) == pytest.approx(expected, abs=1e-12)


def test_the_bound_on_weighted_f1_holds_and_is_reached() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), [30, 40, 50, 60])
    for errors in (1, 7, 29):
        bound = consistency.weighted_f1_bound(errors, labels.size, 30)
        for _ in range(50):
            predicted = labels.copy()
            wrong = rng.choice(labels.size, errors, replace=False)
            predicted[wrong] = (labels[wrong] + rng.integers(1, 4, errors)) % 4
            assert abs(consistency.weighted_f1_gap(consistency.confusion(labels, predicted, 4))) <= bound + 1e-12
    assert consistency.weighted_f1_bound(50, labels.size, 30) == math.inf


def test_the_notebooks_published_figures_contradict_each_other() -> None:
    reason = consistency.contradiction(0.9911, 0.9887, 10_000, 892)
    assert reason is not None
    assert "0.24 pp" in reason
    assert "0.023 pp" in reason
    assert consistency.contradiction(0.9911, 0.9911, 10_000, 892) is None
