"""Files of predictions that were made elsewhere: found, told apart by seed, and read."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.brought import Said
from mnistarena.data.file_kind import read_head
from mnistarena.data.tables import open_table
from mnistarena.errors import DataError, first_line
from mnistarena.plugin.predictions import Answers
from mnistarena.text import few

LABELS = ("predicted", "prediction", "label")
"""Columns that may hold the predicted class, the first that is there."""

_RESERVED = {"index", "name", "names", "seed", "true", "labels", *LABELS}
_PREFIX = re.compile(r"(?:p|prob|probability)[_ ]")
"""What may stand before the name or the number of a class in the title of its column of probabilities."""


def find_files(pattern: str, base: Path) -> list[Path]:
    """The files that a pattern names, sorted; `base` is where it starts. Raises `DataError` where there are none."""
    pattern = os.path.expanduser(pattern)
    try:
        if (path := base / pattern).is_file():
            return [path]
        every = sorted(Path(base, name) for name in glob.glob(pattern, root_dir=base, recursive=True))
        found = [one for one in every if one.is_file()]
    except (OSError, ValueError) as problem:
        raise DataError(f'"{pattern}" cannot be looked for: {first_line(problem)}') from problem
    if not found:
        raise DataError(f'no file matches "{pattern}" in {base}')
    return found


def seeds_of(paths: Sequence[Path]) -> list[int]:
    """A seed for each file: the last number in its name where all have one, each another, else 0, 1, … in order."""
    numbers = [re.findall(r"\d+", path.name.partition(".")[0])[-1:] for path in paths]
    seeds = [int(found[0]) for found in numbers if found and len(found[0]) < 10]
    return seeds if len(set(seeds)) == len(paths) else list(range(len(paths)))


def read_predictions(path: Path, source: str, class_names: Sequence[str]) -> Said:
    """What a CSV, Parquet, npz or npy file says. Raises `DataError` where it is none, or says nothing."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise DataError(f"{source} cannot be read: {first_line(problem)}") from problem
    head = read_head(path)
    if head.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        return _of_arrays(path, source, digest)
    return _of_table(path, source, digest, class_names)


def from_array(array: Any, source: str) -> Said:
    """What an array of Python's says: classes `(n,)`, or probabilities `(n, n_classes)`, of every test image."""
    found = as_array(array)
    if found.ndim not in (1, 2) or found.dtype.kind not in "biufU" or not found.size:
        raise DataError(
            f"{source} is {found.dtype} {found.shape}; give probabilities (images, classes), or a class for each image "
            "(images,)"
        )
    head = f"{found.dtype.str}{found.shape}".encode()
    digest = hashlib.sha256(head + np.ascontiguousarray(found).tobytes()).hexdigest()
    labels = found.ndim == 1
    answers = found if labels else _floats(found, source)
    output: Answers = "labels" if labels else "probabilities"
    return Said(source, digest, output=output, answers=answers, place=row_of, is_file=False)


def as_array(value: Any) -> NDArray[Any]:
    """What Python's libraries hold numbers or texts in, such as lists, tensors and series, as an array of either.

    Raises `DataError` where it is neither.
    """
    try:
        found = np.asarray(value)
        return found.astype(str) if found.dtype.kind == "O" else found
    except Exception as problem:  # a tensor that has a gradient, or lies on a GPU, rows that differ in length
        raise DataError(f"{type(value).__name__} cannot be read as an array: {first_line(problem)}") from problem


def row_of(row: int) -> str:
    """Where a row of an array is."""
    return f"row {row}"


def _line(row: int) -> str:
    return f"line {row + 2}"


def _floats(array: NDArray[Any], source: str) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise DataError(f"{source} is {array.dtype} {array.shape}; probabilities are numbers")
    return array.astype(np.float64)


