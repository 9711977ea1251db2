"""One trained model, and two against each other: against values known from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import proportion_confint

from mnistarena.stats import crossed, intervals


@pytest.mark.parametrize(("right", "n"), [(0, 50), (1, 50), (9911, 10_000), (50, 50), (5, 7)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_one_model_has_the_exact_interval_of_scipy_and_statsmodels(right: int, n: int, confidence: float) -> None:
    found = intervals.exact(right, n, confidence)
    oracle = stats.binomtest(right, n).proportion_ci(confidence, method="exact")
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    expected = proportion_confint(right, n, alpha=1 - confidence, method="beta")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [10, 50, 100])
@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99])
def test_one_model_is_held_as_often_as_it_is_said(n: int, accuracy: float) -> None:
    right = np.arange(n + 1)
    ends = [intervals.exact(int(r), n) for r in right]
    held = np.array([found.low <= accuracy <= found.high for found in ends])
    assert stats.binom.pmf(right, n, accuracy)[held].sum() >= 0.95


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (3, 9), (41, 60), (200, 200), (350, 120)])
def test_mcnemar_agrees_with_statsmodels(first: int, second: int) -> None:
    a = np.repeat([True, False, True], [first, second, 100])
    b = np.repeat([False, True, True], [first, second, 100])
    found = crossed.mcnemar(a, b)
    expected = contingency_tables.mcnemar([[100, first], [second, 0]], exact=True).pvalue
    assert found.p == pytest.approx(min(1.0, expected), abs=1e-12)


def test_no_images_tell_nothing() -> None:
    found = intervals.exact(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(("discordant", "needed"), [(20, 10), (60, 18), (100, 22), (200, 30)])
def test_mcnemar_needs_the_published_imbalance(discordant: int, needed: int) -> None:
    def p(imbalance: int) -> float:
        first = (discordant + imbalance) // 2
        a = np.zeros(1000, bool)
        a[:first] = True
        b = np.zeros(1000, bool)
        b[first:discordant] = True
        return crossed.mcnemar(a, b).p

    assert p(needed) < 0.05 <= p(needed - 2)


def test_models_that_agree_are_not_told_apart() -> None:
    a = np.arange(100) % 10 > 0
    assert crossed.mcnemar(a, a).p == 1.0
