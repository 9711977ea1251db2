"""Data that is one split: divided by the spec; validation images that the data name; groups that stay on one side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mnistarena import DataError, Dataset
from mnistarena.data.dataset import check_dataset, fingerprint
from mnistarena.data.draws import draw, pooled, with_test
from mnistarena.data.splits import SplitRule, split_dataset


def one_split(n: int = 100, **more: object) -> Dataset:
    """Images of one pixel, the number of their row, and no test images."""
    return Dataset(
        np.arange(n, dtype=np.uint8)[:, None, None, None],
        np.arange(n, dtype=np.int64) % 4,
        test_images=np.zeros((0, 1, 1, 1), np.uint8),
        test_labels=np.zeros(0, np.int64),
        class_names=tuple("abcd"),
        train_names=[f"image {row}" for row in range(n)],
        **more,  # type: ignore[arg-type]
    )


def test_a_share_is_set_aside_for_testing_in_the_proportion_of_its_classes():
    found = check_dataset(with_test(check_dataset(one_split(), "mine"), 0.2, 0), "mine")
    assert np.bincount(found.test_labels).tolist() == [5, 5, 5, 5]
    pixels = np.concatenate([found.train_images, found.test_images]).ravel()
    assert sorted(pixels.tolist()) == list(range(100))
    assert found.test_names == [f"image {pixel}" for pixel in found.test_images.ravel()]
    assert found.train_names == [f"image {pixel}" for pixel in found.train_images.ravel()]
    other = with_test(one_split(), 0.2, 1)
    assert fingerprint(found) == fingerprint(with_test(one_split(), 0.2, 0)) != fingerprint(other)


def test_without_test_images_the_ways_to_have_some_are_named():
    with pytest.raises(DataError, match=r"no test images; with test = 0\.2 .* folds = 5"):
        split_dataset(one_split(), SplitRule())
    with pytest.raises(DataError, match='a test split of 20 images; leave "test" out'):
        with_test(with_test(one_split(), 0.2, 0), 0.2, 0)


def test_folds_of_one_split_test_every_image():
    whole = pooled(one_split(train_groups=np.arange(100) // 4))
    tested = [draw(whole, SplitRule(split=i, folds=5), "").split.test for i in range(5)]
    assert sorted(np.concatenate(tested).tolist()) == list(range(100))


def test_validation_images_that_the_data_name_are_the_validation_split():
    data = one_split(validation_rows=np.arange(10, 30))
    divided = check_dataset(with_test(data, 0.25, 3), "mine")
    assert len(divided.test_labels) == 20, "a quarter of those that are not set aside for validation"
    split = split_dataset(divided, SplitRule(train_limit=40))
    assert divided.train_images[split.validation].ravel().tolist() == list(range(10, 30))
    assert len(split.train) == 40
    assert not set(split.train) & set(split.validation)
    with pytest.raises(DataError, match='20 validation images of its own; leave "validation" out'):
        split_dataset(divided, SplitRule(validation=10))
    assert fingerprint(data) != fingerprint(dataclasses.replace(data, validation_rows=None))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"validation_rows": np.array([3, 3])}, "different rows"),
        ({"validation_rows": np.array([100])}, "different rows of the 100 training images"),
        ({"validation_rows": np.arange(100)}, "leaves none to train on"),
        ({"validation_rows": [1, 2]}, "int64 array"),
        ({"test_names": ["a"]}, "0 test images but 1 test_names"),
    ],
)
def test_rows_and_names_that_do_not_fit_are_refused(more, sentence):
    with pytest.raises(DataError, match=sentence):
        check_dataset(one_split(**more), "mine")


def test_no_group_lies_on_both_sides_in_a_thousand_random_splits():
    random = np.random.RandomState(0)
    for number in range(1000):
        groups = random.randint(0, random.randint(25, 60), 100).astype(np.int64)
        labels = random.randint(0, 4, 100).astype(np.int64)
        data = dataclasses.replace(one_split(train_groups=groups), train_labels=labels)
        how = number % 3
        if how == 0:
            divided = with_test(data, random.uniform(0.2, 0.5), number)
            sides = [divided.train_groups, divided.test_groups]
            split = split_dataset(divided, SplitRule(40, number))
            sides += [divided.train_groups[split.validation]]
            sides[0] = divided.train_groups[split.train]
        else:
            rule = SplitRule(0, number, split=1, **({"folds": 3} if how == 1 else {"test_share": 0.3}))
            split = draw(pooled(data), rule, "").split
            sides = [groups[split.train], groups[split.test]]
        assert all(len(side) for side in sides)
        for at, one in enumerate(sides):
            for other in sides[at + 1 :]:
                assert not set(one.tolist()) & set(other.tolist())