def _of_arrays(path: Path, source: str, digest: str) -> Said:
    """The arrays of an npz file, such as a run folder's predictions.npz; of an npy file its array."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return replace(from_array(loaded, source), digest=digest, is_file=True)
        with loaded as archive:
            arrays = {name: archive[name] for name in archive.files}
    except DataError:
        raise
    except Exception as problem:  # zipfile, zlib and numpy each raise their own for a damaged file
        raise DataError(f"{source} cannot be read: {first_line(problem)}") from problem
    kinds: tuple[tuple[str, Answers], ...] = (("probabilities", "probabilities"), ("scores", "scores"))
    kind, output = next((one for one in (*kinds, ("predicted", "labels")) if one[0] in arrays), ("", "labels"))
    if not kind:
        raise DataError(
            f'{source} has no array "probabilities" (images, classes), nor "predicted" (images,); it has '
            f"{few(list(arrays), 8)}"
        )
    answers = arrays[kind].reshape(-1) if kind == "predicted" else _floats(arrays[kind], source)
    beside = {"index": "index", "names": "names", "true": "labels", "seeds": "seed"}
    given = {part: arrays[name] for part, name in beside.items() if name in arrays}
    if "seeds" in given and given["seeds"].size == 1:
        given["seeds"] = np.full(len(answers), given["seeds"].reshape(()))
    for part, array in given.items():
        if array.shape != (len(answers),):
            raise DataError(f'{source}: "{beside[part]}" is {array.shape}, and there are {len(answers)} predictions')
    return Said(source, digest, output=output, answers=answers, place=row_of, **given)  # type: ignore[arg-type]


def _of_table(path: Path, source: str, digest: str, class_names: Sequence[str]) -> Said:
    """The columns of a CSV or Parquet file."""
    table = open_table(path, numbered='a column "index" says which test images the rows are')
    columns, classes = list(table.columns), _class_columns(table.columns, class_names, source)
    label = next((name for name in LABELS if name in columns), None)
    if not classes and label is None:
        raise DataError(
            f"{source} has a column of probabilities for no class, and no column "
            f'"predicted"; its columns are {few(columns, 8)}'
        )
    wanted = {"index": "index", "names": "name", "true": "true", "seeds": "seed"}
    beside = {part: name for part, name in wanted.items() if name in columns}
    if "index" in beside:
        beside.pop("names", None)
    elif "names" not in beside:
        raise DataError(f'{source} does not say which test images its rows are; give a column "index" or "name"')
    taken = [*beside.values(), *(classes or [str(label)])]
    cells: list[list[str]] = [[] for _ in taken]
    for texts, _ in table.rows(taken, ()):
        for column, more in zip(cells, texts, strict=True):
            column += more
    place = row_of if read_head(path).startswith(b"PAR1") else _line
    arrays = [np.array(column, dtype=str) for column in cells]
    if not len(arrays[0]):
        raise DataError(f"{source} has no rows")
    given = dict(zip(beside, arrays, strict=False))
    answers = arrays[len(beside) :]
    if not classes:
        return Said(source, digest, output="labels", answers=answers[0], place=place, **given)  # type: ignore[arg-type]
    numbers = [_numbers(cells[len(beside) + at], classes[at], source, place) for at in range(len(classes))]
    return Said(source, digest, output="probabilities", answers=np.stack(numbers, axis=1), place=place, **given)  # type: ignore[arg-type]


def _class_columns(columns: Sequence[str], class_names: Sequence[str], source: str) -> list[str]:
    """The column of each class's probabilities, in the order of the classes; empty where there are none.

    Raises `DataError` where some classes have one, and others not.
    """
    titles = {_PREFIX.sub("", name, count=1): name for name in columns if name not in _RESERVED}
    numbers = [str(number) for number in range(len(class_names))]
    most: list[str] = []
    for keys in (list(class_names), numbers):
        found = [key for key in keys if key in titles]
        if len(found) == len(class_names):
            return [titles[key] for key in keys]
        most = found if len(found) > len(most) else most
    if most and not any(name in columns for name in LABELS):
        keys = numbers if set(most) <= set(numbers) and not set(most) <= set(class_names) else list(class_names)
        lacking = [f'"{key}"' for key in keys if key not in titles]
        raise DataError(
            f"{source} has probabilities of {len(most)} of the {len(class_names)} classes; columns are missing for "
            f"{few(lacking)}"
        )
    return []


def _numbers(texts: list[str], column: str, source: str, place: Any) -> NDArray[np.float64]:
    """A column's texts as numbers, those that are not finite included."""
    try:
        return np.array(texts, dtype=str).astype(np.float64)
    except ValueError:
        for row, text in enumerate(texts):
            try:
                float(text)
            except ValueError:
                said = f'"{text}" is no number' if text else "is empty"
                raise DataError(f"{source}, {place(row)}: column {column}: {said}") from None
        raise
