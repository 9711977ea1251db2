"""What would decide an undecided pair."""

from __future__ import annotations

import numpy as np
import pytest

from mnistarena.stats import crossed, power, verdicts


def test_more_seeds_are_named_where_they_would_decide() -> None:
    rng = np.random.default_rng(3)
    steady = rng.random((3, 10_000)) < 0.99
    unsteady = np.array([rng.random(10_000) < accuracy for accuracy in (0.975, 0.983, 0.989)])
    found = crossed.difference(steady, unsteady)
    assert found is not None
    assert verdicts.verdicts([found]) == ["undecided"]
    wanted = power.need(found)
    assert wanted.goal == "difference"
    assert wanted.images is None
    assert wanted.seeds is not None
    assert 4 <= wanted.seeds <= 20
    more = power.need(found, family=45)
    assert more.seeds is not None
    assert more.seeds > wanted.seeds


def test_that_many_seeds_do_decide_about_as_often_as_promised() -> None:
    rng = np.random.default_rng(4)

    def benchmark(k: int) -> crossed.Difference:
        sides = [rng.random((k, 2000)) < rng.normal(mean, 0.01, (k, 1)) for mean in (0.96, 0.94)]
        found = crossed.difference(*sides)
        assert found is not None
        return found

    seeds = [power.need(benchmark(20)).seeds or 0 for _ in range(20)]
    typical = sorted(seeds)[10]
    assert 4 <= typical <= 30
    decided = sum(verdicts.verdicts([benchmark(8)]) == ["better"] for _ in range(100))
    assert decided >= 80


def test_a_test_set_can_be_too_small_for_any_number_of_seeds() -> None:
    rng = np.random.default_rng(5)
    hard = rng.random((2, 1000)) < 0.95  # which images a recipe gets right, whatever the seed
    found = crossed.difference(np.repeat(hard[:1], 3, axis=0), np.repeat(hard[1:], 3, axis=0))
    assert found is not None
    if abs(found.estimate) <= 0.001:
        pytest.fail("the example is to differ by more than the margin")
    wanted = power.need(found)
    assert wanted.seeds is None
    assert wanted.images is not None
    assert wanted.images > 1000
