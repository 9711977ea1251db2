"""What a dataset's images are like before anything is trained on them: copies, ranges, classes, what was not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.draws import Draw
from mnistarena.data.duplicates import Near, equal_images, near_images
from mnistarena.plugin.audit_record import (
    AuditRecord,
    CopiesRecord,
    FoundImage,
    FoundImages,
    LeakedImage,
    LeftOutRecord,
    LostClass,
    RangeRecord,
    SplitAudit,
    TwoLabels,
)
from mnistarena.plugin.components import Dataset, LeftOut

Rows = NDArray[np.int64]

FIRST = 20
"""So many of what was found are listed; leaked test images all are."""
DIM = 16
"""An image is dim where its greatest value is that many times smaller than that of half of the images."""
EQUAL = 2.0
"""More than any correlation."""


@dataclass(frozen=True)
class Looked:
    """What the arrays of a dataset hold. Rows count the training images first, then the test images.

    `firsts` `(n,)` is the first row with the same pixels; `lows` and `highs` `(n,)` are the least and the greatest
    value of each image.
    """

    firsts: Rows
    near: Near | None
    lows: NDArray[np.uint8]
    highs: NDArray[np.uint8]


def look(dataset: Dataset) -> Looked:
    """Look at every image of a dataset: about a second for 70,000 of MNIST's size."""
    parts = [images for images in (dataset.train_images, dataset.test_images) if len(images)]
    lows, highs = (np.concatenate([_extremes(images, of) for images in parts]) for of in (np.min, np.max))
    firsts = equal_images(parts)
    return Looked(firsts, near_images(parts, firsts, lows < highs), lows=lows, highs=highs)


def _extremes(images: NDArray[np.uint8], of: Any) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = of(images.reshape(len(images), -1), axis=1)
    return found


def audit(
    dataset: Dataset, looked: Looked, fingerprint: str, *, draws: Mapping[tuple[int | None, int | None], Draw]
) -> AuditRecord:
    """What is known of a dataset, and of each of its `draws`, which go by seed and number of the split."""
    n_train, n_classes = len(dataset.train_labels), dataset.n_classes
    parts = {"train": slice(0, n_train), "test": slice(n_train, None)}
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    images = _Images(dataset, labels)
    highs, dim = looked.highs.astype(np.float64), np.zeros(len(labels), bool)
    ranges: dict[str, RangeRecord] = {}
    for name, part in parts.items():
        if len(of := highs[part]):
            usual = float(np.median(of))
            ranges[name] = {"low": int(looked.lows[part].min()), "high": int(of.max()), "median_high": usual}
            dim[part] = (of * DIM <= usual) & (looked.lows[part] < looked.highs[part])
    counts = {name: np.bincount(labels[part], minlength=n_classes).tolist() for name, part in parts.items()}
    copies = _Copies(looked)
    return {
        "fingerprint": fingerprint,
        "pooled": any(one.rule.split is not None for one in draws.values()),
        "class_names": list(dataset.class_names),
        "counts": counts,
        "left_out": _left_out(dataset.left_out),
        "ranges": ranges,
        "constant": images.found(np.flatnonzero(looked.lows == looked.highs)),
        "dim": images.found(np.flatnonzero(dim)),
        "equal": copies.equal(n_train),
        "near": copies.near(n_train),
        "two_labels": _two_labels(looked.firsts, images),
        "splits": [
            {"seed": seed, "split": split, **_split(one, dataset, copies, labels)}
            for (seed, split), one in draws.items()
        ],
    }


@dataclass(frozen=True)
class _Images:
    """What images are called; rows count the training images first, then the test images."""

    dataset: Dataset
    labels: Rows

    def found(self, rows: Rows) -> FoundImages:
        return {"n": len(rows), "first": [self.one(int(row)) for row in rows[:FIRST]]}

    def one(self, row: int) -> FoundImage:
        data, n_train = self.dataset, len(self.dataset.train_labels)
        test = row >= n_train
        own, names = (row - n_train, data.test_names) if test else (row, data.train_names)
        image: FoundImage = {"of": "test" if test else "train", "row": own}
        if names is not None:
            image["name"] = str(names[own])
        image["label"] = data.class_names[self.labels[row]]
        return image


