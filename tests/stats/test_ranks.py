"""Ranks across datasets: the same figures as scipy.stats gives, and what few datasets can show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mnistarena.stats import ranks


@pytest.mark.parametrize("decimals", [1, 6], ids=["ties", "no ties"])
@pytest.mark.parametrize(("datasets", "recipes"), [(5, 3), (9, 4), (24, 7)])
def test_friedmans_test_is_scipys_with_and_without_ties(datasets: int, recipes: int, decimals: int) -> None:
    rng = np.random.default_rng(datasets)
    scores = np.round(rng.normal(0, 0.3, (datasets, recipes)) + np.linspace(0, 0.3, recipes), decimals)
    found = ranks.friedman(scores)
    expected = stats.friedmanchisquare(*scores.T)
    assert (found.chi_square, found.p_chi_square) == pytest.approx(tuple(expected), rel=1e-9)
    # Conover 1999: F is that of an analysis of variance of the ranks, datasets being blocks.
    order = stats.rankdata(-scores, axis=1)
    between = datasets * ((order.mean(0) - order.mean()) ** 2).sum() / (recipes - 1)
    rest = ((order - order.mean(0)) ** 2).sum() / ((recipes - 1) * (datasets - 1))
    assert found.f == pytest.approx(between / rest)
    assert found.p == pytest.approx(stats.f.sf(between / rest, recipes - 1, (recipes - 1) * (datasets - 1)))
    assert ranks.rank(scores) == pytest.approx(order)


def test_recipes_that_always_or_never_differ_are_no_error() -> None:
    assert ranks.friedman(np.ones((6, 3))).p == 1.0
    same_order = ranks.friedman(np.tile([0.9, 0.8, 0.7], (6, 1)))
    assert (same_order.f, same_order.p) == (math.inf, 0.0)
    assert same_order.chi_square == pytest.approx(12)


@pytest.mark.parametrize("n", [5, 8, 20])
def test_signed_ranks_are_scipys_exact_ones(n: int) -> None:
    rng = np.random.default_rng(n)
    for gaps in (rng.normal(0.3, 1, n), rng.normal(0, 1, n)):
        assert ranks.wilcoxon(gaps) == pytest.approx(stats.wilcoxon(gaps, method="exact").pvalue)


def test_signed_ranks_with_ties_are_exact_and_leave_out_zeros() -> None:
    gaps = np.array([3.0, 1, -1, 2, 2, 2, -3, 4, 0, 0])
    every_sign = stats.PermutationMethod(n_resamples=np.inf)
    assert ranks.wilcoxon(gaps) == pytest.approx(stats.wilcoxon(gaps[gaps != 0], method=every_sign).pvalue)
    assert ranks.wilcoxon(np.zeros(6)) == 1.0


def test_means_that_differ_in_their_last_bits_only_are_ties() -> None:
    scores = np.array([[0.1 + 0.2, 0.3], [0.5, 0.4]])
    assert ranks.rank(scores).tolist() == [[1.5, 1.5], [1, 2]]
    assert ranks.signed_ranks(scores)[0].ties == 1


def test_pairs_are_corrected_by_holm_over_all_of_them() -> None:
    scores = np.linspace(0, 0.1, 8)[:, None] ** [1, 2, 3] + [0.8, 0.7, 0.6]
    pairs = ranks.signed_ranks(scores)
    assert [(pair.a, pair.b, pair.wins, pair.losses) for pair in pairs] == [(0, 1, 8, 0), (0, 2, 8, 0), (1, 2, 8, 0)]
    assert [pair.p_adjusted for pair in pairs] == pytest.approx([3 * 2 / 2**8] * 3)


def test_the_smallest_p_is_what_a_winner_everywhere_gets() -> None:
    for n in (5, 6, 9):
        assert ranks.smallest_p(n) == pytest.approx(ranks.wilcoxon(np.arange(1.0, n + 1)))
    assert ranks.smallest_p(5) > 0.05
    assert (ranks.datasets_needed(1), ranks.datasets_needed(3), ranks.datasets_needed(10)) == (6, 7, 9)


def test_groups_are_all_that_is_not_told_apart_and_nothing_else() -> None:
    assert ranks.groups(4, {(0, 2), (0, 3), (1, 3)}) == [(0, 1), (1, 2), (2, 3)]
    assert ranks.groups(3, {(0, 1)}) == [(0, 2), (1, 2)]  # not neighbours in rank, yet not told apart
    assert ranks.groups(3, set()) == [(0, 1, 2)]
    assert ranks.groups(2, {(0, 1)}) == []


def test_a_median_difference_within_the_margin_tells_nobody_apart() -> None:
    one_image = np.array([[0.9 + 1 / 2000, 0.9]] * 7)
    (pair,) = ranks.signed_ranks(one_image)
    assert pair.p_adjusted < 0.05
    assert (pair.apart(0.001), pair.apart(0.0001)) == (0, 1)
    (turned,) = ranks.signed_ranks(one_image[:, ::-1])
    assert turned.apart(0.0001) == -1
