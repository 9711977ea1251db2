"""Image files that a table lists: found in their folder, with or without their suffix."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mnistarena.data.folders import File, same_name
from mnistarena.errors import DataError
from mnistarena.plugin.components import LeftOut
from mnistarena.text import few


@dataclass
class Folder:
    """A folder of image files."""

    path: Path
    _known: dict[Path, dict[str, list[Path]]] = field(default_factory=dict)

    def find_all(self, names: Sequence[str], where: str, *, skip: bool) -> list[Path]:
        """The file of each name. Raises `DataError` that counts those that are not there, unless they are skipped."""
        if not self.path.is_dir():
            raise DataError(f"{where}: there is no folder {self.path}")
        found = [self._find(name) for name in names]
        missing = [name or "a row without a name" for name, path in zip(names, found, strict=True) if path is None]
        if missing and (not skip or len(missing) == len(names)):
            raise DataError(
                f"{where}: {len(missing)} of {len(names)} images are not in {self.path}: {few(missing)}; "
                'say where they are, images = "FOLDER"'
                + ('; or set unreadable = "skip" to leave them out' if len(missing) < len(names) else "")
            )
        return [path or self.path / name for path, name in zip(found, names, strict=True)]

    def _find(self, name: str) -> Path | None:
        for text in dict.fromkeys((name, name.replace("\\", "/"))):
            path = self.path / text
            if os.path.isfile(path):  # False for what no system takes as a name, where Path raises
                return path
        path = self.path / name
        fitting = self._in(path.parent).get(same_name(path.name), []) if name else []
        return fitting[0] if len(fitting) == 1 else None

    def _in(self, folder: Path) -> dict[str, list[Path]]:
        """The image files of a folder by their names with and without suffix, which tables often leave out."""
        if folder not in self._known:
            self._known[folder] = defaultdict(list)
            for file in _files(folder):
                if file.no_image is None:
                    for name in (file.path.stem, file.path.name):
                        self._known[folder][same_name(name)].append(file.path)
        return self._known[folder]

    def not_listed(self, listed: Sequence[Path], tables: Sequence[Path]) -> list[LeftOut]:
        """What else lies in the folders of the images that are listed."""
        known = {*listed, *tables}
        return [
            LeftOut(_below(path, self.path), file.no_image or "not in the table")
            for folder in sorted({path.parent for path in listed})
            for file in _files(folder)
            if (path := file.path) not in known
        ]


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _files(folder: Path) -> Iterator[File]:
    if os.path.isdir(folder):
        for path in sorted(folder.iterdir()):
            if path.is_file():
                yield File(path, (path.name,))
