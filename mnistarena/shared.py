"""A dataset's splits as files that worker processes map into memory: loaded and verified once, by the parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnistarena.errors import StoreError
from mnistarena.plan import Data


def write(entry: Data, folder: Path) -> None:
    """Write train, validation and test images, labels, and the test index, into a new folder."""
    assert entry.dataset is not None
    assert entry.split is not None
    dataset, parts = entry.dataset, entry.split
    try:
        folder.mkdir(parents=True)
        for name, images, labels, rows in (
            ("train", dataset.train_images, dataset.train_labels, parts.train),
            ("validation", dataset.train_images, dataset.train_labels, parts.validation),
            ("test", dataset.test_images, dataset.test_labels, parts.test),
        ):
            np.save(folder / f"{name}_images.npy", images[rows])
            np.save(folder / f"{name}_labels.npy", labels[rows])
        np.save(folder / "test_index.npy", parts.test)
    except OSError as problem:
        raise StoreError(f"cannot write in {folder}: {problem.strerror}") from problem


def read(folder: Path, name: str) -> Any:
    """An array, mapped from its file: `train_images`, `test_labels`, `test_index` …"""
    return np.load(folder / f"{name}.npy", mmap_mode="r")
