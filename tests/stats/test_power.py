"""What would decide an undecided pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnistarena.stats import power
from mnistarena.stats.crossed import Crossed
from mnistarena.stats.intervals import Difference
from mnistarena.stats.no_worse import no_worse
from mnistarena.stats.variance import VarianceComponent
from mnistarena.stats.verdicts import judge


def undecided(
    estimate: float,
    *,
    spread: float,
    seeds: int = 3,
    interaction: float = 0.0005,
    lasting: float = 0.0005,
    n: int = 2000,
) -> Difference:
    """A pair of recipes whose seeds have this standard deviation; all are standard errors, of one seed."""
    part = VarianceComponent(seeds, spread**2, interaction=interaction**2, df=seeds - 1)
    images = lasting**2 + 2 * interaction**2 / max(seeds, 1)
    return Difference(
        estimate, estimate, image_variance=images, images=n + 2, components=(part, part), low=-1.0, high=1.0
    )


def said(pair: Difference | None, margin: float) -> str:
    return judge([pair], margin=margin)[0].verdict


def test_more_seeds_are_named_where_they_would_decide() -> None:
    pair = undecided(0.01, spread=0.006)
    wanted = power.need(pair)
    assert (wanted.goal, wanted.images, wanted.seeded) == ("difference", None, True)
    assert wanted.seeds is not None
    assert 4 <= wanted.seeds <= 20
    more = power.need(pair, family=45)
    assert more.seeds is not None
    assert more.seeds > wanted.seeds


@pytest.mark.parametrize(
    ("accuracies", "margin", "verdict"),
    [
        ((0.96, 0.94), 0.001, "better"),
        ((0.955, 0.94), 0.01, "better"),
        ((0.95, 0.95), 0.012, "equal"),
        ((0.945, 0.95), 0.015, "no worse"),
    ],
)
def test_that_many_seeds_do_decide_about_as_often_as_promised(
    accuracies: tuple[float, float], margin: float, verdict: str
) -> None:
    rng = np.random.default_rng(4)

    def benchmark(k: int) -> Difference:
        sides = [rng.random((k, 2000)) < rng.normal(mean, 0.01, (k, 1)) for mean in accuracies]
        found = Crossed(sides).difference(0, 1)
        assert found is not None
        return found

    true = benchmark(30)
    gap = accuracies[0] - accuracies[1]
    parts = tuple(replace(part, seeds=2, df=1, square=0.01**2 + part.interaction) for part in true.components)
    images = sum(part.interaction for part in parts) / 2
    pilot = replace(true, estimate=gap, centre=gap, image_variance=images, components=parts)
    wanted = no_worse(pilot, margin).need if verdict == "no worse" else power.need(pilot, margin=margin)
    assert wanted is not None
    assert wanted.seeds is not None
    assert 4 <= wanted.seeds <= 40
    again = (benchmark(wanted.seeds) for _ in range(300))
    if verdict == "no worse":
        decided = sum(no_worse(pair, margin).shown for pair in again) / 300
    else:
        decided = sum(said(pair, margin) == verdict for pair in again) / 300
    assert 0.72 <= decided <= 0.92


def test_an_estimate_hardly_beyond_the_margin_takes_much_more_evidence() -> None:
    far = power.need(undecided(0.003, spread=0.002, lasting=1e-5), margin=0.001)
    near = power.need(undecided(0.003, spread=0.002, lasting=1e-5), margin=0.0028)
    assert far.seeds is not None
    assert near.seeds is not None
    assert near.seeds > 10 * far.seeds


def test_a_number_of_seeds_is_named_however_large_it_is() -> None:
    wanted = power.need(undecided(0.002, spread=0.04, interaction=0.0, lasting=0.0))
    assert wanted.seeds is not None
    assert wanted.seeds > 5000
    assert wanted.images is None


def test_a_test_set_can_be_too_small_for_any_number_of_seeds() -> None:
    wanted = power.need(undecided(0.004, spread=0.001, lasting=0.003, n=1000))
    assert (wanted.goal, wanted.seeds, wanted.seeded) == ("difference", None, True)
    assert wanted.images is not None
    assert 4000 < wanted.images < 6000  # (1.96 + 0.84)² · 1,000 · (0.003/0.004)²


def test_of_deterministic_recipes_images_are_named_and_no_seeds() -> None:
    rng = np.random.default_rng(6)

    def benchmark(n: int) -> Difference:
        # 6 in 100 images only the first has right, 4 only the second.
        kind = rng.random(n)
        found = Crossed([np.array([kind > 0.04]), np.array([(kind <= 0.04) | (kind > 0.1)])], [True, True]).difference(
            0, 1
        )
        assert found is not None
        return found

    pilot = replace(benchmark(1000), estimate=0.02, centre=0.02)
    wanted = power.need(pilot)
    assert (wanted.goal, wanted.seeds, wanted.seeded) == ("difference", None, False)
    assert wanted.images is not None
    assert 1500 < wanted.images < 2500
    decided = sum(said(benchmark(wanted.images), 0.001) == "better" for _ in range(200)) / 200
    assert 0.7 <= decided <= 0.9


def test_an_estimate_on_the_margin_is_decided_by_nothing() -> None:
    assert power.need(undecided(0.001, spread=0.001), margin=0.001) == power.Need("equality", None)


def test_one_side_may_be_deterministic() -> None:
    pair = undecided(0.01, spread=0.006)
    one = power.need(replace(pair, components=(pair.components[0], VarianceComponent(1))))
    both = power.need(pair)
    assert one.seeds is not None
    assert both.seeds is not None
    assert 4 <= one.seeds < both.seeds


def test_where_seeds_do_not_differ_at_all_no_number_of_them_is_promised() -> None:
    wanted = power.need(undecided(0.002, spread=0.0, interaction=0.0, lasting=0.002))
    assert (wanted.goal, wanted.seeds, wanted.seeded) == ("difference", None, True)
    assert wanted.images is not None