class _Copies:
    """Which images are copies of which."""

    def __init__(self, looked: Looked) -> None:
        self.firsts, self._near = looked.firsts, looked.near
        pairs = np.empty((0, 2), np.int64) if looked.near is None else looked.near.pairs
        strength = np.empty(0, np.float32) if looked.near is None else looked.near.correlations
        both = np.concatenate([pairs, pairs[:, ::-1]])
        order = np.lexsort((-np.tile(strength, 2), both[:, 0]))
        self.pairs, self.strength = both[order], np.tile(strength, 2)[order]
        """Each pair both ways, the strongest of an image first."""

    def equal(self, n_train: int) -> CopiesRecord:
        """How many images are copies of an earlier one in their split, and how many test images of a training image."""
        train, test = self.firsts[:n_train], self.firsts[n_train:]
        own = [len(part) - len(np.unique(part)) for part in (train, test)]
        return {"train": own[0], "test": own[1], "across": int((test < n_train).sum())}

    def near(self, n_train: int) -> CopiesRecord | None:
        """How many images nearly equal another one of their split, and how many test images a training image."""
        if self._near is None:
            return None
        in_test = self._near.pairs >= n_train
        own = [len(np.unique(self._near.pairs[(in_test == test).all(axis=1)])) for test in (False, True)]
        rows = np.arange(len(self.firsts))
        partners, strength = self.of(rows[n_train:], among=rows[:n_train])
        return {"train": own[0], "test": own[1], "across": int(((partners >= 0) & (strength < EQUAL)).sum())}

    def of(self, rows: Rows, *, among: Rows) -> tuple[Rows, NDArray[np.float32]]:
        """For each of `rows`, the row of `among` that it equals, or nearly does, and the correlation of their pixels.

        -1 where there is none; `EQUAL` in place of the correlation of those that are equal.
        """
        here = np.full(len(self.firsts), -1, np.int64)
        here[self.firsts[among[::-1]]] = among[::-1]
        partner, strength = here.copy(), np.where(here >= 0, EQUAL, 0).astype(np.float32)
        usable = (here[self.pairs[:, 1]] >= 0) & (here[self.pairs[:, 0]] < 0)
        pairs, strengths = self.pairs[usable][::-1], self.strength[usable][::-1]  # the strongest is written last
        partner[pairs[:, 0]], strength[pairs[:, 0]] = here[pairs[:, 1]], strengths
        return partner[self.firsts[rows]], strength[self.firsts[rows]]


def _split(one: Draw, dataset: Dataset, copies: _Copies, labels: Rows) -> SplitAudit:
    """What is known of one way of splitting the dataset."""
    split, pooled = one.split, one.rule.split is not None
    start = 0 if pooled else len(dataset.train_labels)
    parts = {"train": split.train, "validation": split.validation, "test": split.test + start}
    counts = {name: np.bincount(labels[rows], minlength=dataset.n_classes) for name, rows in parts.items()}
    whole, largest = np.bincount(labels, minlength=dataset.n_classes), int(counts["train"].argmax())
    partners, strength = copies.of(parts["test"], among=split.train)
    validating, _ = copies.of(parts["test"], among=split.validation)
    lost: list[LostClass] = [
        {"name": dataset.class_names[number], "part": part, "images": int(whole[number])}
        for part in parts
        if len(parts[part])
        for number in np.flatnonzero(counts[part] == 0)
    ]
    return {
        "counts": {name: found.tolist() for name, found in counts.items()},
        "leaked": [
            _leaked(one.dataset, int(row), train=int(train), strength=float(value))
            for row, train, value in zip(split.test, partners, strength, strict=True)
            if train >= 0
        ],
        "leaked_validation": int(((partners < 0) & (validating >= 0)).sum()),
        "lost": lost,
        "groups": _shared_groups(one),
        "largest": dataset.class_names[largest],
        "largest_accuracy": float(counts["test"][largest] / len(split.test)),
    }


def _leaked(dataset: Dataset, row: int, *, train: int, strength: float) -> LeakedImage:
    image: LeakedImage = {"test": row, "train": train}
    if dataset.test_names is not None:
        image["test_name"] = str(dataset.test_names[row])
    if dataset.train_names is not None:
        image["train_name"] = str(dataset.train_names[train])
    if strength < EQUAL:
        image["correlation"] = round(strength, 4)
    return image


def _shared_groups(one: Draw) -> int:
    """How many groups have test images and others."""
    data, split = one.dataset, one.split
    if data.train_groups is None or data.test_groups is None:
        return 0
    seen = data.train_groups[np.concatenate([split.train, split.validation])]
    return len(np.intersect1d(seen, data.test_groups[split.test]))


def _two_labels(firsts: Rows, images: _Images) -> TwoLabels:
    """Equal images with unlike labels."""
    several = np.unique(firsts[images.labels != images.labels[firsts]])
    first = [[images.one(int(row)) for row in np.flatnonzero(firsts == one)[:FIRST]] for one in several[:FIRST]]
    return {"n": len(several), "first": first}


def _left_out(found: Iterable[LeftOut]) -> list[LeftOutRecord]:
    """What was not read, by suffix and reason, the most frequent first."""
    records: dict[tuple[str, str], LeftOutRecord] = {}
    for one in found:
        suffix = PurePosixPath(one.name).suffix.lower()[:20]
        new: LeftOutRecord = {"suffix": suffix, "reason": one.reason, "n": 0, "first": []}
        record = records.setdefault((suffix, one.reason), new)
        record["n"] += 1
        if len(record["first"]) < FIRST:
            record["first"].append(one.name)
    return sorted(records.values(), key=lambda record: -record["n"])
