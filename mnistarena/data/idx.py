"""The IDX format of MNIST and its relatives, gzipped or not."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.file_kind import HEAD, read_file, unlike
from mnistarena.errors import DataError, MissingDataError

TYPES: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}
"""The types of the format that datasets use, by the code in the third byte."""


def read_idx(path: Path, sha256: str | None = None) -> NDArray[Any]:
    """The array in an IDX file, uint8 or int32, of whatever rank its header says.

    With `sha256`, the file's content after decompression must have that digest. Raises `DataError` that
    names the file where it is missing, truncated, altered or no IDX file.
    Format: two zero bytes, the type, the rank, then a big-endian uint32 a dimension (Y. LeCun).
    """
    if not path.exists():
        raise MissingDataError(f"{path} is missing")
    content, damage = read_file(path)
    found = hashlib.sha256(content).hexdigest() if sha256 is not None else None
    if damage or found != sha256:
        what = f"is damaged ({damage})" if damage else "is not the genuine file"
        digests = f": its content has SHA-256 {found}, expected {sha256}" if sha256 is not None else ""
        raise DataError(f"{path} {what}{digests}; get it again")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise unlike(path, content[:HEAD], "an IDX file of bytes or 32-bit integers")
    kind, rank = TYPES[content[2]], content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"{path} is truncated: it ends within its header")
    shape = tuple(int(n) for n in np.frombuffer(content[4:start], ">u4"))
    if len(content) - start != math.prod(shape) * kind.itemsize:
        raise DataError(f"{path} is truncated: its header promises {shape}, it holds {len(content) - start} bytes")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def read_images(path: Path, sha256: str | None = None) -> NDArray[np.uint8]:
    """Grey images, uint8 `(n, 1, H, W)`."""
    pixels = read_idx(path, sha256)
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise DataError(f"{path} holds no images: {pixels.dtype} {pixels.shape} instead of uint8 (n, H, W)")
    return pixels[:, None]


def read_labels(path: Path, sha256: str | None = None) -> NDArray[np.int64]:
    """Labels, int64 `(n,)`; the first column of a table, where QMNIST has the class."""
    labels = read_idx(path, sha256)
    if labels.ndim == 2 and labels.shape[1]:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{path} holds no labels: an array {labels.shape} instead of (n,)")
    return labels.astype(np.int64)


def read_pair(
    folder: Path, images: str, labels: str, digests: Mapping[str, str]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images `(n, 1, H, W)` and labels `(n,)` from two verified files of a folder."""
    return read_images(folder / images, digests[images]), read_labels(folder / labels, digests[labels])
