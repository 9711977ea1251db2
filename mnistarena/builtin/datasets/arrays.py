"""`idx` and `npz`: your own images, as arrays in files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mnistarena.data.idx import read_idx
from mnistarena.errors import DataError
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef, Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.text import few

SPLITS = ("train", "test")
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")

GROUPS = ("train_groups", "test_groups")

MOST_CLASSES = 10_000
"""The most that a run folder's records hold."""


class IdxParams(Params):
    """Parameters of idx."""

    train_images: str = Field(
        description="IDX file of bytes (n, height, width), gzipped or not, from the spec's folder"
    )
    train_labels: str = Field(description="IDX file of labels (n,), counted from 0")
    test_images: str = Field(description="as train_images")
    test_labels: str = Field(description="as train_labels")
    class_names: Annotated[list[str], Field(min_length=2)] | None = Field(
        None, description='what label 0, 1, 2, … stands for; without it "0", "1", "2", …'
    )


class NpzParams(Params):
    """Parameters of npz."""

    path: str = Field(
        description=(
            "npz file, from the spec's folder, with the arrays train_images, train_labels, test_images, test_labels: "
            "images uint8 (n, height, width) or with 1 or 3 channels before or after these, labels from 0; "
            "class_names is optional, and so are train_groups and test_groups, whole numbers (n,), the same for the "
            "images of one writer, patient or video"
        )
    )


def load_idx(params: IdxParams, context: DataContext) -> Dataset:
    """Four IDX files, such as MNIST's."""
    paths = {name: context.base_dir / getattr(params, name) for name in ARRAYS}
    missing = [f"{name} = {path}" for name, path in paths.items() if not path.is_file()]
    if missing:
        raise DataError(f"idx: {len(missing)} of 4 files are missing: {', '.join(missing)}")
    arrays = {name: read_idx(path) for name, path in paths.items()}
    return _dataset("idx", arrays, params.class_names, f"the IDX files {', '.join(p.name for p in paths.values())}")


