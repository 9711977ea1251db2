"""Which run folders a site is about, and what each is called there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mnistarena.errors import StoreError, cannot_write
from mnistarena.text import unique_slug, visible

PLAN = "plan.json"
LONGEST = 60
"""The most characters of a folder's name that pages show."""


@dataclass(frozen=True)
class Found:
    """A run folder; `shown` is what it is called on the pages, unlike every other one.

    `address` is a name unlike that of every other one on any file system, and safe as part of an address.
    """

    path: Path
    shown: str
    _: KW_ONLY
    address: str


def find_runs(folders: Iterable[Path], output: Path) -> tuple[list[Found], list[str]]:
    """The run folders that are given, or that lie in folders that are; and a sentence on each that is none.

    Links inside a folder are not followed. `output` is left out. Raises `StoreError` where a folder is missing.
    """
    runs: dict[Path, Path] = {}
    skipped: list[str] = []
    own = output.resolve()
    for folder in folders:
        for path, problem in _within(folder):
            if path.resolve() != own:
                if problem:
                    skipped.append(f"{visible(str(path))} is left out: {problem}")
                else:
                    runs.setdefault(path.resolve(), path)
    shown = _unlike([_short(visible(resolved.name)) for resolved in runs])
    addresses = addresses_of([resolved.name for resolved in runs])
    found = zip(runs.values(), shown, addresses, strict=True)
    return [Found(path, name, address=address) for path, name, address in found], skipped


def _within(folder: Path) -> Iterator[tuple[Path, str]]:
    """A run folder itself, or the folders in one; each with what is wrong with it, if anything is."""
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder; give run folders, or folders that hold them, such as runs")
    if os.path.lexists(folder / PLAN):
        yield folder, ""
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as problem:
        raise StoreError(f"cannot read {folder}: {problem.strerror}") from problem
    for entry in entries:
        path = folder / entry.name
        if entry.is_symlink():
            yield path, "it is a symbolic link"
        elif entry.is_dir() and not entry.name.startswith("."):
            yield path, "" if os.path.lexists(path / PLAN) else f"it holds no {PLAN}, so it is no run folder"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _unlike(names: Iterable[str]) -> list[str]:
    """The names, no two alike but for capitals: those that come again are numbered."""
    taken: set[str] = set()
    found = []
    for name in names:
        unique, number = name, 2
        while unique.casefold() in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.casefold())
        found.append(unique)
    return found


def addresses_of(labels: Iterable[str]) -> list[str]:
    """Each label as a name of its own in an address."""
    return _unlike(map(unique_slug, labels))


def prepare(output: Path, manifest: str) -> None:
    """Make the folder of a site; raises `StoreError` where it holds anything but an earlier site, or a link."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in output.iterdir())
    except OSError as problem:
        raise cannot_write(output, problem) from problem
    for path in (output / "runs", output / "boards"):
        if path.is_symlink():
            raise StoreError(f"{path} is a symbolic link; a site is written into folders of its own")
    if there and manifest not in there:
        raise StoreError(f"{output} is not empty and holds no site ({manifest}); give a new folder with --output")
