"""`idx` and `npz`: your own images, as arrays in files."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.builtin.datasets.keyed import Archive, KeyedParams, load_keyed
from mnistarena.data.assemble import Part, assemble
from mnistarena.data.file_kind import read_head, unlike
from mnistarena.data.idx import read_idx
from mnistarena.data.labels import NAMES_OF_CLASSES, ClassNames, flat_labels
from mnistarena.data.large import empty_images, is_large
from mnistarena.data.pixels import as_images
from mnistarena.errors import DataError, first_line
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


class IdxParams(Params):
    """Parameters of idx."""

    train_images: str = Field(
        description="IDX file of bytes (n, height, width), gzipped or not, from the spec's folder"
    )
    train_labels: str = Field(description="IDX file of labels (n,), counted from 0")
    test_images: str | None = Field(None, description="as train_images; without it the spec divides what there is")
    test_labels: str | None = Field(None, description="as train_labels")
    class_names: ClassNames = Field(None, description=NAMES_OF_CLASSES)


def load_idx(params: IdxParams, context: DataContext) -> Dataset:
    """Four IDX files, such as MNIST's, or the two of a single split."""
    if (params.test_images is None) != (params.test_labels is None):
        raise DataError("idx: of test_images and test_labels one is missing; name both files, or neither")
    paths = {name: context.path(text) for name in ARRAYS if (text := getattr(params, name)) is not None}
    missing = [f"{name} = {path}" for name, path in paths.items() if not path.is_file()]
    if missing:
        raise DataError(f"idx: {len(missing)} of {len(paths)} files are missing: {', '.join(missing)}")
    arrays = {name: read_idx(path) for name, path in paths.items()}
    wrong: list[str] = []
    parts = {}
    for split in ("train", "test")[: len(arrays) // 2]:
        images = as_images(arrays[f"{split}_images"], f"{split}_images", wrong)
        labels = flat_labels(arrays[f"{split}_labels"], f"{split}_labels", wrong)
        if not wrong and len(images) != len(labels):
            wrong.append(f"there are {len(images)} {split}_images but {len(labels)} {split}_labels")
        parts[split] = Part(images, labels)
    source = f"the IDX files {', '.join(path.name for path in paths.values())}"
    return assemble(parts, "idx", wrong=wrong, class_names=params.class_names, source=source)


def load_npz(params: KeyedParams, context: DataContext) -> Dataset:
    """An npz file of numpy's, or one a split; nothing in it is unpickled."""
    return load_keyed(params, context, "npz", open_npz)


def open_npz(path: Path) -> Archive:
    """The arrays of an npz file, each read when it is asked for. Raises `DataError` where it is no such file."""
    try:
        head = read_head(path)
        if not head.startswith(b"PK"):
            raise unlike(path, head, "an npz file, which numpy.savez_compressed writes,")
    except DataError as problem:
        raise DataError(f"npz: {problem}") from problem
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            members = archive.zip.namelist() if archive.zip is not None else []
    except Exception as problem:  # zipfile, zlib and numpy each raise their own for a damaged file
        raise DataError(f"npz: {path} cannot be read: {first_line(problem)}; get it again") from problem
    if members and not any(member.endswith(".npy") for member in members):
        raise DataError(f"npz: {path} is a zip archive of other files, not of arrays; unpack it")

    def read(name: str) -> NDArray[Any]:
        try:
            with warnings.catch_warnings(), np.load(path, allow_pickle=False) as archive:
                warnings.simplefilter("ignore")  # numpy's, that Python 2 wrote the file
                large = _mapped(archive, name)
                array = archive[name] if large is None else large
        except Exception as problem:
            if "allow_pickle" in str(problem):
                raise DataError(
                    f"npz: {path}: {name} holds pickled Python objects, which are never loaded; "
                    'give it a dtype of its own, as images.astype("uint8") and numpy.array(names, dtype=str) do'
                ) from problem
            raise DataError(f"npz: {path}: {name} cannot be read: {first_line(problem)}; get it again") from problem
        if not isinstance(array, np.ndarray):
            raise DataError(f"npz: {path}: {name} is a file, not an array")
        return array

    return Archive(path, names, read=read)


def _mapped(archive: Any, name: str) -> NDArray[np.uint8] | None:
    """An array of bytes that is too large for the memory, in a mapped file; None for others."""
    if f"{name}.npy" not in archive.zip.namelist():
        return None
    with archive.zip.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        shape, columns_first, kind = header(member) if header else ((), False, np.dtype(object))
        if kind != np.uint8 or columns_first or not is_large(math.prod(shape)):
            return None
        array = empty_images(shape)
        rest = array.reshape(-1).data
        while len(rest):
            read = member.readinto(rest[: 1 << 24])
            if not read:
                raise EOFError(f"it ends {len(rest):,} bytes too early")
            rest = rest[read:]
        member.read()  # at the end, the archive's checksum is compared
    return array


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`idx` and `npz`."""
    return [
        DatasetDef("idx", "your own images, in IDX files like MNIST's", params=IdxParams, load=load_idx),
        DatasetDef("npz", "your own images, as arrays in an npz file", params=KeyedParams, load=load_npz),
    ]
