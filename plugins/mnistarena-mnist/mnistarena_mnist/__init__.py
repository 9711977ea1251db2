"""`mnist`: the four original MNIST files, part of this package; their SHA-256 is checked at every load."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mnistarena import DataContext, Dataset, DatasetDef, Params, hookimpl
from mnistarena.data.idx import read_pair

DATA = Path(__file__).parent / "data"

DIGESTS = {
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each file's content after decompression."""

KNOWN_LABEL_ERRORS = (
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
)  # fmt: skip
"""Test images whose label human validators found wrong (Northcutt, Athalye and Mueller 2021)."""


class MnistParams(Params):
    """No parameters."""


def load(params: MnistParams, context: DataContext) -> Dataset:
    """60,000 + 10,000 images, uint8 `(n, 1, 28, 28)`; raises `DataError` where a file is not the original one."""
    train_images, train_labels = read_pair(DATA, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", DIGESTS)
    test_images, test_labels = read_pair(DATA, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", DIGESTS)
    return Dataset(
        train_images,
        train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=tuple(str(digit) for digit in range(10)),
        known_label_errors=KNOWN_LABEL_ERRORS,
        licence="CC BY-SA 3.0",
        source="MNIST, Y. LeCun and C. Cortes",
    )


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`mnist`."""
    return [
        DatasetDef("mnist", "60,000 + 10,000 grey handwritten digits, 28 × 28, embedded", params=MnistParams, load=load)
    ]
