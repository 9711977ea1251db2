"""`kmnist`, `emnist`, `qmnist`, `usps`: MNIST's relatives, downloaded by torchvision and read without torch."""

from __future__ import annotations

import string
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.data.download import obtain
from mnistarena.data.idx import read_idx, read_images, read_labels
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

DIGITS = tuple(string.digits)

KMNIST_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
KMNIST_CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

# In these lower-case letters the two cases look alike; "balanced" and "bymerge" count them as upper case.
_MERGED = set("cijklmopsuvwxyz")
_ALL = DIGITS + tuple(string.ascii_uppercase) + tuple(string.ascii_lowercase)

EMNIST_CLASSES = {
    "balanced": tuple(c for c in _ALL if c not in _MERGED),
    "byclass": _ALL,
    "bymerge": tuple(c for c in _ALL if c not in _MERGED),
    "letters": tuple(string.ascii_lowercase),
    "digits": DIGITS,
    "mnist": DIGITS,
}
"""What label 0, 1, 2, … of each split stands for; in the files of "letters", labels begin with 1."""

QMNIST_FILES = (
    "qmnist-train-images-idx3-ubyte.gz",
    "qmnist-train-labels-idx2-int.gz",
    "qmnist-test-images-idx3-ubyte.gz",
    "qmnist-test-labels-idx2-int.gz",
)
QMNIST_TESTS = {"test10k": slice(0, 10_000), "test50k": slice(10_000, None), "test": slice(0, None)}

USPS_FILES = ("usps.bz2", "usps.t.bz2")


class KmnistParams(Params):
    """No parameters."""


class EmnistParams(Params):
    """Parameters of emnist."""

    split: Literal["balanced", "byclass", "bymerge", "letters", "digits", "mnist"] = Field(
        "balanced",
        description=(
            "balanced: 47 classes, as many images of each; byclass: all 62 digits and letters; bymerge: 47, letters "
            "that look alike in both cases merged; letters: 26, cases merged; digits, mnist: the 10 digits"
        ),
    )


class QmnistParams(Params):
    """Parameters of qmnist."""

    test: Literal["test10k", "test50k", "test"] = Field(
        "test10k",
        description="test10k: MNIST's 10,000 test images; test50k: the 50,000 that MNIST left out; test: all 60,000",
    )


class UspsParams(Params):
    """No parameters."""


def load_kmnist(params: KmnistParams, context: DataContext) -> Dataset:
    """Kuzushiji-MNIST (Clanuwat et al. 2018)."""
    home = context.data_dir / "kmnist"

    def download() -> None:
        from torchvision.datasets import KMNIST

        KMNIST(str(home), download=True)

    folders = [home, home / "KMNIST" / "raw"]
    paths = obtain("kmnist", KMNIST_FILES, folders=folders, download=download, context=context, home=home)
    train_images, train_labels, test_images, test_labels = _read(paths)
    return Dataset(
        train_images,
        train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=KMNIST_CLASSES,
        licence="CC BY-SA 4.0",
        source="Kuzushiji-MNIST, ROIS-DS Center for Open Data in the Humanities (Clanuwat et al. 2018)",
    )


def load_emnist(params: EmnistParams, context: DataContext) -> Dataset:
    """One split of EMNIST (Cohen et al. 2017), its images upright, its labels from 0."""
    home = context.data_dir / "emnist"

    def download() -> None:
        from torchvision.datasets import EMNIST

        EMNIST(str(home), split=params.split, download=True)

    files = [
        f"emnist-{params.split}-{part}-{kind}-ubyte.gz"
        for part in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    ]
    # gzip/ is what the original archive, gzip.zip, unpacks to.
    folders = [home, home / "gzip", home / "EMNIST" / "raw"]
    paths = obtain("emnist", files, folders=folders, download=download, context=context, home=home)
    train_images, train_labels, test_images, test_labels = _read(paths)
    first = 1 if params.split == "letters" else 0
    return Dataset(
        np.ascontiguousarray(train_images.swapaxes(2, 3)),  # the files hold columns where MNIST holds rows
        train_labels - first,
        test_images=np.ascontiguousarray(test_images.swapaxes(2, 3)),
        test_labels=test_labels - first,
        class_names=EMNIST_CLASSES[params.split],
        source=f"EMNIST, {params.split}, from NIST Special Database 19 (Cohen, Afshar, Tapson and van Schaik 2017)",
    )


