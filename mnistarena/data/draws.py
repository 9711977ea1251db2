"""A dataset under one rule of splitting it, and the rules that take test images from all images together.

The draws are our own code, not scikit-learn's: they are part of what a trial is, and must not change with a version of
a library. RandomState is used, whose streams NumPy promises never to change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.dataset import task_of
from mnistarena.data.large import joined, take
from mnistarena.data.splits import Indices, Split, SplitRule, divided, split_dataset, stratified
from mnistarena.errors import DataError
from mnistarena.plugin.components import Dataset, Task
from mnistarena.plugin.split_identity import SplitIdentity

_HELD, _KEPT, _TESTED, _DEALT = range(4)
"""Streams of random numbers: images set aside, images kept by a limit, test images, folds."""


@dataclass(frozen=True)
class Draw:
    """Which images of a dataset train, validate and test.

    Where training and test images were put together, both splits of `dataset` are all images, and the test rows are
    rows of them. `fingerprint` is that of the dataset as its plugin gave it.
    """

    dataset: Dataset
    split: Split
    _: KW_ONLY
    rule: SplitRule
    fingerprint: str

    @cached_property
    def task(self) -> Task:
        """What a model faces before any transform."""
        return task_of(self.dataset, self.split)

    @property
    def identity(self) -> SplitIdentity:
        """The arrays and their split, in the identity of a trial."""
        known: SplitIdentity = {
            "fingerprint": self.fingerprint,
            "validation": len(self.split.validation),
            "split_seed": self.rule.split_seed,
            "train_limit": self.rule.train_limit,
            "test_limit": self.rule.test_limit,
        }
        if self.rule.test_seed is not None:
            known["test_seed"] = self.rule.test_seed
        if self.rule.split is not None:
            known["split"] = self.rule.split
        # A fold depends on how many there are; a part that is drawn anew does not.
        if self.rule.folds is not None:
            known["folds"] = self.rule.folds
        if self.rule.test_share is not None:
            known["test_share"] = self.rule.test_share
        return known


def rule_of(known: SplitIdentity) -> SplitRule:
    """The rule that gives an identity's split again."""
    return SplitRule(
        known["validation"],
        known["split_seed"],
        train_limit=known["train_limit"],
        test_limit=known["test_limit"],
        test_seed=known.get("test_seed"),
        split=known.get("split"),
        folds=known.get("folds"),
        test_share=known.get("test_share"),
    )


def draw(dataset: Dataset, rule: SplitRule, fingerprint: str) -> Draw:
    """Split a dataset by a rule; with a number `split`, `dataset` is `pooled`. Raises `DataError`."""
    if rule.split is None:
        return Draw(dataset, split_dataset(dataset, rule), rule=rule, fingerprint=fingerprint)
    if rule.folds is not None:
        test = _fold(dataset, rule)
    else:
        assert rule.test_share is not None
        seed = (rule.split_seed, rule.split, _TESTED)
        test = _part(dataset.train_labels, dataset.train_groups, share=rule.test_share, seed=seed)
    rest = np.setdiff1d(np.arange(len(dataset.train_labels)), test).astype(np.int64)
    seeds = [(rule.split_seed, rule.split, stream) for stream in (_HELD, _KEPT)]
    train, held = divided(dataset, rest, rule, seeds=(seeds[0], seeds[1]))
    return Draw(dataset, Split(train, held, test=test), rule=rule, fingerprint=fingerprint)


def with_test(dataset: Dataset, share: float, seed: int) -> Dataset:
    """A dataset that is one split with a share of its images as test split: stratified, or whole groups.

    Its validation images stay so. Raises `DataError` where it has a test split, or too few images or groups.
    """
    if len(dataset.test_labels):
        raise DataError(
            f'it has a test split of {len(dataset.test_labels)} images; leave "test" out, or have test images drawn '
            'anew from all images, by "splits" or "folds"'
        )
    rows = np.arange(len(dataset.train_labels))
    if dataset.validation_rows is not None:
        rows = np.setdiff1d(rows, dataset.validation_rows)
    groups = None if dataset.train_groups is None else dataset.train_groups[rows]
    test = rows[_part(dataset.train_labels[rows], groups, share=share, seed=(seed, 0, _TESTED))]
    train = np.setdiff1d(np.arange(len(dataset.train_labels)), test)
    names = dataset.train_names
    return dataclasses.replace(
        dataset,
        train_images=take(dataset.train_images, train),
        train_labels=dataset.train_labels[train],
        test_images=take(dataset.train_images, test),
        test_labels=dataset.train_labels[test],
        train_groups=None if dataset.train_groups is None else dataset.train_groups[train],
        test_groups=None if dataset.train_groups is None else dataset.train_groups[test],
        validation_rows=None if dataset.validation_rows is None else np.searchsorted(train, dataset.validation_rows),
        train_names=None if names is None else [names[row] for row in train],
        test_names=None if names is None else [names[row] for row in test],
    )


