"""Intervals over several splits of the same images, against scipy's t, the crossed model and the images alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mnistarena.stats import power, splits
from mnistarena.stats.crossed import Crossed
from mnistarena.stats.splits import Layout

J, EACH = 5, 400
FOLDS = Layout(np.repeat(np.arange(J), EACH), np.arange(J * EACH), ratio=0.25)


def right(shares: list[float], each: int = EACH) -> np.ndarray:
    """One seed that is right on such shares of the splits' images, `(1, n)`."""
    return np.concatenate([np.arange(each) < round(share * each) for share in shares])[None]


def test_where_splits_differ_much_it_is_the_corrected_t_test():
    a, b = right([0.95, 0.9, 0.8, 0.9, 0.7]), right([0.5, 0.8, 0.7, 0.6, 0.65])
    (found,) = splits.differences([(a, b)], FOLDS)
    apart = a[0].reshape(J, EACH).mean(axis=1) - b[0].reshape(J, EACH).mean(axis=1)
    error = np.sqrt(apart.var(ddof=1) * (1 / J + 0.25))
    assert found.estimate == pytest.approx(apart.mean())
    assert found.standard_error == pytest.approx(error)
    half = stats.t.ppf(0.975, J - 1) * error
    assert found.high - found.low == pytest.approx(2 * half, rel=0.02)
    assert found.p_above(0.0) == pytest.approx(stats.t.sf(found.centre / error, J - 1), rel=0.02)
    turned = splits.differences([(b, a)], FOLDS)[0]
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_where_they_do_not_the_images_bound_it():
    a, b = right([0.9] * J), right([0.8] * J)
    (found,) = splits.differences([(a, b)], FOLDS)
    images = Crossed([a, b], [True, True]).difference(0, 1)
    assert (found.low, found.high) == pytest.approx((images.low, images.high), rel=1e-3)
    mean = splits.mean(right([0.9] * J), FOLDS)
    alone = Crossed([a], [True]).mean(0)
    assert (mean.low, mean.high) == pytest.approx((alone.low, alone.high), rel=1e-3)
    everything = splits.mean(right([1.0] * J), FOLDS)
    assert everything.low < 1.0 == everything.high


def test_an_image_or_a_group_counts_once_however_often_it_is_tested():
    a, b = right([0.9] * J), right([0.8] * J)
    again = replace(FOLDS, image=np.tile(np.arange(EACH), J))
    one = Crossed([a[:, :EACH], b[:, :EACH]], [True, True]).difference(0, 1)
    (found,) = splits.differences([(a, b)], again)
    assert found.image_variance == pytest.approx(one.image_variance, rel=0.02)
    groups = np.repeat(np.arange(J * EACH // 20), 20)
    (grouped,) = splits.differences([(a, b)], replace(FOLDS, groups=groups))
    on_one = Crossed([a, b], [True, True], groups=groups).difference(0, 1)
    assert grouped.image_variance == pytest.approx(on_one.image_variance)
    assert (grouped.groups, on_one.groups) == (J * EACH // 20, J * EACH // 20)


def test_where_nothing_tells_recipes_apart_groups_and_rare_classes_bound_it_as_on_one_split():
    a, groups = right([1.0] * J).astype(float), np.repeat(np.arange(J * EACH // 100), 100)
    for options in ({"groups": groups}, {"span": 50.0}):
        layout = replace(FOLDS, groups=options.get("groups"))
        (found,) = splits.differences([(a, a)], layout, span=options.get("span", 1.0))
        one = Crossed([a, a], [True, True], **options).difference(0, 1)
        assert (found.low, found.high) == pytest.approx((one.low, one.high), rel=1e-3)
        assert found.high > 0.001, "so little does not show that they are equal within the margin"
        mean = splits.mean(a, layout, span=options.get("span", 1.0))
        assert mean.low == pytest.approx(Crossed([a], [True], **options).mean(0).low, rel=1e-3)


def test_what_would_decide_it_is_a_number_of_images():
    a, b = right([0.9, 0.8, 0.85, 0.9, 0.8]), right([0.85, 0.8, 0.8, 0.8, 0.85])
    (found,) = splits.differences([(a, b)], FOLDS)
    need = power.need(found)
    assert (need.seeds, need.pooled) == (None, True)
    # Of a part of the images that is drawn anew, some are never tested: what is needed counts all of them.
    (drawn,) = splits.differences([(a, b)], replace(FOLDS, ratio=0.1))
    assert drawn.images == round(EACH * 11) + 2
    (grouped,) = splits.differences([(a, b)], replace(FOLDS, groups=np.arange(J * EACH) // 4))
    assert grouped.images == found.images + 6, "images and not groups, with a group added each way"
    times = need.images / found.images
    error = found.standard_error / np.sqrt(times)
    reach = (found.high - found.low) / 2 / found.standard_error
    assert reach > stats.norm.ppf(0.975), "the luck of five folds is not known as well as that of many"
    assert stats.norm.sf(reach - abs(found.estimate) / error) == pytest.approx(0.8, abs=0.01)
    assert power.need(found, family=10).images > need.images > found.images


def test_further_seeds_take_away_only_what_they_vary_within_a_split():
    rng = np.random.default_rng(0)
    base = [0.9, 0.8, 0.85, 0.9, 0.8]
    steady = np.concatenate([right(base) for _ in range(3)])
    wild = np.concatenate([right([share + rng.normal(0, 0.05) for share in base]) for _ in range(3)])
    other = np.concatenate([right([share - 0.02 for share in base]) for _ in range(3)])
    (same,) = splits.differences([(steady, other)], FOLDS)
    (luck,) = splits.differences([(wild, other)], FOLDS)
    assert [part.square for part in same.luck] == pytest.approx([0.0, 0.0], abs=1e-20)
    wanted = wild.reshape(3, J, EACH).mean(axis=2).var(axis=0, ddof=1).mean()
    assert [part.square for part in luck.luck] == pytest.approx([wanted, 0.0])
    assert power.chances([same], 300) == pytest.approx(power.chances([same], 3)), "seeds that are alike say nothing new"
    assert power.chances([luck], 300)[0] > power.chances([luck], 3)[0]