def load_qmnist(params: QmnistParams, context: DataContext) -> Dataset:
    """QMNIST (Yadav and Bottou 2019): MNIST's training images, and the whole of the test set it was cut from."""
    home = context.data_dir / "qmnist"

    def download() -> None:
        from torchvision.datasets import QMNIST

        for what in ("train", "test"):
            QMNIST(str(home), what=what, download=True)

    folders = [home, home / "QMNIST" / "raw"]
    paths = obtain("qmnist", QMNIST_FILES, folders=folders, download=download, context=context, home=home)
    train_images, train_labels, test_images, test_labels = _read(paths)
    rows = QMNIST_TESTS[params.test]
    # Of each image: its class, NIST's partition, its writer, and five numbers more.
    table = read_idx(paths[3])
    writers = table[rows, 2].astype(np.int64) if table.ndim == 2 and table.shape[1] > 2 else None
    return Dataset(
        train_images,
        train_labels,
        test_images=test_images[rows],
        test_labels=test_labels[rows],
        test_groups=writers,
        class_names=DIGITS,
        licence="BSD-3-Clause",
        source=f"QMNIST, {params.test} (Yadav and Bottou 2019)",
    )


def load_usps(params: UspsParams, context: DataContext) -> Dataset:
    """USPS (Hull 1994) as LIBSVM distributes it; its values -1 … 1 are spread over 0 … 255."""
    home = context.data_dir / "usps"

    def download() -> None:
        from torchvision.datasets import USPS

        for train in (True, False):
            USPS(str(home), train=train, download=True)

    train, test = obtain("usps", USPS_FILES, folders=[home], download=download, context=context, home=home)
    test_images, test_labels = _read_libsvm(test)
    return Dataset(
        *_read_libsvm(train),
        test_images=test_images,
        test_labels=test_labels,
        class_names=DIGITS,
        source="USPS, handwritten digits from envelopes (Hull 1994), as LIBSVM distributes them",
    )


def _read(paths: list[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """Training images and labels, test images and labels, from four IDX files in this order."""
    return read_images(paths[0]), read_labels(paths[1]), read_images(paths[2]), read_labels(paths[3])


def _read_libsvm(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images `(n, 1, 16, 16)` and labels; in the file they run from 1, 1 being the digit 0."""
    from sklearn.datasets import load_svmlight_file

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file, which gets its own sentence
            values, labels = load_svmlight_file(str(path), n_features=256, zero_based=False)
    except (ValueError, OSError, EOFError) as problem:
        raise DataError(f"{path} is not a file of USPS, or is damaged ({problem}); get it again") from problem
    images = np.rint((values.toarray() + 1) * 127.5).clip(0, 255).astype(np.uint8).reshape(-1, 1, 16, 16)
    return images, labels.astype(np.int64) - 1


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`kmnist`, `emnist`, `qmnist`, `usps`."""
    return [
        DatasetDef(
            "kmnist",
            "60,000 + 10,000 grey cursive Japanese characters, 28 × 28, 10 classes",
            params=KmnistParams,
            load=load_kmnist,
        ),
        DatasetDef(
            "emnist",
            "grey handwritten digits and letters, 28 × 28, in six splits",
            params=EmnistParams,
            load=load_emnist,
        ),
        DatasetDef(
            "qmnist",
            "60,000 + up to 60,000 grey digits, 28 × 28: MNIST with all its test images",
            params=QmnistParams,
            load=load_qmnist,
        ),
        DatasetDef("usps", "7,291 + 2,007 grey digits from envelopes, 16 × 16", params=UspsParams, load=load_usps),
    ]
