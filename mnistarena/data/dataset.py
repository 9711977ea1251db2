"""Datasets: checked, fingerprinted and described as a task, with numpy alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.large import parts
from mnistarena.data.splits import Split
from mnistarena.errors import DataError
from mnistarena.plugin.components import Dataset, Task

CHANNELS = (1, 3, 4)
"""Numbers of channels that images usually have: grey, RGB, RGBA."""


def check_dataset(dataset: object, name: str) -> Dataset:
    """The dataset, if its arrays are what `Dataset` promises; else a `DataError` that names every fault."""
    if not isinstance(dataset, Dataset):
        raise DataError(f'the dataset "{name}" returned {type(dataset).__name__}, not a Dataset')
    names, errors = dataset.class_names, dataset.known_label_errors
    if not isinstance(names, (tuple, list)) or not all(type(name) is str for name in names):
        raise DataError(f'the dataset "{name}" cannot be used: class_names must be a tuple of strings, not {names!r}')
    wrong = [*_split_problems(dataset, "train"), *_split_problems(dataset, "test")]
    for split, named in (("train", "training"), ("test", "test")):
        wrong += [*_group_problems(dataset, split, named), *_name_problems(dataset, split, named)]
    wrong += _validation_problems(dataset)
    rows = range(len(dataset.test_images)) if not wrong else range(0)
    if not wrong and not all(type(row) is int and row in rows for row in errors):
        wrong.append(f"known_label_errors must be int rows of the test split, from 0 to {rows.stop - 1}")
    if dataset.n_classes < 2:
        wrong.append(f"{dataset.n_classes} class; a classifier needs at least 2")
    if not wrong and dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        wrong.append("training and test images differ in shape")
    if wrong:
        raise DataError(f'the dataset "{name}" cannot be used: ' + "; ".join(wrong))
    return dataset


def _split_problems(dataset: Dataset, split: str) -> Iterator[str]:
    images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        yield f"{split}_images must be a uint8 array (n, C, H, W)"
    elif isinstance(labels, np.ndarray) and len(images) != len(labels):
        yield f"{len(images)} {split} images but {len(labels)} {split} labels"
    elif len(images) == 0 and split == "train":
        yield "the train split is empty"
    elif channels_last(images):
        n, height, width, channels = images.shape
        yield (
            f"{split}_images have the shape {images.shape}, which looks like (n, H, W, C); "
            f"mnistarena wants (n, C, H, W): images.transpose(0, 3, 1, 2) gives {(n, channels, height, width)}"
        )
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.ndim != 1:
        yield f"{split}_labels must be an int64 array (n,)"
    elif len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < dataset.n_classes:
        yield (
            f"{split} labels run from {labels.min()} to {labels.max()}, but there are "
            f"{dataset.n_classes} classes (0 … {dataset.n_classes - 1})"
        )


def _group_problems(dataset: Dataset, split: str, named: str) -> Iterator[str]:
    groups, labels = getattr(dataset, f"{split}_groups"), getattr(dataset, f"{split}_labels")
    if groups is None:
        return
    if not isinstance(groups, np.ndarray) or groups.dtype != np.int64 or groups.ndim != 1:
        yield f"{split}_groups must be an int64 array (n,), or None"
    elif len(groups) != len(labels):
        yield f"{len(labels)} {split} labels but {len(groups)} {split} groups"
    elif len(groups) and len(np.unique(groups)) < 2:
        yield f"all {named} images are of one group; leave {split}_groups out"


def _name_problems(dataset: Dataset, split: str, named: str) -> Iterator[str]:
    names, labels = getattr(dataset, f"{split}_names"), getattr(dataset, f"{split}_labels")
    if names is not None and len(names) != len(labels):
        yield f"{len(labels)} {named} images but {len(names)} {split}_names"


def _validation_problems(dataset: Dataset) -> Iterator[str]:
    rows, n = dataset.validation_rows, len(dataset.train_images)
    if rows is None:
        return
    if not isinstance(rows, np.ndarray) or rows.dtype != np.int64 or rows.ndim != 1 or not len(rows):
        yield "validation_rows must be an int64 array (n,) that is not empty, or None"
    elif len(np.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= n:
        yield f"validation_rows must be different rows of the {n} training images"
    elif len(rows) == n:
        yield "all training images are in validation_rows, which leaves none to train on"


def channels_last(images: NDArray[np.uint8]) -> bool:
    """Whether images `(n, …)` of four dimensions have their channels last: 1, 3 or 4 there, and not second."""
    return images.shape[3] in CHANNELS and images.shape[1] not in CHANNELS


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the arrays, their shapes and the class names; not of what images are called."""
    digest = hashlib.sha256(repr(dataset.class_names).encode())
    arrays: list[NDArray[Any]] = [dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels]
    if dataset.train_groups is not None:
        arrays.append(dataset.train_groups)
    if dataset.test_groups is not None:
        digest.update(b"test groups")
        arrays.append(dataset.test_groups)
    if dataset.validation_rows is not None:
        digest.update(b"validation rows")
        arrays.append(dataset.validation_rows)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def channel_statistics(
    images: NDArray[np.uint8], rows: NDArray[np.int64] | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of `(n, C, H, W)` images in [0, 1]; of these rows only, if given.

    From exact histograms, so the result does not depend on the order of summation.
    """
    means, deviations = [], []
    levels = np.arange(256) / 255
    histograms = np.zeros((images.shape[1], 256), np.int64)
    for part in parts(images, rows):
        for start in range(0, len(part), 4096):  # bincount widens its input eightfold
            for channel, counts in enumerate(histograms):
                counts += np.bincount(part[start : start + 4096, channel].ravel(), minlength=256)
    for counts in histograms:
        total = counts.sum()
        mean = float((counts * levels).sum() / total)
        means.append(mean)
        deviations.append(float(np.sqrt((counts * (levels - mean) ** 2).sum() / total)))
    return tuple(means), tuple(deviations)


def task_of(dataset: Dataset, split: Split) -> Task:
    """The task a model faces, before any transform."""
    mean, std = channel_statistics(dataset.train_images, split.train)
    labels = dataset.train_labels[split.train]
    return Task(
        dataset.image_shape,
        dataset.n_classes,
        class_names=dataset.class_names,
        n_train=len(split.train),
        mean=mean,
        std=std,
        class_counts=tuple(np.bincount(labels, minlength=dataset.n_classes).tolist()),
    )
