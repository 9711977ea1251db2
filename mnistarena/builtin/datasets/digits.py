"""`digits`: scikit-learn's handwritten digits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mnistarena.data.splits import stratified
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl


class NoParams(Params):
    """No parameters."""


def load_digits(params: NoParams, context: DataContext) -> Dataset:
    """scikit-learn's 8 × 8 digits (UCI, Alpaydin and Kaynak 1998): 1,437 to train on, 360 to test.

    The original has no split; this one is stratified and fixed. The 17 levels are spread over 0 … 255.
    """
    from sklearn.datasets import load_digits as of_sklearn

    raw = of_sklearn()
    images = np.rint(raw.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = raw.target.astype(np.int64)
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


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`digits`."""
    return [
        DatasetDef("digits", "1,437 + 360 grey digits, 8 × 8, from scikit-learn", params=NoParams, load=load_digits)
    ]