def load_npz(params: NpzParams, context: DataContext) -> Dataset:
    """An npz file of numpy's; nothing in it is unpickled."""
    path = context.base_dir / params.path
    arrays = _read_npz(path)
    names = arrays.pop("class_names", None)
    if names is not None and (names.ndim != 1 or names.dtype.kind != "U"):
        raise DataError(f"npz: {path}: class_names must be an array of str (n,), not {names.dtype} {names.shape}")
    return _dataset(f"npz: {path}", arrays, None if names is None else names.tolist(), f"the npz file {path.name}")


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The four arrays, and groups and `class_names` where they are there."""
    if not path.is_file():
        raise DataError(f"npz: there is no file {path}")
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"npz: {path} holds a single array; write it with numpy.savez_compressed")
        with archive:
            missing = [name for name in ARRAYS if name not in archive.files]
            if missing:
                raise DataError(
                    f"npz: {path} has no {', '.join(missing)}; it has {', '.join(archive.files) or 'no array at all'}"
                )
            wanted = [name for name in (*ARRAYS, *GROUPS, "class_names") if name in archive.files]
            return {name: archive[name] for name in wanted}
    except DataError:
        raise
    except Exception as problem:  # zipfile, zlib and numpy each raise their own for a damaged file
        if "allow_pickle" in str(problem):
            raise DataError(
                f"npz: {path} holds pickled Python objects, which are never loaded; "
                'give each array a dtype of its own, such as images.astype("uint8") and numpy.array(names, dtype=str)'
            ) from problem
        raise DataError(f"npz: {path} cannot be read: {problem}") from problem


def _dataset(where: str, arrays: Mapping[str, NDArray[Any]], names: Sequence[str] | None, source: str) -> Dataset:
    """The four arrays as a dataset, or `DataError` with everything that is wrong with them."""
    wrong: list[str] = []
    images = {split: _images(arrays[f"{split}_images"], f"{split}_images", wrong) for split in SPLITS}
    labels = {split: _labels(arrays[f"{split}_labels"], f"{split}_labels", wrong) for split in SPLITS}
    if not wrong:
        wrong += [
            f"there are {len(images[split])} {split}_images but {len(labels[split])} {split}_labels"
            for split in SPLITS
            if len(images[split]) != len(labels[split])
        ]
        train, test = (" × ".join(map(str, images[split].shape[1:])) for split in SPLITS)
        wrong += [f"train_images are {train} (channels, height, width), test_images {test}"] if train != test else []
        if names is None:
            names = [str(label) for label in range(1 + max(int(of.max()) for of in labels.values()))]
        wrong += _class_problems(labels, names)
    groups = {name: _groups(arrays[name], name, wrong) for name in GROUPS if name in arrays}
    if wrong or names is None:
        raise DataError(f"{where}: {'; '.join(wrong)}")
    return Dataset(
        images["train"],
        labels["train"],
        test_images=images["test"],
        test_labels=labels["test"],
        class_names=tuple(names),
        source=source,
        train_groups=groups.get("train_groups"),
        test_groups=groups.get("test_groups"),
    )


def _class_problems(labels: Mapping[str, NDArray[np.int64]], names: Sequence[str]) -> list[str]:
    """What keeps labels and class names from being a task."""
    if len(names) < 2:
        return [f"there is one class only ({few(names)}); a classifier needs at least 2"]
    twice = sorted({name for name in names if names.count(name) > 1})
    wrong = [f"class_names holds twice: {few(twice)}"] if twice else []
    for split, of in labels.items():
        beyond = of[of >= len(names)]
        if len(beyond):
            wrong.append(
                f"{len(beyond)} of {len(of)} {split}_labels are not a class, such as {beyond[0]}: "
                f"{len(names)} class_names are for labels 0 … {len(names) - 1}"
            )
        empty = sorted(set(range(len(names))) - set(np.unique(of).tolist()))
        if empty:
            wrong.append(
                f"{len(empty)} of {len(names)} classes have no image in {split}: label {few(empty)}"
                + ("; labels count from 0" if empty[0] == 0 else "")
            )
    return wrong


def _images(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[np.uint8]:
    """The array as `(n, C, H, W)`; what is wrong with it joins the others."""
    if array.dtype != np.uint8:
        wrong.append(f"{name} must be uint8, not {array.dtype}{_conversion(array, name)}")
    elif not array.size:
        wrong.append(f"{name} is empty: {array.shape}")
    elif array.ndim == 3:
        return array[:, None]
    elif array.ndim == 4:
        first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
        if first != last:
            return array if first else np.ascontiguousarray(array.transpose(0, 3, 1, 2))
        which = "both" if first else "neither"
        wrong.append(f"{name} is {array.shape}: {which} of its second and last axes can be 1 or 3 channels")
    else:
        wrong.append(f"{name} is {array.shape}, not (n, height, width), or that with 1 or 3 channels")
    return array


def _conversion(array: NDArray[Any], name: str) -> str:
    """What an array holds, and how to make uint8 of it."""
    if array.dtype.kind not in "biuf" or not array.size:
        return ""
    least, most = float(array.min()), float(array.max())
    if 0 <= least <= most <= 1:
        how = f"(255 * {name}).round().astype(numpy.uint8)"
    elif 0 <= least <= most <= 255:
        how = f"{name}.round().astype(numpy.uint8)"
    else:
        how = "its values brought to 0 … 255, as numpy.uint8"
    return f" from {least:g} to {most:g}: save {how}"


def _labels(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[np.int64]:
    """The array as int64 `(n,)`; what is wrong with it joins the others."""
    if array.ndim != 1 or not array.size:
        wrong.append(f"{name} is {'empty: ' if not array.size else ''}{array.shape}, not (n,)")
    elif array.dtype.kind not in "iuf":
        wrong.append(f"{name} must be whole numbers, not {array.dtype}")
    else:
        broken = array[array != np.floor(array)]  # NaN too
        outside = array[(array < 0) | (array >= MOST_CLASSES)]
        for what, found in (("not whole numbers", broken), (f"outside of 0 … {MOST_CLASSES - 1}", outside)):
            if len(found):
                wrong.append(f"{len(found)} of {len(array)} {name} are {what}: {few(found.tolist())}")
        if not len(broken) and not len(outside):
            return array.astype(np.int64)
    return np.zeros(0, np.int64)


def _groups(array: NDArray[Any], name: str, wrong: list[str]) -> NDArray[np.int64]:
    """The array as int64 `(n,)`; what is wrong with it joins the others."""
    if array.ndim != 1 or array.dtype.kind not in "iu":
        wrong.append(f"{name} must be whole numbers (n,), not {array.dtype} {array.shape}")
    return array.astype(np.int64)


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`idx` and `npz`."""
    return [
        DatasetDef("idx", "your own images, in four IDX files like MNIST's", params=IdxParams, load=load_idx),
        DatasetDef("npz", "your own images, as arrays in one npz file", params=NpzParams, load=load_npz),
    ]
