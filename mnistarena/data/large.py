"""Arrays of images that do not fit in memory: mapped from files, and gone through in parts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena import environment
from mnistarena.errors import cannot_write
from mnistarena.paths import data_dir

SHARE = 0.25
"""Images that take more than this share of the free memory stay in files."""
PART = 1 << 24
"""Bytes that are gone through at a time, about."""


def is_large(size: int) -> bool:
    """Whether so many bytes of images are too many to be held in memory."""
    return size > SHARE * environment.memory_available()


def empty_images(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A uint8 array to be filled: in memory, or where it is large in a file of the cache, which has no name.

    The system removes the file when the array is gone, or the process. Raises `ArenaError` where the disk is full.
    """
    size = int(np.prod(shape, dtype=np.int64))
    if not is_large(size):
        return np.empty(shape, np.uint8)
    folder = data_dir() / "tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # A mapped file without its room on the disk would end the process when it is written to.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as problem:
        raise cannot_write(f"{size:,} bytes of images in {folder}", problem) from problem


def parts(array: NDArray[Any], rows: NDArray[np.int64] | None = None) -> Iterator[NDArray[Any]]:
    """The array's rows, or those of these numbers, in parts that are small in memory."""
    count = len(array) if rows is None else len(rows)
    step = max(1, PART // max(1, array[:1].nbytes))
    for start in range(0, count, step):
        where = slice(start, min(start + step, count))
        yield array[where] if rows is None else array[rows[where]]


def take(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """A copy of these rows of images."""
    found = empty_images((len(rows), *images.shape[1:]))
    at = 0
    for part in parts(images, rows):
        found[at : at + len(part)] = part
        at += len(part)
    return found


def joined(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The images of both, one after the other."""
    found = empty_images((len(first) + len(second), *first.shape[1:]))
    at = 0
    for images in (first, second):
        for part in parts(images):
            found[at : at + len(part)] = part
            at += len(part)
    return found
