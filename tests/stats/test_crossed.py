"""Statistics against values known from elsewhere, and against their own definitions."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import contingency_tables
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from mnistarena.stats import crossed, verdicts


def draw(k: int, n: int, accuracy: float, seed: int) -> crossed.Correct:
    return np.random.default_rng(seed).random((k, n)) < accuracy


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(9900, 10_000, 0.9879, 0.9918), (9950, 10_000, 0.9934, 0.9962), (8, 10, 0.4902, 0.9433)],
)
def test_wilson_gives_the_published_ends(right: int, n: int, low: float, high: float) -> None:
    found = crossed.wilson(right, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize("right", [0, 1, 37, 49, 50])
def test_wilson_agrees_with_scipy(right: int) -> None:
    found = crossed.wilson(right, 50)
    expected = stats.binomtest(right, 50).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(1, 50), (9911, 10_000), (50, 50), (5, 7)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_statsmodels(right: int, n: int, confidence: float) -> None:
    found = crossed.wilson(right, n, confidence)
    expected = proportion_confint(right, n, alpha=1 - confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 5), (3, 9), (41, 60), (200, 200), (350, 120)])
def test_mcnemar_agrees_with_statsmodels(first: int, second: int) -> None:
    a = np.repeat([True, False, True], [first, second, 100])
    b = np.repeat([False, True, True], [first, second, 100])
    found = crossed.mcnemar(a, b)
    expected = contingency_tables.mcnemar([[100, first], [second, 0]], exact=True).pvalue
    assert found.p == pytest.approx(min(1.0, expected), abs=1e-12)
    assert found == crossed.Crossed([a[None], b[None]]).mcnemar(0, 1)


def test_holm_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 10, 45):
        p = rng.random(size) ** 3
        assert verdicts.holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]), abs=1e-12)


def test_wilson_of_no_images_knows_nothing() -> None:
    found = crossed.wilson(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_seed_permits_no_claim_about_a_recipe() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.9, 1)
    assert crossed.seed_mean(one) is None
    assert crossed.difference(one, three) is None
    assert crossed.difference(three, one) is None


def test_one_seed_of_a_deterministic_recipe_is_enough() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.8, 1)
    assert crossed.seed_mean(one, deterministic=True) is not None
    found = crossed.difference(one, three, deterministic=(True, False))
    assert found is not None
    assert found.estimate == pytest.approx(one.mean() - three.mean())


def test_seeds_that_differ_by_nothing_but_their_images_add_no_variance() -> None:
    same = np.repeat(draw(1, 400, 0.9, 3), 4, axis=0)
    part = crossed.Crossed([same]).component(0)
    assert part is not None
    assert part.between == pytest.approx(0.0, abs=1e-15)


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


def test_the_difference_turns_with_its_sides() -> None:
    a, b = draw(3, 800, 0.9, 1), draw(4, 800, 0.88, 2)
    there, back = crossed.difference(a, b), crossed.difference(b, a)
    assert there is not None
    assert back is not None
    assert there.estimate == pytest.approx(-back.estimate)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_above(0) == pytest.approx(back.p_below(0))


def test_the_difference_follows_its_formula() -> None:
    a, b = draw(3, 700, 0.9, 1), draw(5, 700, 0.85, 2)
    a[0] |= draw(1, 700, 0.7, 9)[0]
    found = crossed.difference(a, b)
    assert found is not None
    means = a.mean(axis=0) - b.mean(axis=0)
    images, total, weight = means.var(ddof=1) / 700, means.var(ddof=1) / 700, 0.0
    weight += images**2 / 699
    for correct in (a, b):
        k = len(correct)
        rest = correct - correct.mean(1, keepdims=True) - correct.mean(0) + correct.mean()
        interaction = (rest**2).sum() / ((k - 1) * 699) / 700
        square = correct.mean(1).var(ddof=1)
        if square > interaction:
            total += (square - interaction) / k
            weight += (square / k) ** 2 / (k - 1)
    df = total**2 / weight
    assert found.estimate == pytest.approx(means.mean())
    assert found.image_variance == pytest.approx(images)
    assert found.standard_error == pytest.approx(math.sqrt(total))
    assert found.df == pytest.approx(df)
    assert found.high == pytest.approx(means.mean() + stats.t.ppf(0.975, df) * math.sqrt(total))
    assert found.p_above(0.01) == pytest.approx(stats.t.sf((means.mean() - 0.01) / math.sqrt(total), df))


def test_all_pairs_at_once_are_the_pairs_one_by_one() -> None:
    recipes = [draw(k, 300, 0.9, k) for k in (2, 3, 1, 5)]
    together = crossed.Crossed(recipes)
    for a, b in itertools.combinations(range(4), 2):
        one, many = crossed.difference(recipes[a], recipes[b]), together.difference(a, b)
        assert (one is None) == (many is None) == (2 in (a, b))
        if one and many:
            assert (many.estimate, many.low, many.df) == pytest.approx((one.estimate, one.low, one.df))
        assert together.mcnemar(a, b) == crossed.mcnemar(recipes[a][0], recipes[b][0])


def test_the_chance_that_one_seed_beats_another_counts_ties_half() -> None:
    a = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    b = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    u = stats.mannwhitneyu(a.mean(1), b.mean(1)).statistic
    assert crossed.Crossed([a, b]).superiority(0, 1) == pytest.approx(u / 4) == pytest.approx(0.875)


def test_a_place_is_the_span_that_the_verdicts_leave() -> None:
    assert verdicts.possible_places(4, {(0, 2), (0, 3), (1, 3)}) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert verdicts.possible_places(3, set()) == [(1, 3)] * 3
    assert verdicts.possible_places(2, {(1, 0)}) == [(2, 2), (1, 1)]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits, repeats = np.random.default_rng(7), 0, 200
    for _ in range(repeats):
        hard = rng.normal(0, 1.5, 600)
        sides = [
            3 + hard + rng.normal(0, 0.25, (3, 1)) + rng.normal(0, 0.7, (3, 600)) > 0 for _ in range(2)
        ]  # two recipes alike
        found = crossed.difference(*sides)
        assert found is not None
        hits += found.low <= 0 <= found.high
    assert 0.89 <= hits / repeats <= 0.99


def test_recipes_on_different_images_are_not_paired() -> None:
    with pytest.raises(ValueError, match="same test images"):
        crossed.difference(draw(2, 10, 0.5, 0), draw(2, 11, 0.5, 0))


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
    a = draw(1, 100, 0.9, 0)[0]
    assert crossed.mcnemar(a, a).p == 1.0


def test_holm_steps_down_in_the_order_given() -> None:
    assert verdicts.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert verdicts.holm([0.9, 0.8]) == [1.0, 1.0]
    assert verdicts.holm([]) == []


def sure(estimate: float, standard_error: float) -> crossed.Difference:
    return crossed.Difference(
        estimate, math.nan, high=math.nan, image_variance=standard_error**2, seed_variance=0.0, df=1000.0
    )


def test_verdicts_say_better_worse_equal_and_undecided() -> None:
    pairs = [sure(0.01, 0.001), sure(-0.01, 0.001), sure(0.0001, 0.0002), sure(0.002, 0.004)]
    assert verdicts.verdicts(pairs) == ["better", "worse", "equal", "undecided"]


def test_a_certain_difference_within_the_margin_is_not_called_better() -> None:
    assert verdicts.verdicts([sure(0.0008, 0.0001)]) == ["equal"]


def test_the_same_evidence_decides_less_in_a_larger_family() -> None:
    pair = sure(0.01, 0.0044)
    assert verdicts.verdicts([pair]) == ["better"]
    assert verdicts.verdicts([pair, *[sure(0.0, 0.01)] * 9])[0] == "undecided"


def test_a_recipe_against_itself_is_practically_equal() -> None:
    same = np.repeat(draw(1, 100, 0.9, 3), 2, axis=0)
    found = crossed.difference(same, same)
    assert found is not None
    assert verdicts.verdicts([found]) == ["equal"]


def test_statistics_imports_no_torch_and_no_pandas() -> None:
    code = "import sys, mnistarena.stats.verdicts; print({'torch', 'pandas', 'altair'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
