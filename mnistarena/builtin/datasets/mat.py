"""`mat`: your own images, as arrays in files of MATLAB."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.builtin.datasets.keyed import Archive, KeyedParams, load_keyed
from mnistarena.data.file_kind import kind_of, read_head, unlike
from mnistarena.errors import DataError, first_line
from mnistarena.plugin.components import DataContext, Dataset, DatasetDef
from mnistarena.plugin.hooks import hookimpl

ANEW = (
    "save it again in MATLAB with save('own.mat', 'X', 'y', '-v7'), "
    "or read it with h5py in Python and write an npz file with numpy.savez_compressed"
)
"""What to do with a file that scipy cannot read."""


def load_mat(params: KeyedParams, context: DataContext) -> Dataset:
    """A .mat file of MATLAB, or one a split, such as SVHN's: X `(H, W, C, n)`, y `(n, 1)`."""
    return load_keyed(params, context, "mat", open_mat, last=True)


def open_mat(path: Path) -> Archive:
    """The arrays of a .mat file, each read when it is asked for. Raises `DataError` where it is no such file."""
    from scipy.io import loadmat, whosmat

    try:
        head = read_head(path)
        if "HDF5" in kind_of(head):
            raise DataError(f"{path} is {kind_of(head)}, which is not read: {ANEW}")
        if not head.startswith(b"MATLAB"):
            raise unlike(path, head, "a file of MATLAB")
    except DataError as problem:
        raise DataError(f"mat: {problem}") from problem

    def read(name: str) -> NDArray[Any]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of scipy's own: what it cannot read it leaves out
                array = loadmat(path, variable_names=[name])[name]
        except Exception as problem:  # a damaged file: zlib, struct and scipy each raise their own
            raise DataError(f"mat: {path}: {name} cannot be read: {first_line(problem)}; get it again") from problem
        if not isinstance(array, np.ndarray):
            raise DataError(f"mat: {path}: {name} is {type(array).__name__}, not an array")
        return _of_cells(array) if array.dtype == object else array

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names = [name for name, _, _ in whosmat(path)]
    except Exception as problem:
        raise DataError(f"mat: {path} cannot be read: {first_line(problem)}; get it again") from problem
    return Archive(path, names, read=read)


def _of_cells(array: NDArray[Any]) -> NDArray[Any]:
    """A cell array of texts, as MATLAB keeps them, as an array of str; another cell array as it is."""
    cells = [np.asarray(cell) for cell in array.ravel()]
    if not all(cell.dtype.kind == "U" and cell.size <= 1 for cell in cells):
        return array
    return np.array([cell.item() if cell.size else "" for cell in cells], dtype=str).reshape(array.shape)


@hookimpl
def arena_datasets() -> Iterable[DatasetDef]:
    """`mat`."""
    return [DatasetDef("mat", "your own images, as arrays in a .mat file of MATLAB", params=KeyedParams, load=load_mat)]
