"""A folder of images: every file in it, sorted, and what each is."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnistarena.data.images import readable
from mnistarena.errors import DataError, first_line


@dataclass(frozen=True)
class File:
    """A file below a folder: the names of the folders on the way and its own."""

    path: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its path from the folder, with "/", as text that any encoding of Unicode can hold."""
        return printable("/".join(self.parts))

    @property
    def no_image(self) -> str | None:
        """Why it is not to be read as an image; None where it is."""
        if any(map(is_hidden, self.parts)):
            return "a hidden file"
        return None if self.path.suffix.lower() in readable()[0] else "no suffix of an image"


def is_hidden(name: str) -> bool:
    """Whether a file or a folder is one that a system keeps for itself, such as "__MACOSX"."""
    return name.startswith(".") or name in ("__MACOSX", "@eaDir", "Thumbs.db")


def printable(name: str) -> str:
    """A name of the file system; bytes that are no UTF-8 become the replacement character."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def same_name(name: str) -> str:
    """The name in Unicode's normal form C: file systems keep "é" as one character or as two."""
    return unicodedata.normalize("NFC", printable(name))


def files_below(folder: Path) -> Iterator[File]:
    """Every file, however deep, in the order of the names. A link to a folder that it lies in is not followed.

    Raises `DataError` where a folder cannot be read.
    """
    try:
        yield from _below(folder, (), ())
    except OSError as problem:
        raise DataError(f"{problem.filename or folder} cannot be read: {first_line(problem)}") from problem


def _below(folder: Path, parts: tuple[str, ...], above: tuple[str, ...]) -> Iterator[File]:
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir():
            yield from _below(Path(entry.path), (*parts, entry.name), (*above, here))
        else:
            yield File(Path(entry.path), (*parts, entry.name))
