"""Statistics against values known from elsewhere, and against their own definitions."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from mnistarena import statistics


def draw(k: int, n: int, accuracy: float, seed: int) -> statistics.Correct:
    return np.random.default_rng(seed).random((k, n)) < accuracy


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(9900, 10_000, 0.9879, 0.9918), (9950, 10_000, 0.9934, 0.9962), (8, 10, 0.4902, 0.9433)],
)
def test_wilson_gives_the_published_ends(right: int, n: int, low: float, high: float) -> None:
    found = statistics.wilson(right, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize("right", [0, 1, 37, 49, 50])
def test_wilson_agrees_with_scipy(right: int) -> None:
    found = statistics.wilson(right, 50)
    expected = stats.binomtest(right, 50).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_images_knows_nothing() -> None:
    found = statistics.wilson(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_seed_permits_no_claim_about_a_recipe() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.9, 1)
    assert statistics.seed_mean(one) is None
    assert statistics.difference(one, three) is None
    assert statistics.difference(three, one) is None


def test_one_seed_of_a_deterministic_recipe_is_enough() -> None:
    one, three = draw(1, 500, 0.9, 0), draw(3, 500, 0.8, 1)
    assert statistics.seed_mean(one, deterministic=True) is not None
    found = statistics.difference(one, three, deterministic=(True, False))
    assert found is not None
    assert found.estimate == pytest.approx(one.mean() - three.mean())


def test_seeds_that_differ_by_nothing_but_their_images_add_no_variance() -> None:
    same = np.repeat(draw(1, 400, 0.9, 3), 4, axis=0)
    assert statistics.seed_variance(same) == 0.0


def test_the_seed_variance_is_the_anova_estimate() -> None:
    correct = draw(4, 60, 0.7, 5)
    correct[0] |= draw(1, 60, 0.5, 6)[0]
    k, n = correct.shape
    values = correct.astype(float)
    grand, rows, columns = values.mean(), values.mean(1), values.mean(0)
    seeds = n * ((rows - grand) ** 2).sum() / (k - 1)
    rest = sum((values[s, i] - rows[s] - columns[i] + grand) ** 2 for s, i in itertools.product(range(k), range(n)))
    expected = max(0.0, (seeds - rest / ((k - 1) * (n - 1))) / n) / k
    assert statistics.seed_variance(correct) == pytest.approx(expected, rel=1e-9)


def test_the_difference_turns_with_its_sides() -> None:
    a, b = draw(3, 800, 0.9, 1), draw(4, 800, 0.88, 2)
    there, back = statistics.difference(a, b), statistics.difference(b, a)
    assert there is not None
    assert back is not None
    assert there.estimate == pytest.approx(-back.estimate)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_above(0) == pytest.approx(back.p_below(0))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits, repeats = np.random.default_rng(7), 0, 200
    for _ in range(repeats):
        hard = rng.normal(0, 1.5, 600)
        sides = [
            3 + hard + rng.normal(0, 0.25, (3, 1)) + rng.normal(0, 0.7, (3, 600)) > 0 for _ in range(2)
        ]  # two recipes alike
        found = statistics.difference(*sides)
        assert found is not None
        hits += found.low <= 0 <= found.high
    assert 0.89 <= hits / repeats <= 0.99


def test_recipes_on_different_images_are_not_paired() -> None:
    with pytest.raises(ValueError, match="same test images"):
        statistics.difference(draw(2, 10, 0.5, 0), draw(2, 11, 0.5, 0))


@pytest.mark.parametrize(("discordant", "needed"), [(20, 10), (60, 18), (100, 22), (200, 30)])
def test_mcnemar_needs_the_published_imbalance(discordant: int, needed: int) -> None:
    def p(imbalance: int) -> float:
        first = (discordant + imbalance) // 2
        a = np.zeros(1000, bool)
        a[:first] = True
        b = np.zeros(1000, bool)
        b[first:discordant] = True
        return statistics.mcnemar(a, b).p

    assert p(needed) < 0.05 <= p(needed - 2)


def test_models_that_agree_are_not_told_apart() -> None:
    a = draw(1, 100, 0.9, 0)[0]
    assert statistics.mcnemar(a, a).p == 1.0


def test_holm_steps_down_in_the_order_given() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def sure(estimate: float, standard_error: float) -> statistics.Difference:
    return statistics.Difference(estimate, math.nan, math.nan, standard_error**2, 0.0, 1000.0)


def test_verdicts_say_better_worse_equal_and_undecided() -> None:
    pairs = [sure(0.01, 0.001), sure(-0.01, 0.001), sure(0.0001, 0.0002), sure(0.002, 0.004)]
    assert statistics.verdicts(pairs) == ["better", "worse", "equal", "undecided"]


def test_a_certain_difference_within_the_margin_is_not_called_better() -> None:
    assert statistics.verdicts([sure(0.0008, 0.0001)]) == ["equal"]


def test_the_same_evidence_decides_less_in_a_larger_family() -> None:
    pair = sure(0.01, 0.0044)
    assert statistics.verdicts([pair]) == ["better"]
    assert statistics.verdicts([pair, *[sure(0.0, 0.01)] * 9])[0] == "undecided"


def test_a_recipe_against_itself_is_practically_equal() -> None:
    same = np.repeat(draw(1, 100, 0.9, 3), 2, axis=0)
    found = statistics.difference(same, same)
    assert found is not None
    assert statistics.verdicts([found]) == ["equal"]


def test_weighted_f1_differs_from_accuracy_by_exactly_this() -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    matrix = statistics.confusion(labels, predicted, 5)
    assert (matrix == confusion_matrix(labels, predicted)).all()
    expected = f1_score(labels, predicted, average="weighted") - accuracy_score(labels, predicted)
    assert statistics.weighted_f1_gap(matrix) == pytest.approx(expected, abs=1e-12)


def test_the_bound_on_weighted_f1_holds_and_is_reached() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), [30, 40, 50, 60])
    for errors in (1, 7, 29):
        bound = statistics.weighted_f1_bound(errors, labels.size, 30)
        for _ in range(50):
            predicted = labels.copy()
            wrong = rng.choice(labels.size, errors, replace=False)
            predicted[wrong] = (labels[wrong] + rng.integers(1, 4, errors)) % 4
            assert abs(statistics.weighted_f1_gap(statistics.confusion(labels, predicted, 4))) <= bound + 1e-12
    assert statistics.weighted_f1_bound(50, labels.size, 30) == math.inf


def test_the_notebooks_published_figures_contradict_each_other() -> None:
    reason = statistics.contradiction(0.9911, 0.9887, 10_000, 892)
    assert reason is not None
    assert "0.24 pp" in reason
    assert "0.023 pp" in reason
    assert statistics.contradiction(0.9911, 0.9911, 10_000, 892) is None


def test_statistics_imports_no_torch_and_no_pandas() -> None:
    code = "import sys, mnistarena.statistics; print({'torch', 'pandas', 'altair'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
