"""What a smaller budget would have found, against every choice of trials counted one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mnistarena.stats.budgets import best_of, luck_of_best

TRIED = {
    "plain": [0.91, 0.95, 0.93, 0.99, 0.2],
    "ties": [0.9, 0.9, 0.95, 0.95, 0.95, 0.1],
    "without a value": [0.91, None, 0.95, None, None, 0.7, 0.93],
    "one": [0.5],
    "one of many": [None, None, 0.4, None],
}


@pytest.mark.parametrize("kind", TRIED)
@pytest.mark.parametrize("higher", [True, False])
def test_it_is_what_all_choices_of_trials_give(kind, higher):
    values = TRIED[kind]
    pick = max if higher else min
    found = best_of(values, higher_is_better=higher)
    assert [one.trials for one in found] == list(range(1, len(values) + 1))
    for one in found:
        choices = list(combinations(values, one.trials))
        bests = sorted(pick(some) for some in ([v for v in c if v is not None] for c in choices) if some)
        assert one.expected == pytest.approx(np.mean(bests), abs=1e-12)
        assert one.share == pytest.approx(len(bests) / len(choices))
        # Counted from the worse end: the first value that is reached by a tenth, and by nine tenths, of the choices.
        ordered = bests if higher else bests[::-1]
        ends = [ordered[int(np.ceil(share * len(bests) - 1e-9)) - 1] for share in (0.1, 0.9)]
        assert (one.low, one.high) == (min(ends), max(ends))
    known = [v for v in values if v is not None]
    assert found[-1].expected == pytest.approx(pick(known))
    assert found[0].expected == pytest.approx(np.mean(known))


def test_it_is_exact_for_many_trials_and_never_turns():
    values = np.random.default_rng(0).normal(0.9, 0.02, 2000).tolist()
    found = [one.expected for one in best_of(values, higher_is_better=True)]
    assert found[0] == pytest.approx(np.mean(values))
    assert found[-1] == max(values)
    assert np.all(np.diff(found) >= -1e-12)


def test_the_mean_is_unbiased():
    """Over many searches of six trials, the expected best of three is that of three trials drawn anew."""
    rng = np.random.default_rng(1)
    searches = rng.random((4000, 6))
    found = np.mean([best_of(one.tolist(), higher_is_better=True)[2].expected for one in searches])
    assert found == pytest.approx(3 / 4, abs=0.006)  # of uniform values k / (k + 1)


def test_of_no_value_there_is_nothing():
    assert best_of([None, None], higher_is_better=True) == best_of([], higher_is_better=True) == ()


def test_the_best_of_equal_recipes_is_above_them_by_luck():
    assert luck_of_best(1, 0.01) == pytest.approx(0, abs=1e-12)
    assert luck_of_best(2, 1.0) == pytest.approx(1 / np.sqrt(np.pi))
    assert luck_of_best(3, 2.0) == pytest.approx(3 / np.sqrt(np.pi))
    drawn = np.random.default_rng(2).normal(0, 1, (40_000, 12)).max(axis=1)
    assert luck_of_best(12, 1.0) == pytest.approx(drawn.mean(), abs=4 * drawn.std() / 200)
    assert luck_of_best(1000, 1.0) == pytest.approx(3.2414, abs=1e-3)
    with pytest.raises(ValueError, match="none"):
        luck_of_best(0, 1.0)
