"""What the recipes of a run say of how much seeds vary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnistarena.stats.variance import SharedVariance, VarianceComponent, shared_variance


def drawn(ratios: list[float], seeds: list[int], seed: int = 0) -> list[VarianceComponent]:
    """Components whose true variance is so many times their interaction, on scales that differ by recipe."""
    rng = np.random.default_rng(seed)
    return [
        VarianceComponent(k, scale * ratio * rng.chisquare(k - 1) / (k - 1), interaction=scale, df=k - 1)
        for ratio, k, scale in zip(ratios, seeds, np.geomspace(1e-8, 1e-3, len(ratios)), strict=True)
    ]


def test_fewer_than_four_recipes_with_seeds_share_nothing() -> None:
    three = drawn([1.0] * 3, [5] * 3)
    nothing = [VarianceComponent(1), VarianceComponent(4, 0.0, interaction=0.0, df=3)]
    assert shared_variance([*three, *nothing]) == SharedVariance()
    assert SharedVariance().moderated(three[0]) == three[0]
    assert shared_variance(drawn([1.0] * 4, [5] * 4)).df > 0


def test_recipes_alike_share_much_and_recipes_apart_little() -> None:
    alike = shared_variance(drawn([1.0] * 10, [5] * 10))
    unstable = shared_variance(drawn([30.0] * 10, [5] * 10))
    apart = shared_variance(drawn([1.0, 300.0] * 5, [5] * 10))
    assert alike.df > 3.5
    assert 1 <= alike.centre < 2
    assert unstable.df > 3
    assert unstable.centre == pytest.approx(30, rel=0.5)
    assert apart.df < 1.5
    assert all(found.df <= 6 for found in (alike, unstable, apart))


def test_few_recipes_are_trusted_less_than_many() -> None:
    assert shared_variance(drawn([3.0] * 4, [3] * 4)).df < shared_variance(drawn([3.0] * 30, [3] * 30)).df


def test_a_centre_is_not_below_what_finitely_many_images_make() -> None:
    tiny = [replace(part, square=part.square / 1000) for part in drawn([1.0] * 6, [4] * 6)]
    assert shared_variance(tiny).centre >= 1


def test_unequal_numbers_of_seeds_and_seeds_of_the_same_accuracy_are_no_trouble() -> None:
    parts = drawn([2.0] * 8, [2, 10, 2, 3, 5, 2, 4, 20])
    parts[0] = replace(parts[0], square=0.0)
    found = shared_variance(parts)
    assert 1 <= found.centre < 6
    assert 1 < found.df <= 6
    assert shared_variance(parts[::-1]) == found


def test_moderation_is_a_mean_weighted_by_degrees_of_freedom() -> None:
    part = VarianceComponent(3, 9e-6, interaction=1e-6, df=2)
    found = SharedVariance(4.0, 3.0).moderated(part)
    assert found == VarianceComponent(3, (2 * 9e-6 + 4 * 3e-6) / 6, interaction=1e-6, df=6.0)
    assert SharedVariance(4.0, 3.0).moderated(VarianceComponent(1)) == VarianceComponent(1)


def test_a_small_change_of_one_variance_is_a_small_change_of_what_is_shared() -> None:
    parts = drawn([1.0, 1.0, 30.0, 30.0, 5.0], [3] * 5)
    before = shared_variance(parts)
    after = shared_variance([replace(parts[0], square=parts[0].square * 1.0001), *parts[1:]])
    assert after.df == pytest.approx(before.df, rel=1e-3)
    assert after.centre == pytest.approx(before.centre, rel=1e-3)
