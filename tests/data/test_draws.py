"""Several ways of splitting one dataset: each image tested once in folds, whole groups, the same draws everywhere."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mnistarena import DataError, Dataset
from mnistarena.data.draws import draw, pooled, rule_of
from mnistarena.data.splits import SplitRule


def small(labels: np.ndarray, n_test: int, groups: np.ndarray | None = None) -> Dataset:
    """A dataset of images of one pixel, the last `n_test` for testing."""
    images, first = (np.arange(len(labels)) % 256).astype(np.uint8)[:, None, None, None], len(labels) - n_test
    more = {} if groups is None else {"train_groups": groups[:first]}
    return Dataset(
        images[:first],
        labels[:first],
        test_images=images[first:],
        test_labels=labels[first:],
        class_names=tuple("abcd"),
        known_label_errors=(0, n_test - 1),
        **more,
    )


def together(labels: np.ndarray, groups: np.ndarray | None = None) -> Dataset:
    """All images of a dataset as both splits, with their groups."""
    return dataclasses.replace(pooled(small(labels, 10)), train_groups=groups)


LABELS = np.random.RandomState(0).randint(0, 4, 200).astype(np.int64)
GROUPS = np.repeat(np.arange(50), 4)


def test_pooled_images_are_those_of_training_then_those_of_testing():
    whole = pooled(small(LABELS, 30))
    np.testing.assert_array_equal(whole.train_labels, LABELS)
    np.testing.assert_array_equal(whole.test_images[:, 0, 0, 0], np.arange(200))
    assert whole.known_label_errors == (170, 199)
    with pytest.raises(DataError, match="not which of its test images"):
        pooled(small(LABELS, 30, GROUPS))


@settings(max_examples=30, deadline=None)
@given(
    folds=st.integers(2, 7),
    seed=st.integers(0, 2**31 - 1),
    grouped=st.booleans(),
    validation=st.sampled_from([0, 4, 25, 40]),
)
def test_every_image_is_tested_in_one_fold(folds, seed, grouped, validation):
    data = together(LABELS, GROUPS if grouped else None)
    found = [draw(data, SplitRule(validation, seed, split=i, folds=folds), "").split for i in range(folds)]
    tested = np.concatenate([split.test for split in found])
    np.testing.assert_array_equal(np.sort(tested), np.arange(200))
    for split in found:
        rows = [split.train, split.validation, split.test]
        np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(200))
        if grouped:
            assert len(np.unique(GROUPS)) == sum(len(np.unique(GROUPS[part])) for part in rows if len(part))
            assert abs(len(split.test) - 200 / folds) <= 12
        else:
            assert len(split.validation) == validation
            assert abs(len(split.test) - 200 / folds) < 1
            counts = np.bincount(LABELS[split.test], minlength=4)
            assert np.abs(counts - np.bincount(LABELS) / folds).max() < 1


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.1, 0.6), seed=st.integers(0, 2**31 - 1), grouped=st.booleans())
def test_test_images_are_drawn_anew_in_each_split(share, seed, grouped):
    data = together(LABELS, GROUPS if grouped else None)
    found = [
        draw(data, SplitRule(0, seed, split=i, test_share=share, train_limit=60 if not grouped else None), "").split
        for i in range(3)
    ]
    assert len({split.test.tobytes() for split in found}) == 3
    for split in found:
        assert np.intersect1d(split.train, split.test).size == 0
        if grouped:
            assert np.intersect1d(GROUPS[split.train], GROUPS[split.test]).size == 0
            assert abs(len(split.test) - share * 200) <= 16
        else:
            assert len(split.test) == round(share * 200)
            assert len(split.train) == 60
            assert np.abs(np.bincount(LABELS[split.test], minlength=4) - share * np.bincount(LABELS)).max() <= 1


def test_draws_are_the_same_everywhere_and_come_back_from_their_identity():
    data, digest = together(LABELS), hashlib.sha256()
    for rule in (
        SplitRule(20, 3, split=2, folds=5),
        SplitRule(20, 3, split=2, test_share=0.2, train_limit=50),
        SplitRule(20, 3, train_limit=50, test_limit=70, test_seed=0),
    ):
        one = draw(data, rule, "print")
        again = draw(data, rule_of(one.identity), "print")
        for name in ("train", "validation", "test"):
            rows = getattr(one.split, name)
            np.testing.assert_array_equal(rows, getattr(again.split, name))
            digest.update(rows.astype("<i8").tobytes())
    grouped = together(LABELS, GROUPS)
    for rule in (SplitRule(20, 3, split=0, folds=5), SplitRule(20, 3, split=0, test_share=0.2)):
        digest.update(draw(grouped, rule, "").split.test.astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "fefc46672ab8d686"


def test_too_few_images_or_groups_are_refused():
    rare = LABELS.copy()
    rare[rare == 3] = 0
    rare[:2] = 3
    with pytest.raises(DataError, match='"folds" = 3 is more than the 2 images of its class "d"'):
        draw(together(rare), SplitRule(split=0, folds=3), "")
    with pytest.raises(DataError, match="more than its 2 groups"):
        draw(together(LABELS, np.arange(200) // 100), SplitRule(split=0, folds=3), "")
    with pytest.raises(DataError, match="too few, or too large, to test on 1 %"):
        draw(together(LABELS, np.arange(200) // 100), SplitRule(split=0, test_share=0.01), "")


@pytest.mark.parametrize(("split", "other"), [("train", "test"), ("test", "train")])
def test_groups_of_one_split_alone_are_refused(split: str, other: str) -> None:
    groups = np.arange(40) // 4
    dataset = Dataset(
        np.zeros((40, 1, 2, 2), np.uint8),
        np.arange(40) % 2,
        test_images=np.zeros((40, 1, 2, 2), np.uint8),
        test_labels=np.arange(40) % 2,
        class_names=("a", "b"),
        **{f"{split}_groups": groups},
    )
    words = {"train": "training", "test": "test"}
    with pytest.raises(DataError, match=f"{words[split]} images belong together, but not which of its {words[other]}"):
        pooled(dataset)
