"""Ratios of times: scipy is the oracle, and figures that never differ are not certain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mnistarena.stats.ratios import LEAST_DEVIATION, SAME, apart, judge_ratios, paired


def test_paired_ratios_are_students_t_on_the_log_scale() -> None:
    rng = np.random.default_rng(1)
    base = np.exp(rng.normal(0, 0.3, 6))
    own = list(1.1 * base * np.exp(rng.normal(0, 0.05, 6)))
    ratio = paired(own, list(base))
    wanted = stats.ttest_rel(np.log(own), np.log(base))
    ends = wanted.confidence_interval(0.95)
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((np.exp(ends.low), np.exp(ends.high)))
    assert 2 * min(ratio.p_above(1), ratio.p_below(1)) == pytest.approx(wanted.pvalue)
    assert ratio.rounds == 6


def test_ratios_of_two_runs_are_welchs() -> None:
    rng = np.random.default_rng(2)
    first, second = list(np.exp(rng.normal(0.2, 0.1, 5))), list(np.exp(rng.normal(0, 0.02, 3)))
    ratio = apart(first, second)
    ends = stats.ttest_ind(np.log(first), np.log(second), equal_var=False).confidence_interval(0.95)
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((np.exp(ends.low), np.exp(ends.high)))
    assert apart([1.0], second) is None


def test_figures_that_never_differ_are_not_certain() -> None:
    two, five = paired([3.0] * 2, [3.0] * 2), paired([3.0] * 5, [3.0] * 5)
    assert two is not None
    assert five is not None
    half = stats.t.ppf(0.975, 4) * LEAST_DEVIATION / np.sqrt(5)
    assert np.log(five.high) == pytest.approx(half)
    assert [one.verdict for one in judge_ratios([two])] == ["undecided"]
    assert [one.verdict for one in judge_ratios([five])] == ["same"]


def test_a_verdict_takes_a_difference_that_matters_and_the_family() -> None:
    sure = paired([1.01] * 9 + [1.0101], [1.0] * 10)
    assert sure is not None
    assert sure.p_above(1) < 0.001
    assert judge_ratios([sure])[0].verdict == "same", "1 % is within the margin"
    near = paired([1.05, 1.11, 1.02, 1.09], [1.0] * 4)
    assert near is not None
    assert [one.verdict for one in judge_ratios([near])] == ["more"]
    family = judge_ratios([near, None, *[paired([1.0, 1.3, 0.8, 1.0], [1.0] * 4)] * 9])
    assert (family[0].verdict, family[1].verdict) == ("undecided", "not compared")
    assert family[0].p == pytest.approx(10 * 2 * near.p_above(1))
    assert SAME == 0.02
