"""A dataset's splits as files that worker processes map into memory: loaded and verified once, by the parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.large import parts
from mnistarena.data.splits import Split
from mnistarena.errors import cannot_write
from mnistarena.plugin.components import Dataset


def write_arrays(dataset: Dataset, split: Split, folder: Path, *, test: bool = True) -> None:
    """Write train, validation and test images, labels, the test index, and groups if any, into a new folder.

    Without `test` nothing of the test images is written.
    """
    try:
        folder.mkdir(parents=True)
        splits = [
            ("train", dataset.train_images, dataset.train_labels, split.train),
            ("validation", dataset.train_images, dataset.train_labels, split.validation),
        ]
        splits += [("test", dataset.test_images, dataset.test_labels, split.test)] * test
        for name, images, labels, rows in splits:
            _save(folder / f"{name}_images.npy", images, rows)
            np.save(folder / f"{name}_labels.npy", labels[rows])
        if dataset.train_groups is not None:
            np.save(folder / "train_groups.npy", dataset.train_groups[split.train])
        if test:
            np.save(folder / "test_index.npy", split.test)
        if test and dataset.test_groups is not None:
            np.save(folder / "test_groups.npy", dataset.test_groups[split.test])
    except OSError as problem:
        raise cannot_write(f"in {folder}", problem) from problem


def _save(path: Path, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
    """Write rows of images as `numpy.save` would, without a copy of them in memory."""
    with path.open("wb") as file:
        header = {"descr": images.dtype.str, "fortran_order": False, "shape": (len(rows), *images.shape[1:])}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts(images, rows):
            file.write(part.tobytes())


def read_array(folder: Path, name: str) -> Any:
    """An array, mapped from its file: `train_images`, `test_labels`, `test_index` …"""
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def read_groups(folder: Path, split: Literal["train", "test"] = "train") -> Any:
    """The groups of the training or test images, int64 `(n,)`; None where the dataset has none."""
    return read_array(folder, f"{split}_groups") if (folder / f"{split}_groups.npy").exists() else None
