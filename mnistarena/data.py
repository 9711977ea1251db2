"""Datasets checked, split and fingerprinted, with numpy alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.components import Dataset, Task
from mnistarena.errors import DataError

Indices = NDArray[np.int64]


def check(dataset: Any, name: str) -> Dataset:
    """The dataset, if its arrays are what `Dataset` promises; else `DataError` with every breach named."""
    if not isinstance(dataset, Dataset):
        raise DataError(f'the dataset "{name}" returned {type(dataset).__name__}, not a Dataset')
    wrong = []
    for split in ("train", "test"):
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
            wrong.append(f"{split}_images must be a uint8 array (n, C, H, W)")
        elif len(images) != len(labels):
            wrong.append(f"{len(images)} {split} images but {len(labels)} {split} labels")
        elif len(images) == 0:
            wrong.append(f"the {split} split is empty")
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.ndim != 1:
            wrong.append(f"{split}_labels must be an int64 array (n,)")
        elif len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < dataset.n_classes:
            wrong.append(
                f"{split} labels run from {labels.min()} to {labels.max()}, but there are "
                f"{dataset.n_classes} classes (0 … {dataset.n_classes - 1})"
            )
    if dataset.n_classes < 2:
        wrong.append(f"{dataset.n_classes} class; a classifier needs at least 2")
    if not wrong and dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        wrong.append("training and test images differ in shape")
    if wrong:
        raise DataError(f'the dataset "{name}" is unusable: ' + "; ".join(wrong))
    return dataset


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the arrays, their shapes and the class names."""
    digest = hashlib.sha256(repr(dataset.class_names).encode())
    for array in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def stratified(labels: NDArray[np.int64], size: int, seed: int) -> Indices:
    """`size` sorted indices into `labels`, each class in its proportion (largest remainders).

    RandomState, not Generator: its streams are frozen for good, so the split is the same everywhere.
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


@dataclass(frozen=True)
class Split:
    """Which rows of a dataset train, validate and test: sorted indices, disjoint in the training split."""

    train: Indices
    validation: Indices
    test: Indices


def split(
    dataset: Dataset, *, validation: int, split_seed: int, train_limit: int | None, test_limit: int | None
) -> Split:
    """Set `validation` training images aside, then cut to the limits; every draw is stratified.

    Raises `DataError` where the dataset has too few images.
    """
    n_train, n_test = len(dataset.train_labels), len(dataset.test_labels)
    if validation >= n_train:
        raise DataError(f'"validation" = {validation} leaves no image to train on: the training split has {n_train}')
    if train_limit is not None and train_limit > n_train - validation:
        raise DataError(
            f'"train_limit" = {train_limit} is more than there is: {n_train} training images'
            + (f", {validation} of them set aside for validation" if validation else "")
        )
    if test_limit is not None and test_limit > n_test:
        raise DataError(f'"test_limit" = {test_limit} is more than the {n_test} images of the test split')
    held = stratified(dataset.train_labels, validation, split_seed) if validation else np.empty(0, np.int64)
    rest = np.setdiff1d(np.arange(n_train), held)
    if train_limit is not None:
        rest = rest[stratified(dataset.train_labels[rest], train_limit, split_seed + 1)]
    test = np.arange(n_test)
    if test_limit is not None:
        test = stratified(dataset.test_labels, test_limit, split_seed + 2)
    return Split(rest.astype(np.int64), held, test.astype(np.int64))


def statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of `(n, C, H, W)` images in [0, 1].

    From exact histograms, so the result does not depend on the order of summation.
    """
    means, deviations = [], []
    levels = np.arange(256) / 255
    for channel in range(images.shape[1]):
        counts = np.zeros(256, np.int64)
        for start in range(0, len(images), 4096):  # bincount widens its input eightfold
            counts += np.bincount(images[start : start + 4096, channel].ravel(), minlength=256)
        total = counts.sum()
        mean = float((counts * levels).sum() / total)
        means.append(mean)
        deviations.append(float(np.sqrt((counts * (levels - mean) ** 2).sum() / total)))
    return tuple(means), tuple(deviations)


def task(dataset: Dataset, parts: Split) -> Task:
    """The task a model faces, before any transform."""
    mean, std = statistics(dataset.train_images[parts.train])
    return Task(
        image_shape=dataset.image_shape,
        n_classes=dataset.n_classes,
        class_names=dataset.class_names,
        n_train=len(parts.train),
        mean=mean,
        std=std,
    )
