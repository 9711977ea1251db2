"""Means and differences over seeds and images: against scipy, statsmodels, their own definitions and their limits."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import ttost_paired

from mnistarena.stats import crossed
from mnistarena.stats.intervals import Difference


def draw(k: int, n: int, accuracy: float, seed: int) -> crossed.Correct:
    return np.random.default_rng(seed).random((k, n)) < accuracy


def compared(a: crossed.Contributions, b: crossed.Contributions, *, deterministic: bool = False) -> Difference:
    found = crossed.Crossed([a, b], [deterministic, deterministic]).difference(0, 1)
    assert found is not None
    return found


def test_one_seed_permits_no_claim_about_a_recipe() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.9, 1)
    assert crossed.Crossed([one]).mean(0) is None
    assert crossed.Crossed([one, three]).difference(0, 1) is None
    assert crossed.Crossed([three, one]).difference(0, 1) is None


def test_one_seed_of_a_deterministic_recipe_is_enough() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.8, 1)
    assert crossed.Crossed([one], [True]).mean(0) is not None
    found = crossed.Crossed([one, three], [True, False]).difference(0, 1)
    assert found is not None
    assert found.estimate == pytest.approx(one.mean() - three.mean())


def with_one_image_each_way(a: crossed.Correct, b: crossed.Correct) -> tuple[np.ndarray, np.ndarray]:
    """The answers of two single models, and two images of which each has one alone right."""
    return np.append(a[0], [1, 0]).astype(float), np.append(b[0], [0, 1]).astype(float)


@pytest.mark.parametrize(("n", "accuracy"), [(40, 0.7), (300, 0.9), (300, 0.998), (10_000, 0.99)])
def test_two_deterministic_recipes_are_a_paired_t_test_with_an_image_each_way(n: int, accuracy: float) -> None:
    a, b = draw(1, n, accuracy, 1), draw(1, n, accuracy - 0.01, 2)
    found = compared(a, b, deterministic=True)
    first, second = with_one_image_each_way(a, b)
    expected = stats.ttest_rel(first, second)
    ends = expected.confidence_interval()
    assert found.estimate == pytest.approx(a.mean() - b.mean(), abs=1e-15)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), rel=2e-3)
    assert 2 * min(found.p_above(0.0), found.p_below(0.0)) == pytest.approx(expected.pvalue, rel=5e-3)
    p, lower, upper = ttost_paired(first, second, -0.02, 0.02)
    assert (found.p_above(-0.02), found.p_below(0.02)) == pytest.approx((lower[1], upper[1]), rel=2e-2, abs=1e-9)
    assert max(found.p_above(-0.02), found.p_below(0.02)) == pytest.approx(p, rel=2e-2)


@pytest.mark.parametrize("right", [0, 3, 250, 450, 499, 500])
def test_a_deterministic_mean_is_agresti_and_coulls_interval(right: int) -> None:
    found = crossed.Crossed([np.arange(500)[None] < right], [True]).mean(0)
    low, high = proportion_confint(right, 500, method="agresti_coull")
    assert found is not None
    assert found.estimate == right / 500
    assert (found.low, found.high) == pytest.approx((max(low, 0), min(high, 1)), abs=3e-4)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 100), (5, 10_000)])
def test_seeds_without_an_error_are_not_certain(k: int, n: int, right: bool) -> None:
    every = np.full((k, n), right)
    found = crossed.Crossed([every]).mean(0)
    assert found is not None
    assert (found.estimate, found.high if right else found.low) == (right, right)
    width = found.high - found.low
    assert 0 < width <= 1
    assert n < 100 or width < 8 / n
    same = compared(every, every)
    assert same.low < 0 < same.high
    assert same.estimate == same.low + same.high == 0


def test_recipes_that_agree_on_every_image_may_differ_by_what_the_images_do_not_show() -> None:
    same = np.repeat(draw(1, 1000, 0.9, 3), 3, axis=0)
    found = compared(same, same)
    assert found.high == -found.low == pytest.approx(1.96 * math.sqrt(2) / 1002, rel=1e-2)


@pytest.mark.parametrize(("only_first", "only_second"), [(6, 3), (3, 6), (10, 6), (1, 0)])
def test_at_a_tie_of_the_mean_squares_the_seeds_add_exactly_nothing(only_first: int, only_second: int) -> None:
    # Of two seeds, (x₁ − x₂)² is to s² as the number of images that one has alone right is to MSI/n.
    first = np.repeat([True, False, True], [only_first, only_second, 91])
    second = np.repeat([False, True, True], [only_first, only_second, 91])
    part = crossed.Crossed([np.array([first, second])]).component(0)
    assert part is not None
    assert part.square == part.interaction > 0
    assert part.between == 0.0


def test_the_interval_does_not_jump_at_a_tie() -> None:
    found = compared(draw(3, 500, 0.9, 1), draw(3, 500, 0.88, 2))
    part, other = found.components
    ends = []
    for factor in (1 - 1e-9, 1, 1 + 1e-9):
        tied = replace(found, components=(replace(part, square=part.interaction * factor), other))
        ends.append((tied.interval().low, tied.p_above(0.0)))
    assert ends[0] == pytest.approx(ends[1], abs=1e-10)
    assert ends[2] == pytest.approx(ends[1], abs=1e-10)


def test_seeds_that_differ_by_nothing_but_their_images_add_no_variance() -> None:
    same = np.repeat(draw(1, 400, 0.9, 3), 4, axis=0)
    part = crossed.Crossed([same]).component(0)
    assert part is not None
    assert (part.square, part.interaction, part.between) == (0.0, 0.0, 0.0)


def test_the_seed_variance_is_the_anova_estimate() -> None:
    correct = draw(4, 60, 0.7, 5)
    correct[0] |= draw(1, 60, 0.5, 6)[0]
    k, n = correct.shape
    values = correct.astype(float)
    grand, rows, columns = values.mean(), values.mean(1), values.mean(0)
    seeds = n * ((rows - grand) ** 2).sum() / (k - 1)
    rest = sum((values[s, i] - rows[s] - columns[i] + grand) ** 2 for s, i in itertools.product(range(k), range(n)))
    expected = max(0.0, (seeds - rest / ((k - 1) * (n - 1))) / n) / k
    part = crossed.Crossed([correct]).component(0)
    assert part is not None
    assert part.between == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_many_seeds_and_images_come_to_the_t_interval_of_their_variances(spread: float) -> None:
    rng = np.random.default_rng(4)
    n = 30_000
    a, b = (rng.random((150, n)) < rng.normal(mean, spread, (150, 1)) for mean in (0.9, 0.89))
    found = compared(a, b)
    means = a.mean(axis=0) - b.mean(axis=0)
    variance = means.var(ddof=1) / n
    for correct in (a, b):
        rest = correct - correct.mean(1, keepdims=True) - correct.mean(0) + correct.mean()
        interaction = (rest**2).sum() / (149 * (n - 1)) / n
        variance += max(0.0, correct.mean(1).var(ddof=1) - interaction) / 150
    assert found.estimate == pytest.approx(means.mean())
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-2)
    assert found.high - found.low == pytest.approx(2 * stats.t.ppf(0.975, 149) * math.sqrt(variance), rel=1e-2)


def test_few_seeds_that_differ_widen_the_interval_by_what_they_do_not_know() -> None:
    rng = np.random.default_rng(6)

    def width(k: int) -> float:
        """The median width in units of the true standard error; seeds vary much more than their images make them."""
        widths = []
        for _ in range(15):
            a, b = (rng.random((k, 2000)) < rng.normal(0.9, 0.04, (k, 1)) for _ in range(2))
            found = compared(a, b)
            widths.append((found.high - found.low) / math.sqrt(2 * 0.04**2 / k))
        return float(np.median(widths))

    two, five, ten = width(2), width(5), width(10)
    assert two > 2 * five > 2 * ten
    # Two of ten seeds each: about Welch's t with 13 degrees of freedom or so.
    assert ten == pytest.approx(2 * stats.t.ppf(0.975, 14), rel=0.25)


correctness = st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(1, 12)).flatmap(
    lambda size: st.tuples(
        arrays.arrays(np.bool_, (size[0], size[2])),
        arrays.arrays(np.bool_, (size[1], size[2])),
        st.permutations(range(size[2])),
        st.permutations(range(size[0])),
    )
)


@given(correctness)
@settings(max_examples=60, deadline=None)
def test_no_order_changes_a_bit_and_the_sides_mirror_each_other(
    drawn: tuple[crossed.Correct, crossed.Correct, list[int], list[int]],
) -> None:
    a, b, images, seeds = drawn
    found = compared(a, b)
    assert compared(a[seeds][:, images], b[:, images]) == found
    assert compared(b, a) == found.turned()
    assert compared(b, a).turned() == found
    assert crossed.Crossed([a[seeds][:, images]]).mean(0) == crossed.Crossed([a]).mean(0)
    assert found.low < found.centre < found.high
    inner = found.interval(0.9)
    assert found.low < inner.low < inner.high < found.high
    ps = [found.p_above(bound) for bound in (-0.5, -0.1, 0.0, 0.1, 0.5)]
    assert ps == sorted(ps)
    assert all(0 < p < 1 for p in ps)
    assert found.p_above(found.low) == pytest.approx(0.025, rel=1e-6)
    assert found.p_above(0.2) + found.p_below(0.2) == pytest.approx(1, abs=1e-9)


def test_shares_of_right_answers_are_compared_like_answers() -> None:
    a, b = draw(3, 400, 0.9, 1), draw(3, 400, 0.85, 2)
    whole, halved = (
        compared(a.astype(float), b.astype(float)),
        crossed.Crossed([a / 2, b / 2], span=0.5).difference(0, 1),
    )
    assert halved is not None
    assert halved.low == pytest.approx(whole.low / 2)
    assert halved.p_above(0.0) == pytest.approx(whole.p_above(0.0))


def test_all_pairs_at_once_are_the_pairs_one_by_one() -> None:
    recipes = [draw(k, 300, 0.9, k) for k in (2, 3, 1, 5)]
    together = crossed.Crossed(recipes)
    for a, b in itertools.combinations(range(4), 2):
        one, many = crossed.Crossed([recipes[a], recipes[b]]).difference(0, 1), together.difference(a, b)
        assert (one is None) == (many is None) == (2 in (a, b))
        if one and many:
            assert many == replace(one, shared=many.shared)


def test_the_chance_that_one_seed_beats_another_counts_ties_half() -> None:
    a = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    b = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    u = stats.mannwhitneyu(a.mean(1), b.mean(1)).statistic
    assert crossed.Crossed([a, b]).superiority(0, 1) == pytest.approx(u / 4) == pytest.approx(0.875)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits, repeats = np.random.default_rng(7), 0, 200
    for _ in range(repeats):
        hard = rng.normal(0, 1.5, 600)
        sides = [
            3 + hard + rng.normal(0, 0.5, 600) + rng.normal(0, 0.1, (10, 1)) + rng.normal(0, 0.7, (10, 600)) > 0
            for _ in range(2)
        ]
        found = compared(*sides)  # two recipes of the same accuracy
        hits += found.low <= 0 <= found.high
    assert 0.91 <= hits / repeats <= 0.99


def test_recipes_on_different_images_are_not_paired() -> None:
    with pytest.raises(ValueError, match="same test images"):
        crossed.Crossed([draw(2, 10, 0.5, 0), draw(2, 11, 0.5, 0)])


def test_statistics_imports_no_torch_and_no_pandas() -> None:
    code = "import sys, mnistarena.stats.verdicts; print({'torch', 'pandas', 'altair'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
