"""Which images train, validate and test: stratified draws that are the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import DataError
from mnistarena.plugin.components import Dataset

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SplitRule:
    """One way of splitting a dataset: `validation` training images are set aside, then both splits are cut.

    `split_seed` draws the images; those of `test_limit` are drawn by `test_seed` where that is given. With a number
    `split`, training and test images were put together, and it says which test images are taken from them: one of
    `folds` parts, or a part drawn anew, of `test_share` of all.
    """

    validation: int = 0
    split_seed: int = 0
    _: KW_ONLY
    train_limit: int | None = None
    test_limit: int | None = None
    test_seed: int | None = None
    split: int | None = None
    folds: int | None = None
    test_share: float | None = None


@dataclass(frozen=True)
class Split:
    """Which rows of a dataset train, validate and test: sorted, disjoint where they are rows of the same images."""

    train: Indices
    validation: Indices
    _: KW_ONLY
    test: Indices


def stratified(labels: NDArray[np.int64], size: int, seed: int | Sequence[int]) -> Indices:
    """`size` sorted indices into `labels`, each class in its proportion (largest remainders).

    RandomState, not Generator: NumPy promises that its streams never change, so the split is the same everywhere.
    """
    if size >= len(labels):
        return np.arange(len(labels))
    random = np.random.RandomState(seed)
    order = random.permutation(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (size / len(labels))
    take = np.floor(exact).astype(int)
    short = size - int(take.sum())
    take[np.argsort(-(exact - take), kind="stable")[:short]] += 1
    shuffled = labels[order]
    chosen = [order[shuffled == c][:n] for c, n in zip(classes, take, strict=True)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def whole_groups(groups: NDArray[np.int64], size: int, seed: int | Sequence[int]) -> Indices:
    """Sorted indices of randomly drawn groups with at most `size` images together; of none where each is larger."""
    names, counts = np.unique(groups, return_counts=True)
    order = np.random.RandomState(seed).permutation(len(names))
    taken, room = [], size
    for number in order:
        if counts[number] <= room:
            taken.append(names[number])
            room -= counts[number]
    return np.flatnonzero(np.isin(groups, taken)).astype(np.int64)


def split_dataset(dataset: Dataset, rule: SplitRule) -> Split:
    """Split a dataset. Raises `DataError` where it has too few images.

    Every draw is stratified, but that of validation images where the dataset has groups: those stay together, and as
    many are set aside as there is room for. Validation images that the dataset names are taken as they are.
    """
    n_train, n_test, seed = len(dataset.train_labels), len(dataset.test_labels), rule.split_seed
    if not n_test:
        raise DataError(
            f"it has no test images; with test = 0.2 in [[dataset]] a fifth of its {n_train} images are set aside for "
            "testing, and with folds = 5 each is tested once"
        )
    if rule.test_limit is not None and rule.test_limit > n_test:
        raise DataError(f'"test_limit" = {rule.test_limit} is more than the {n_test} images of the test split')
    test = np.arange(n_test)
    if rule.test_limit is not None:
        test = stratified(
            dataset.test_labels, rule.test_limit, (seed if rule.test_seed is None else rule.test_seed) + 2
        )
    train, held = divided(dataset, np.arange(n_train), rule, seeds=(seed, seed + 1))
    return Split(train, held, test=test.astype(np.int64))


def divided(
    dataset: Dataset, rows: Indices, rule: SplitRule, *, seeds: tuple[int | Sequence[int], int | Sequence[int]]
) -> tuple[Indices, Indices]:
    """Of these rows of the training images, those that train and those that validate.

    `seeds` draw the images that are set aside and those that `train_limit` keeps. Raises `DataError`.
    """
    validation, count, held = rule.validation, len(rows), np.empty(0, np.int64)
    labels, given = dataset.train_labels[rows], dataset.validation_rows
    if given is not None:
        if validation not in (0, len(given)):
            raise DataError(f'it has {len(given)} validation images of its own; leave "validation" out')
        validation, held = len(given), np.flatnonzero(np.isin(rows, given)).astype(np.int64)
    if validation >= count:
        raise DataError(f'"validation" = {validation} leaves no image to train on: the training split has {count}')
    if rule.train_limit is not None and rule.train_limit > count - validation:
        raise DataError(
            f'"train_limit" = {rule.train_limit} is more than there is: {count} training images'
            + (f", {validation} of them set aside for validation" if validation else "")
        )
    if given is None and validation and dataset.train_groups is not None:
        held = whole_groups(dataset.train_groups[rows], validation, seeds[0])
        if not len(held):
            raise DataError(f'"validation" = {validation} is less than the images of the smallest of its groups')
    elif given is None and validation:
        held = stratified(labels, validation, seeds[0])
    rest = np.setdiff1d(np.arange(count), held)
    if rule.train_limit is not None:
        rest = rest[stratified(labels[rest], rule.train_limit, seeds[1])]
    return rows[rest].astype(np.int64), rows[held].astype(np.int64)
