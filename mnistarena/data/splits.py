"""Which images train, validate and test: stratified draws that are the same on every machine."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import DataError
from mnistarena.plugin.components import Dataset

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SplitRule:
    """How a dataset is split: `validation` training images are set aside, then both splits are cut to their limits."""

    validation: int = 0
    split_seed: int = 0
    _: KW_ONLY
    train_limit: int | None = None
    test_limit: int | None = None


@dataclass(frozen=True)
class Split:
    """Which rows of a dataset train, validate and test: sorted indices, disjoint in the training split."""

    train: Indices
    validation: Indices
    _: KW_ONLY
    test: Indices


def stratified(labels: NDArray[np.int64], size: int, seed: int) -> Indices:
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


def whole_groups(groups: NDArray[np.int64], size: int, seed: int) -> Indices:
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
    many are set aside as there is room for.
    """
    n_train, n_test = len(dataset.train_labels), len(dataset.test_labels)
    validation, seed = rule.validation, rule.split_seed
    if validation >= n_train:
        raise DataError(f'"validation" = {validation} leaves no image to train on: the training split has {n_train}')
    if rule.train_limit is not None and rule.train_limit > n_train - validation:
        raise DataError(
            f'"train_limit" = {rule.train_limit} is more than there is: {n_train} training images'
            + (f", {validation} of them set aside for validation" if validation else "")
        )
    if rule.test_limit is not None and rule.test_limit > n_test:
        raise DataError(f'"test_limit" = {rule.test_limit} is more than the {n_test} images of the test split')
    held = np.empty(0, np.int64)
    if validation and dataset.train_groups is not None:
        held = whole_groups(dataset.train_groups, validation, seed)
        if not len(held):
            raise DataError(f'"validation" = {validation} is less than the images of the smallest of its groups')
    elif validation:
        held = stratified(dataset.train_labels, validation, seed)
    rest = np.setdiff1d(np.arange(n_train), held)
    if rule.train_limit is not None:
        rest = rest[stratified(dataset.train_labels[rest], rule.train_limit, seed + 1)]
    test = np.arange(n_test)
    if rule.test_limit is not None:
        test = stratified(dataset.test_labels, rule.test_limit, seed + 2)
    return Split(rest.astype(np.int64), held, test=test.astype(np.int64))
