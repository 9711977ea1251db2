"""`cifar10`, `cifar100`: Krizhevsky's small photos, downloaded by torchvision and read without torch."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.data.download import obtain
from mnistarena.data.file_kind import read_head
from mnistarena.errors import DataError, first_line
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

CIFAR10_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
SHAPE = (3, 32, 32)

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""What the pickles of CIFAR need: arrays of numpy, and nothing that runs code of the file's choice."""


class Cifar10Params(Params):
    """No parameters."""


class Cifar100Params(Params):
    """Parameters of cifar100."""

    labels: Literal["fine", "coarse"] = Field("fine", description="fine: its 100 classes; coarse: their 20 groups")


def load_cifar10(params: Cifar10Params, context: DataContext) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009)."""
    home = context.data_dir / "cifar10"

    def download() -> None:
        from torchvision.datasets import CIFAR10

        CIFAR10(str(home), download=True)

    files = (*CIFAR10_TRAIN, "test_batch", "batches.meta")
    *batches, meta = _obtain("cifar10", files, home, "cifar-10-batches-py", download, context)
    return _dataset(batches[:-1], batches[-1:], "labels", _names(meta, "label_names"), "CIFAR-10")


def load_cifar100(params: Cifar100Params, context: DataContext) -> Dataset:
    """CIFAR-100 (Krizhevsky 2009), by its 100 classes or the 20 groups of these."""
    home = context.data_dir / "cifar100"

    def download() -> None:
        from torchvision.datasets import CIFAR100

        CIFAR100(str(home), download=True)

    train, test, meta = _obtain("cifar100", ("train", "test", "meta"), home, "cifar-100-python", download, context)
    names = _names(meta, f"{params.labels}_label_names")
    return _dataset([train], [test], f"{params.labels}_labels", names, f"CIFAR-100, {params.labels} labels")


def _obtain(name: str, files: Sequence[str], home: Path, inner: str, download: Any, context: DataContext) -> list[Path]:
    # `inner` is what the publisher's archive unpacks to.
    return obtain(name, files, folders=[home, home / inner], download=download, context=context, home=home)


def _dataset(train: Sequence[Path], test: Sequence[Path], key: str, names: tuple[str, ...], called: str) -> Dataset:
    train_images, train_labels, train_names = _read(train, key, len(names))
    test_images, test_labels, test_names = _read(test, key, len(names))
    return Dataset(
        train_images,
        train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=names,
        train_names=train_names,
        test_names=test_names,
        source=f"{called} (Krizhevsky 2009)",
    )


def _read(
    paths: Sequence[Path], key: str, n_classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[str] | None]:
    """Images `(n, 3, 32, 32)`, labels and names of some files, one after the other."""
    images, labels, names = [], [], list[str]()
    for path in paths:
        batch = read_pickle(path)
        data, of = batch.get("data"), batch.get(key)
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * 32 * 32,):
            raise DataError(f"{path} is not a file of CIFAR: it has no data (n, 3072) of bytes; get it again")
        if (
            not isinstance(of, list)
            or len(of) != len(data)
            or not all(type(n) is int and 0 <= n < n_classes for n in of)
        ):
            raise DataError(f"{path} is not a file of CIFAR: it has no {key} from 0 to {n_classes - 1}; get it again")
        images.append(data.reshape(-1, *SHAPE))
        labels.append(np.array(of, np.int64))
        names += [str(name) for name in batch.get("filenames", ())]
    found = np.concatenate(images)
    return found, np.concatenate(labels), names if len(names) == len(found) else None


def _names(path: Path, key: str) -> tuple[str, ...]:
    names = read_pickle(path).get(key)
    if not isinstance(names, list) or len(names) < 2:
        raise DataError(f"{path} is not a file of CIFAR: it has no {key}; get it again")
    return tuple(map(str, names))


class _Arrays(pickle.Unpickler):
    """Unpickles plain values and arrays of numpy, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which CIFAR's files do not")
        return super().find_class(module, name)


def read_pickle(path: Path) -> dict[str, Any]:
    """The table in one of CIFAR's pickles; code in it is refused, not run. Raises `DataError`."""
    read_head(path)
    try:
        with path.open("rb") as stream:
            table = _Arrays(stream, encoding="latin1").load()  # written by Python 2
    except Exception as problem:  # a damaged pickle: most kinds of exceptions there are
        raise DataError(
            f"{path} is not a file of CIFAR, or is damaged ({first_line(problem)}); get it again"
        ) from problem
    if not isinstance(table, dict):
        raise DataError(f"{path} is not a file of CIFAR: it holds {type(table).__name__}; get it again")
    return table


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`cifar10`, `cifar100`."""
    summary = "50,000 + 10,000 colour photos, 32 × 32, {}"
    return [
        DatasetDef("cifar10", summary.format("10 classes"), params=Cifar10Params, load=load_cifar10),
        DatasetDef("cifar100", summary.format("100 classes or 20"), params=Cifar100Params, load=load_cifar100),
    ]
