"""A dataset put together from its splits: images, labels of any kind, groups, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.labels import as_classes
from mnistarena.data.large import joined
from mnistarena.errors import DataError
from mnistarena.plugin.components import Dataset, LeftOut


@dataclass(frozen=True)
class Part:
    """A split as it was read: images uint8 `(n, C, H, W)`, labels bool, int64 or str `(n,)`.

    `groups` are whole numbers or texts `(n,)`, `names` a text for each image.
    """

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    _: KW_ONLY
    groups: NDArray[Any] | None = None
    names: Sequence[str] | None = None


def assemble(
    parts: Mapping[str, Part],
    where: str,
    *,
    wrong: Sequence[str] = (),
    class_names: Sequence[str] | Mapping[str, str] | None = None,
    source: str,
    left_out: Sequence[LeftOut] = (),
    licence: str = "",
) -> Dataset:
    """The dataset of the parts "train" and, where there are such, "validation" and "test".

    Validation images follow those to train on. Raises `DataError`, which begins with `where`, with everything that is
    wrong: what the reader found, and what is wrong with the labels, the shapes and the groups.
    """
    wrong = list(wrong)
    labels: dict[str, NDArray[np.int64]] = {}
    names: tuple[str, ...] = ()
    if not wrong:
        labels, names = as_classes({split: part.labels for split, part in parts.items()}, class_names, wrong)
        shapes = {split: " × ".join(map(str, part.images.shape[1:])) for split, part in parts.items()}
        wrong += [
            f"train images are {shapes['train']} (channels, height, width), {split} images {shape}"
            for split, shape in shapes.items()
            if shape != shapes["train"]
        ]
        if "validation" in parts and (parts["train"].groups is None) != (parts["validation"].groups is None):
            wrong.append("of the images to train on and to validate on, only one has groups")
    if wrong:
        raise DataError(f"{where}: {'; '.join(wrong)}")
    learnt = [split for split in ("train", "validation") if split in parts]
    images = parts["train"].images
    if len(learnt) > 1:
        images = joined(images, parts["validation"].images)
    first, groups, test = len(parts["train"].images), _numbered(parts), parts.get("test")
    return Dataset(
        images,
        np.concatenate([labels[split] for split in learnt]),
        test_images=images[:0] if test is None else test.images,
        test_labels=labels.get("test", np.zeros(0, np.int64)),
        class_names=names,
        train_groups=_joined(groups, learnt),
        test_groups=groups.get("test"),
        validation_rows=np.arange(first, len(images)) if len(learnt) > 1 else None,
        train_names=_names(parts, learnt),
        test_names=test.names if test else None,
        left_out=tuple(left_out),
        source=source,
        licence=licence,
    )


def _numbered(parts: Mapping[str, Part]) -> dict[str, NDArray[np.int64]]:
    """The groups of each part that has some, int64; the same name is the same number in all of them."""
    groups = {split: part.groups for split, part in parts.items() if part.groups is not None}
    if all(of.dtype.kind in "iu" for of in groups.values()):
        return {split: of.astype(np.int64) for split, of in groups.items()}
    known = np.unique(np.concatenate([of.astype(str) for of in groups.values()]))
    return {split: np.searchsorted(known, of.astype(str)).astype(np.int64) for split, of in groups.items()}


def _joined(groups: Mapping[str, NDArray[np.int64]], learnt: Sequence[str]) -> NDArray[np.int64] | None:
    return np.concatenate([groups[split] for split in learnt]) if set(learnt) <= set(groups) else None


def _names(parts: Mapping[str, Part], learnt: Sequence[str]) -> list[str] | None:
    """What the images to train on and to validate on are called; where one split has no names, its rows."""
    if all(parts[split].names is None for split in learnt):
        return None
    return [
        name
        for split in learnt
        for name in parts[split].names or [f"{split} row {row}" for row in range(1, 1 + len(parts[split].labels))]
    ]
