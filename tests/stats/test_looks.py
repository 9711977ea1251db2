"""Looks at the verdicts while seeds are added: what each may spend, what stands, who gets further seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnistarena.stats import power
from mnistarena.stats.course import Course
from mnistarena.stats.crossed import Crossed
from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.looks import Looks, looks
from mnistarena.stats.variance import VarianceComponent
from mnistarena.stats.verdicts import AtLook, judge


def sure(estimate: float, standard_error: float) -> Difference:
    """A difference without a part of the seeds, of so many images that its test is a normal one."""
    part = VarianceComponent(3, df=2)
    reach = 1.96 * standard_error
    return Difference(
        estimate,
        estimate,
        image_variance=standard_error**2,
        images=10**6,
        components=(part, part),
        low=estimate - reach,
        high=estimate + reach,
    )


def varied(estimate: float, standard_error: float) -> Difference:
    """A difference whose standard error is that of three seeds of each."""
    part = VarianceComponent(3, 1.5 * standard_error**2, df=2)
    return replace(sure(estimate, standard_error), image_variance=1e-9, components=(part, part))


def said(course: Course, *differences: Difference | None) -> list[str]:
    pairs = [(a, b) for a in range(3) for b in range(a + 1, 3)][: len(differences)]
    return [one.verdict for one in course.look(pairs, differences)]


@pytest.mark.parametrize(("least", "most"), [(3, 20), (2, 2), (3, 4), (5, 100), (3, 1000), (999, 1000)])
def test_looks_grow_to_the_most_seeds_and_together_spend_all(least: int, most: int) -> None:
    found = looks(least, most)
    assert (found.seeds[0], found.seeds[-1]) == (least, most)
    assert list(found.seeds) == sorted(set(found.seeds))
    assert sum(found.shares) == pytest.approx(1)
    assert all(share > 0 for share in found.shares)
    for number, (seeds, share) in enumerate(zip(found.seeds, found.shares, strict=True), 1):
        assert sum(found.shares[:number]) == pytest.approx((seeds / most) ** 2)
        assert found.number(seeds - 1) == number
        assert share <= 1


def test_the_default_looks() -> None:
    assert looks(3, 20).seeds == (3, 5, 8, 13, 20)
    assert [looks(3, 20).number(place) for place in (0, 2, 3, 4, 5, 12, 13, 19)] == [1, 1, 2, 2, 3, 4, 5, 5]


def test_a_look_tests_at_its_share_and_p_says_so() -> None:
    pair = sure(0.01, 0.01 / 2.5)  # two-sided p = 0.0124
    (plain,) = judge([pair])
    (early,) = judge([pair], at_look=AtLook([0.2], [None]))
    (late,) = judge([pair], at_look=AtLook([0.8], [None]))
    (never,) = judge([pair], at_look=AtLook([0.0], [None]))
    assert (plain.verdict, early.verdict, late.verdict, never.verdict) == ("better", "undecided", "better", "undecided")
    assert early.p == pytest.approx(plain.p / 0.2)
    assert late.p == pytest.approx(plain.p / 0.8)
    assert early.p > ALPHA > late.p
    assert never.p == 1.0


def test_what_was_called_before_is_a_step_of_holms_that_is_taken() -> None:
    first, second, third = sure(0.05, 0.001), sure(0.01, 0.01 / 2.1), sure(0.0, 0.0004)
    alone = judge([first, second, third], at_look=AtLook([1.0] * 3, [None, None, None]))
    assert [one.verdict for one in alone] == ["better", "undecided", "equal"]
    # Of three hypotheses one is rejected: the second is tested at α/2, equality of the third at α/3 or α/2.
    after = judge([first, second, third], at_look=AtLook([1.0] * 3, ["better", None, None]))
    assert after[1].p == pytest.approx(alone[1].p)
    # That a pair was called equal takes nothing off the family of differences: it may not be called different.
    equal = judge([first, second, third], at_look=AtLook([1.0] * 3, ["better", None, "equal"]))
    assert equal[1].p == pytest.approx(after[1].p)
    more = judge([first, second, third], at_look=AtLook([1.0] * 3, ["better", None, "worse"]))
    assert more[1].p == pytest.approx(after[1].p / 2)


def test_a_pair_leaves_when_it_is_called_and_its_recipes_get_no_more() -> None:
    course = Course(Looks((3, 8, 20)), [3, 3, 3], margin=0.001)
    open_ = varied(0.004, 0.002)
    assert said(course, sure(0.5, 0.001), sure(0.5, 0.001), open_) == ["better", "better", "undecided"]
    assert (course.asked, course.ended) == ([1, 2, 2], False)
    # The first pair is not tested any more, and stands.
    assert said(course, sure(0.4, 0.2), sure(0.4, 0.2), sure(0.01, 0.0005)) == ["better", "better", "better"]
    assert course.ended
    assert course.number == 2


def test_the_last_look_of_a_pair_has_what_the_others_left() -> None:
    course = Course(looks(3, 20), [1, 1, 5], margin=0.001)
    said(course, sure(0.0, 0.01), sure(0.0, 0.01), sure(0.0, 0.01))
    assert course.share((0, 1)) == 1.0, "two deterministic recipes are looked at once"
    assert course.share((0, 2)) == pytest.approx(0.0225)
    course.number = 5
    course.asked = [1, 1, 5]
    assert course.share((0, 1)) == 0.0
    assert course.share((0, 2)) == pytest.approx(1 - 0.65**2)


def test_a_pair_is_tested_only_where_both_have_the_seeds_of_the_look() -> None:
    course = Course(Looks((3, 8, 20)), [3, 3, 3], margin=0.001)
    said(course, sure(0.0, 0.01), sure(0.0, 0.01), sure(0.0, 0.01))
    course.asked = [1, 2, 2]
    assert said(course, sure(0.9, 0.001), None, sure(0.9, 0.001)) == ["undecided", "not compared", "better"]


def test_a_verdict_that_later_seeds_speak_against_falls() -> None:
    course = Course(Looks((3, 8, 20)), [3, 3, 3], margin=0.001)
    assert said(course, sure(0.05, 0.001), sure(0.0, 0.0001), varied(0.004, 0.002)) == ["better", "equal", "undecided"]
    turned = said(course, varied(-0.001, 0.02), varied(0.004, 0.02), varied(0.004, 0.002))
    assert turned == ["undecided", "undecided", "undecided"]
    assert course.asked == [3, 3, 3], "the first recipe has seeds to make up for"


def test_seeds_that_would_hardly_decide_a_pair_are_not_asked_for() -> None:
    course = Course(Looks((8, 20)), [2, 2], margin=0.001)
    on_few_images = sure(0.01, 0.01)  # seeds do not differ, so no number of them says more
    assert power.chances([on_few_images], 20) == pytest.approx([0.0], abs=1e-6)
    assert said(course, on_few_images) == ["undecided"]
    assert course.ended
    assert course.hopeless == {(0, 1)}


def test_the_chance_that_seeds_decide_a_pair_is_how_often_they_do() -> None:
    rng = np.random.default_rng(5)
    promised, decided = [], []
    for _ in range(400):
        # Without a preference for any truth, as the promise has none.
        gap = rng.uniform(-0.05, 0.05)
        rates = [np.clip(0.8 + side * gap / 2 + 0.02 * rng.standard_normal(12), 0, 1)[:, None] for side in (1, -1)]
        recipes = [rng.random((12, 2000)) < rate for rate in rates]
        few, all_ = (Crossed([correct[:k] for correct in recipes]).difference(0, 1) for k in (4, 12))
        if judge([few])[0].verdict == "undecided":
            promised += power.chances([few], 12).tolist()
            decided.append(judge([all_])[0].verdict != "undecided")
    low = np.array(promised) < np.median(promised)
    for part in (low, ~low):
        assert np.mean(np.array(promised)[part]) == pytest.approx(np.mean(np.array(decided)[part]), abs=0.15)
