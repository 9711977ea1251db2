"""Verdicts of a family of pairs, and the places that they leave."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from mnistarena.stats import verdicts
from mnistarena.stats.crossed import Crossed
from mnistarena.stats.intervals import Difference
from mnistarena.stats.no_worse import no_worse
from mnistarena.stats.verdicts import judge


def sure(estimate: float, standard_error: float) -> Difference:
    """A difference that depends on no seed, of so many images that its test is a normal one."""
    return Difference(
        estimate,
        estimate,
        image_variance=standard_error**2,
        images=10**6,
        components=(),
        low=math.nan,
        high=math.nan,
    )


def said(pairs: list[Difference | None], margin: float = verdicts.MARGIN) -> list[str]:
    return [one.verdict for one in judge(pairs, margin=margin)]


def benchmark(accuracies: list[float], seeds: list[int], rng: np.random.Generator, n: int = 2000) -> Crossed:
    """Recipes whose seeds differ by their images only."""
    return Crossed([rng.random((k, n)) < accuracy for k, accuracy in zip(seeds, accuracies, strict=True)])


def test_holm_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 10, 45):
        p = rng.random(size) ** 3
        assert verdicts.holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]), abs=1e-12)


def test_holm_steps_down_in_the_order_given() -> None:
    assert verdicts.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert verdicts.holm([0.9, 0.8]) == [1.0, 1.0]
    assert verdicts.holm([]) == []


def test_verdicts_say_better_worse_equal_undecided_and_not_compared() -> None:
    pairs = [sure(0.01, 0.001), None, sure(-0.01, 0.001), sure(0.0001, 0.0002), sure(0.002, 0.004)]
    assert said(pairs) == ["better", "not compared", "worse", "equal", "undecided"]
    assert judge([]) == []
    assert said([None, None]) == ["not compared"] * 2


def test_a_certain_difference_within_the_margin_is_not_called_better() -> None:
    assert said([sure(0.0008, 0.0001)]) == ["equal"]
    assert said([sure(0.0008, 0.0003)]) == ["undecided"]
    assert said([sure(0.0008, 0.0001)], margin=0.0005) == ["better"]


def test_the_same_evidence_decides_less_in_a_larger_family() -> None:
    pair, alike = sure(0.01, 0.0044), sure(0.0, 0.00045)
    assert said([pair]) == ["better"]
    assert said([pair, *[sure(0.0, 0.01)] * 9])[0] == "undecided"
    assert said([alike]) == ["equal"]
    assert said([alike, *[sure(0.0, 0.01)] * 9])[0] == "undecided"


def test_a_pair_that_is_not_compared_is_no_member_of_the_family() -> None:
    pairs = [sure(0.01, 0.0044), sure(0.0, 0.00045)]
    alone, beside = judge(pairs), judge([None, *pairs, *[None] * 40])
    assert beside[1:3] == alone
    assert (beside[0].p, beside[0].p_equal) == (None, None)


def test_the_p_of_equality_is_the_larger_of_its_two_tests_times_holms_factor() -> None:
    pair = sure(0.0004, 0.0002)
    one = judge([pair])[0]
    assert one.p_equal == pytest.approx(min(1, 2 * max(pair.p_above(-0.001), pair.p_below(0.001))))
    assert one.p == pytest.approx(2 * min(pair.p_above(0), pair.p_below(0)))
    pair_of_two = judge([pair, sure(0.01, 0.01)])[0]
    assert pair_of_two.p_equal == pytest.approx(2 * one.p_equal)


def test_many_seeds_do_not_make_up_for_images_that_may_be_missing() -> None:
    """Of 300 images 0.6 tell apart recipes that differ by 0.2 pp for every seed: in every second test set none does."""
    rng = np.random.default_rng(3)
    sides = [rng.random((10, 300)) >= 0.0005 for _ in range(2)]
    found = Crossed(sides).difference(0, 1)
    assert found is not None
    assert said([found], 0.002) == ["undecided"]
    assert not no_worse(found, 0.002).shown
    # Three such images are expected where the loss is 1 pp: that is ruled out.
    assert said([found], 0.01) == ["equal"]
    assert no_worse(found, 0.01).shown


def test_equal_goes_with_an_interval_within_the_margin() -> None:
    rng = np.random.default_rng(8)
    kinds = set()
    for n in (300, 3000, 3000, 3000, 10_000):
        found = benchmark([0.95, 0.95], [5, 5], rng, n).difference(0, 1)
        assert found is not None
        for margin in (0.002, 0.005, 0.01):
            within = -margin < found.low and found.high < margin
            kinds.add(within)
            assert (said([found], margin) == ["equal"]) == within
    assert kinds == {True, False}


@pytest.mark.parametrize(("n", "expected"), [(100, "undecided"), (10_000, "equal")])
def test_a_recipe_that_agrees_with_another_on_every_image_is_equal_where_these_are_enough(
    n: int, expected: str
) -> None:
    same = np.repeat(np.random.default_rng(3).random((1, n)) < 0.9, 2, axis=0)
    assert said([Crossed([same, same]).difference(0, 1)]) == [expected]


def test_a_pair_is_called_only_where_its_own_interval_agrees() -> None:
    rng, called, close = np.random.default_rng(9), 0, 0
    for _ in range(30):
        found = benchmark([0.9, 0.9, 0.9, 0.93, 0.95], [2, 2, 3, 3, 3], rng)
        pairs = [found.difference(a, b) for a in range(5) for b in range(a)]
        for pair, one in zip(pairs, judge(pairs), strict=True):
            assert pair is not None
            if one.verdict in ("better", "worse"):
                called += 1
                assert pair.low > 0 or pair.high < 0
            else:
                close += 1
    assert called > 20
    assert close > 20


def test_recipes_of_a_run_share_what_they_say_of_seeds_so_that_few_seeds_can_decide() -> None:
    rng = np.random.default_rng(10)
    accuracies = [0.935, *[0.9] * 7]
    many = benchmark(accuracies, [3] * 8, rng)
    pairs = [many.difference(0, b) for b in range(1, 8)]
    alone = [Crossed([many.recipes[0], many.recipes[b]]).difference(0, 1) for b in range(1, 8)]
    assert said(pairs).count("better") >= 5
    assert said(alone).count("better") <= 2


def test_a_place_is_the_span_that_the_verdicts_leave() -> None:
    def places(count: int, better: set[tuple[int, int]]) -> list[tuple[int, int] | None]:
        every = {(a, b): "undecided" for a in range(count) for b in range(a) if not better & {(a, b), (b, a)}}
        return verdicts.possible_places(count, {**every, **dict.fromkeys(better, "better")})  # type: ignore[dict-item]

    assert places(4, {(0, 2), (0, 3), (1, 3)}) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert places(3, set()) == [(1, 3)] * 3
    assert places(2, {(1, 0)}) == [(2, 2), (1, 1)]
    assert verdicts.possible_places(2, {(0, 1): "worse"}) == [(2, 2), (1, 1)]


def test_a_recipe_that_was_not_compared_has_no_place_and_bounds_none() -> None:
    assert verdicts.possible_places(2, {(0, 1): "not compared"}) == [None, None]
    assert verdicts.possible_places(2, {}) == [None, None]
    # 0 beats 1; 2 was compared with neither, so it may be first, and 0 second.
    alone = {(0, 1): "better", (0, 2): "not compared", (2, 1): "not compared"}
    assert verdicts.possible_places(3, alone) == [(1, 2), (2, 3), None]  # type: ignore[arg-type]
    # 2 was compared with 1 only.
    assert verdicts.possible_places(3, {(0, 1): "better", (1, 2): "equal"}) == [(1, 2), (2, 3), (1, 3)]