def pooled(dataset: Dataset) -> Dataset:
    """The dataset with all its images, first those of training, as both splits; none is set aside for validation.

    A number that groups of both splits have is one group. Raises `DataError` where it says of one split alone which
    images belong together.
    """
    images = joined(dataset.train_images, dataset.test_images)
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    groups: dict[str, Any] = {}
    names = None
    if dataset.train_names is not None or dataset.test_names is not None:
        parts = (dataset.train_names, dataset.train_labels), (dataset.test_names, dataset.test_labels)
        names = [name for given, of in parts for name in (given or [""] * len(of))]
    if dataset.train_groups is not None and not len(dataset.test_labels):
        dataset = dataclasses.replace(dataset, test_groups=np.zeros(0, np.int64))
    known = [dataset.train_groups is not None, dataset.test_groups is not None]
    if any(known) and not all(known):
        said, silent = ("training", "test") if known[0] else ("test", "training")
        raise DataError(
            f'it says which of its {said} images belong together, but not which of its {silent} images; "folds" and '
            '"splits" mix the two, and images that belong together must stay in one part'
        )
    if dataset.train_groups is not None and dataset.test_groups is not None:
        both = np.concatenate([dataset.train_groups, dataset.test_groups])
        groups = {"train_groups": both, "test_groups": both}
    return dataclasses.replace(
        dataset,
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        known_label_errors=tuple(len(dataset.train_labels) + row for row in dataset.known_label_errors),
        validation_rows=None,
        train_names=names,
        test_names=names,
        **groups,
    )


def own_share(dataset: Dataset) -> float:
    """The share of test images among all of a dataset. Raises `DataError` where it has none."""
    if not len(dataset.test_labels):
        raise DataError('it has no test images whose share could be drawn; give "test_share" beside "splits"')
    return len(dataset.test_labels) / (len(dataset.train_labels) + len(dataset.test_labels))


def _fold(dataset: Dataset, rule: SplitRule) -> Indices:
    """The rows of one fold of all images: every image is in exactly one, whole groups together."""
    assert rule.folds is not None
    labels, groups, seed = dataset.train_labels, dataset.train_groups, (rule.split_seed, rule.folds, _DEALT)
    if groups is not None:
        if (count := len(np.unique(groups))) < rule.folds:
            raise DataError(f'"folds" = {rule.folds} is more than its {count} groups of images that belong together')
        numbers = _dealt(labels, groups, [1 / rule.folds] * rule.folds, seed, largest_first=True)
    else:
        classes, counts = np.unique(labels, return_counts=True)
        if counts.min() < rule.folds:
            name = dataset.class_names[classes[counts.argmin()]]
            raise DataError(f'"folds" = {rule.folds} is more than the {counts.min()} images of its class "{name}"')
        order = np.random.RandomState(seed).permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        numbers = np.empty(len(labels), np.int64)
        numbers[order] = np.arange(len(labels)) % rule.folds
    return np.flatnonzero(numbers == rule.split).astype(np.int64)


def _part(labels: NDArray[np.int64], groups: NDArray[np.int64] | None, *, share: float, seed: Sequence[int]) -> Indices:
    """The rows of a random part of the images, whole groups together; raises `DataError` where that is none or all."""
    if groups is None:
        size = min(max(round(share * len(labels)), 1), len(labels) - 1)
        return stratified(labels, size, seed)
    numbers = _dealt(labels, groups, [share, 1 - share], seed)
    test = np.flatnonzero(numbers == 0).astype(np.int64)
    if len(test) in (0, len(labels)):
        raise DataError(f"its groups are too few, or too large, to test on {100 * share:g} % of the images")
    return test


def _dealt(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    shares: Sequence[float],
    seed: Sequence[int],
    *,
    largest_first: bool = False,
) -> NDArray[np.int64]:
    """The part of each image, `(n,)`: groups one by one, each into the part that then lacks least of its classes.

    The order of the groups is random; with `largest_first` they are sorted by size, equal ones at random.
    """
    names, member = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (member, labels), 1)
    order = np.random.RandomState(seed).permutation(len(names))
    if largest_first:
        order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    counts /= np.maximum(counts.sum(axis=0), 1)
    wanted = np.array(shares)[:, None]
    have = np.zeros((len(shares), counts.shape[1]))
    part = np.empty(len(names), np.int64)
    for group in order:
        # By how much the sum of (have - wanted)²/wanted grows.
        grown = ((2 * (have - wanted) * counts[group] + counts[group] ** 2) / wanted).sum(axis=1)
        part[group] = int(np.argmin(np.round(grown, 12)))
        have[part[group]] += counts[group]
    return part[member]
