"""`digits`: scikit-learn's handwritten digits."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.splits import stratified
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl


class NoParams(Params):
    """No parameters."""


def load_digits(params: NoParams, context: DataContext) -> Dataset:
    """scikit-learn's 8 × 8 digits (UCI, Alpaydin and Kaynak 1998): 1,437 to train on, 360 to test.

    The original has no split; this one is stratified and fixed. The 17 levels are spread over 0 … 255.
    """
    levels, labels = _of_scikit_learn()
    images = np.rint(levels * (255 / 16)).astype(np.uint8)[:, None]
    test = stratified(labels, 360, seed=0)
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Dataset(
        images[train],
        labels[train],
        test_images=images[test],
        test_labels=labels[test],
        class_names=tuple(str(digit) for digit in range(10)),
        licence="CC BY 4.0",
        source="Optical recognition of handwritten digits, UCI (Alpaydin and Kaynak 1998), as scikit-learn ships it",
    )


@cache
def _of_scikit_learn() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Levels 0 … 16 `(N, 8, 8)` and labels `(N,)`; from scikit-learn's file, as importing it takes a second."""
    found = importlib.util.find_spec("sklearn")
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits as of_scikit_learn

    raw = of_scikit_learn()
    return raw.images, raw.target.astype(np.int64)


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`digits`."""
    return [
        DatasetDef("digits", "1,437 + 360 grey digits, 8 × 8, from scikit-learn", params=NoParams, load=load_digits)
    ]
