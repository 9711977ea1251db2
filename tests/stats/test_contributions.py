"""Figures of any kind, and groups: against scipy, statsmodels, the exact path of accuracy, and their limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from mnistarena.stats import contributions
from mnistarena.stats.clusters import Clusters
from mnistarena.stats.crossed import Contributions, Crossed, mcnemar
from mnistarena.stats.intervals import Difference, Interval
from mnistarena.stats.power import need
from mnistarena.stats.verdicts import judge

RANDOM = np.random.default_rng(0)
OF = np.repeat(np.arange(60), RANDOM.integers(1, 12, 60))
"""Groups of unlike size."""


def answers(k: int, n: int, accuracy: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((k, n)) < accuracy


def losses(k: int, n: int, mean: float = 0.3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).exponential(mean, (k, n))


def difference(a: Contributions, b: Contributions, groups: np.ndarray | None = None, one: bool = False) -> Difference:
    found = Crossed([a, b], [one, one], groups=groups, share=False).difference(0, 1)
    assert found is not None
    return found


def mean(given: Contributions, groups: np.ndarray | None = None, *, one: bool = False, share: bool = True) -> Interval:
    found = Crossed([given], [one], groups=groups, share=share).mean(0)
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "accuracy"), [(40, 0.7), (300, 0.99), (300, 1.0), (2000, 0.2)])
def test_right_and_wrong_as_real_numbers_are_what_they_are_as_answers(n: int, accuracy: float) -> None:
    a, b = answers(3, n, accuracy, 1), answers(2, n, accuracy, 2)
    exact = Crossed([a, b])
    # Of groups the two that were added are no degrees of freedom.
    for other, close in (
        (Crossed([a.astype(float), b.astype(float)]), 1e-9),
        (Crossed([a, b], groups=np.arange(n)), 0.02),
    ):
        one, two = exact.mean(0), other.mean(0)
        assert one is not None
        assert two is not None
        assert (two.low, two.high) == pytest.approx((one.low, one.high), rel=close)
        wide, width = exact.difference(0, 1), other.difference(0, 1)
        assert wide is not None
        assert width is not None
        # The size of the added images is another one for real numbers, which may be of any size.
        assert (width.low, width.high) == pytest.approx((wide.low, wide.high), rel=max(close, 0.03))


def test_two_models_are_a_paired_t_test_with_an_image_each_way() -> None:
    a, b = losses(1, 200), losses(1, 200, 0.35, 1)
    found, apart = difference(a, b, one=True), (a - b)[0]
    more = (np.abs(apart) ** 3).sum() / (apart**2).sum()
    expected = stats.ttest_1samp(np.append(apart, [more, -more]), 0.0)
    assert found.estimate == pytest.approx(apart.mean())
    assert 2 * min(found.p_above(0.0), found.p_below(0.0)) == pytest.approx(expected.pvalue, rel=5e-3)
    assert difference(b, a, one=True) == found.turned()


def test_a_unit_changes_nothing_but_the_numbers() -> None:
    a, b = losses(3, 150), losses(4, 150, 0.4, 1)
    found, larger = difference(a, b), difference(1000 * a, 1000 * b)
    assert (larger.low, larger.high) == pytest.approx((1000 * found.low, 1000 * found.high))
    assert larger.p_above(0.0) == pytest.approx(found.p_above(0.0))
    one, other = mean(a, share=False), mean(1000 * a, share=False)
    assert (other.low, other.high) == pytest.approx((1000 * one.low, 1000 * one.high))


def test_recipes_that_lose_the_same_may_differ_by_what_the_images_do_not_show() -> None:
    same = losses(1, 300)
    found = difference(np.repeat(same, 2, axis=0), np.repeat(same, 3, axis=0))  # equal but for the rounding of sums
    size = (same**2).sum() / same.sum()
    assert found.high == pytest.approx(-found.low) == pytest.approx(1.97 * 2**0.5 * size / 302, rel=0.02)
    none = np.zeros((2, 300))
    assert 0 < difference(none, none).high < 0.02
    assert 0 == mean(none, share=False).low < mean(none, share=False).high < 0.05


@pytest.mark.parametrize("share", [True, False])
def test_a_share_is_cut_at_both_its_ends_and_a_loss_at_none_above(share: bool) -> None:
    found = mean(np.full((2, 10), 1.0), share=share)
    assert found.estimate == 1.0
    assert (found.high == 1.0) == share
    assert found.low >= 0.0


def test_the_variance_over_groups_is_statsmodels_cluster_robust_one() -> None:
    values = losses(1, len(OF))[0] + 0.2 * np.repeat(RANDOM.normal(size=60), np.bincount(OF))
    fit = sm.OLS(values, np.ones((len(OF), 1))).fit(
        cov_type="cluster", cov_kwds={"groups": OF, "use_correction": False}
    )
    residuals = Clusters(len(OF), OF).sums(values - values.mean())
    assert (residuals**2).sum() / len(OF) ** 2 == pytest.approx(fit.bse[0] ** 2)
    found = difference(values[None], np.zeros((1, len(OF))), OF, one=True)
    # Two groups more, G/(G − 1), and the middle a little nearer to 0.
    assert fit.bse[0] < found.image_variance**0.5 < 1.15 * fit.bse[0]
    assert found.image_df == 59


def test_images_that_are_copies_count_once() -> None:
    a, b = answers(3, 100, 0.8, 1), answers(3, 100, 0.7, 2)
    copied = [np.repeat(one, 5, axis=1) for one in (a, b)]
    groups = np.repeat(np.arange(100), 5)
    single, several = difference(a, b), difference(copied[0], copied[1], groups)
    assert (several.low, several.high) == pytest.approx((single.low, single.high), rel=1e-2)
    assert several.image_variance > 4 * difference(*copied).image_variance
    one, other = mean(a), mean(copied[0], groups)
    assert (other.low, other.high) == pytest.approx((one.low, one.high), rel=2e-2)


def test_groups_do_not_depend_on_how_they_are_named_or_where_their_images_stand() -> None:
    a, b = losses(2, len(OF)), losses(3, len(OF), 0.5, 1)
    order = RANDOM.permutation(len(OF))
    found, other = difference(a, b, OF), difference(a[:, order], b[:, order], 1000 - 7 * OF[order])
    assert (other.low, other.high) == pytest.approx((found.low, found.high))


def test_mcnemars_test_counts_groups() -> None:
    a, b = answers(1, 40, 0.7, 1)[0], answers(1, 40, 0.6, 2)[0]
    assert mcnemar(a, b, np.arange(40)).p == pytest.approx(mcnemar(a, b).p)
    groups = np.arange(40) // 5
    sums = [int(a[groups == g].sum()) - int(b[groups == g].sum()) for g in range(8)]
    drawn = [
        abs(sum(s * d for s, d in zip(signs, sums, strict=True))) for signs in itertools.product((1, -1), repeat=8)
    ]
    assert mcnemar(a, b, groups).p == pytest.approx(np.mean(np.array(drawn) >= abs(sum(sums))))


def test_where_lower_is_better_the_lower_figure_wins() -> None:
    found = difference(losses(5, 3000, 0.2), losses(5, 3000, 0.3, 1))
    assert judge([found], margin=0.01)[0].verdict == "worse"
    assert judge([found], margin=0.01, higher_is_better=False)[0].verdict == "better"
    assert need(difference(losses(3, 100, 0.28), losses(3, 100, 0.3, 1)), margin=0.01).goal == "difference"


def test_blocks_are_whole_groups_of_like_size_and_the_jackknife_of_a_mean_is_the_means_of_blocks() -> None:
    block = contributions.blocks(len(OF), OF)
    assert len(np.unique(block)) == contributions.BLOCKS
    assert all(len(np.unique(block[group == OF])) == 1 for group in range(60))
    values = losses(1, len(OF))[0]
    found = contributions.jackknife(float(values.mean()), lambda rows: float(values[rows].mean()), block)
    assert found == pytest.approx(np.array([values[block == one].mean() for one in block]))


def test_a_perfect_recall_of_few_images_is_not_taken_for_one_of_all() -> None:
    every = np.ones((1, 150))  # as they are of a recall of 15 of these images
    found = Crossed([every, every], [True, True], span=10.0)
    one, none = found.mean(0), found.difference(0, 1)
    assert one is not None
    assert none is not None
    assert one.low < proportion_confint(15, 15, method="agresti_coull")[0] < one.high == 1.0
    assert none.high > 0.15


@pytest.mark.parametrize("right", [280, 300])
def test_one_models_accuracy_by_real_numbers_is_agresti_and_coulls(right: int) -> None:
    found = mean((np.arange(300)[None] < right).astype(float), one=True)
    low, high = proportion_confint(right, 300, method="agresti_coull")
    assert (found.low, found.high) == pytest.approx((low, min(high, 1)), abs=5e-4)
