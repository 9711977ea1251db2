"""The distribution of an estimate whose variance few seeds know, against drawing from it and against its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mnistarena.stats.pivotal import Pivot


def pivot(images: float, image_df: float, *parts: tuple[float, float, int, float]) -> Pivot:
    """One estimate; a part is (s², MSI/n, k, ν)."""
    square, interaction, seeds, df = np.array(parts or [(0, 0, 1, 1)], dtype=float).T[:, None, :]
    return Pivot(np.array([images]), np.array([image_df]), square=square, interaction=interaction, seeds=seeds, df=df)


def tail(known: Pivot, distance: float) -> float:
    return float(known.tail(np.array([distance]))[0])


def quantile(known: Pivot, p: float) -> float:
    return float(known.quantile(np.array([p]))[0])


@pytest.mark.parametrize("df", [12, 100, 10_001])
@pytest.mark.parametrize("p", [0.4, 0.05, 0.025, 1e-4])
def test_without_seeds_it_is_students_t(df: float, p: float) -> None:
    known = pivot(4.0, df)
    assert quantile(known, p) == pytest.approx(2 * stats.t.isf(p, df), rel=3e-3)
    assert tail(known, 2 * stats.t.isf(p, df)) == pytest.approx(p, rel=3e-2)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution_of_the_sum() -> None:
    known = pivot(1.0, 1e7, (3.0, 1.0, 2, 1e6), (5.0, 1.0, 4, 1e6))
    assert quantile(known, 0.025) == pytest.approx(stats.norm.isf(0.025) * np.sqrt(1 + 1 + 1), rel=2e-3)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_where_images_say_nothing_it_is_students_t_of_the_seeds(k: int) -> None:
    known = pivot(1e-12, 1e6, (1.0, 0.0, k, k - 1))
    for p in (0.1, 0.025, 1e-3):
        assert quantile(known, p) == pytest.approx(stats.t.isf(p, k - 1) / np.sqrt(k), rel=1e-2)


@pytest.mark.parametrize(
    "parts",
    [[(1.0, 1.0, 3, 2.0)], [(4.0, 1.0, 2, 1.0), (0.3, 1.0, 5, 4.0)], [(2.0, 0.1, 3, 6.4), (0.0, 1.0, 3, 2.0)]],
)
def test_it_is_the_distribution_that_drawing_from_it_gives(parts: list[tuple[float, float, int, float]]) -> None:
    rng = np.random.default_rng(1)
    variance, total, squares = np.ones(2_000_000), np.zeros(2_000_000), np.zeros(2_000_000)
    for square, interaction, k, df in parts:
        drawn = square * df / rng.chisquare(df, variance.size)
        variance += np.maximum(0.0, drawn - interaction) / k
        total, squares = total + drawn / k, squares + (drawn / k) ** 2
    df = [one[3] for one in parts]
    evenness = 1.25 * min(df) / max(df)
    weights = (total**2 / squares) ** evenness
    assert weights.min() >= 1 - 1e-9
    assert weights.max() <= len(parts) ** evenness
    weights /= weights.mean()
    known = pivot(1.0, 1e7, *parts)
    for distance in (0.5, 2.0, 4.0, 8.0):
        expected = weights * stats.norm.sf(distance / np.sqrt(variance))
        error = expected.std() / np.sqrt(variance.size)
        assert tail(known, distance) == pytest.approx(expected.mean(), rel=1e-2, abs=4 * error)


def test_the_quantile_undoes_the_tail_also_far_out() -> None:
    known = pivot(1.0, 300.0, (2.0, 1.0, 2, 1.0), (2.0, 1.0, 3, 2.0))
    for p in (0.45, 0.05, 0.025, 1e-3, 1e-6):
        assert tail(known, quantile(known, p)) == pytest.approx(p, rel=1e-6)
    assert tail(known, -1.0) == pytest.approx(1 - tail(known, 1.0))
    assert tail(known, 0.0) == pytest.approx(0.5)


def test_many_estimates_together_are_the_same_to_the_bit_as_alone() -> None:
    rng = np.random.default_rng(2)
    count = 450
    square, interaction = rng.random((2, count, 2))
    images, df = rng.random(count), rng.integers(1, 9, (count, 2)).astype(float)
    together = Pivot(images, np.full(count, 99.0), square=square, interaction=interaction, seeds=df + 1, df=df)
    distance, p = rng.normal(size=count), np.full(count, 0.025)
    tails, quantiles = together.tail(distance), together.quantile(p)
    for at in (0, 200, 449):
        alone = pivot(images[at], 99.0, *zip(square[at], interaction[at], df[at] + 1, df[at], strict=True))
        assert tail(alone, distance[at]) == tails[at]
        assert quantile(alone, 0.025) == quantiles[at]


def test_more_seeds_or_less_spread_never_widen_it() -> None:
    widths = [quantile(pivot(1.0, 99.0, (3.0, 1.0, k, k - 1.0)), 0.025) for k in (2, 3, 5, 10, 100)]
    assert widths == sorted(widths, reverse=True)
    spreads = [quantile(pivot(1.0, 99.0, (s, 1.0, 3, 2.0)), 0.025) for s in (0.0, 0.5, 1.0, 1.5, 5.0)]
    assert spreads == sorted(spreads)
    both = [quantile(pivot(1.0, 99.0, (s, 1.0, 3, 2.0), (1.0, 0.5, 5, 4.0)), 0.025) for s in np.arange(0.0, 6.0, 0.25)]
    assert both == sorted(both)


def test_two_recipes_that_are_alike_need_less_width_and_one_alone_as_much_as_before() -> None:
    alone = quantile(pivot(1e-9, 1e6, (4.0, 0.0, 5, 4.0), (0.0, 0.0, 5, 4.0)), 0.025)
    assert alone == pytest.approx(stats.t.isf(0.025, 4) * np.sqrt(4 / 5), rel=1e-2)
    alike = quantile(pivot(1e-9, 1e6, (2.0, 0.0, 5, 4.0), (2.0, 0.0, 5, 4.0)), 0.025)
    # Between Welch's, on 8 degrees of freedom, and that of one recipe, on 4.
    assert stats.t.isf(0.025, 8) * np.sqrt(4 / 5) < alike < alone
