"""The files of a public dataset: found on this machine, or downloaded by torchvision or a package of the data's own."""

from __future__ import annotations

import http.client
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from mnistarena.errors import MissingDataError
from mnistarena.plugin.components import DataContext

DOWNLOAD_TIMEOUT = 15
"""Seconds without an answer after which a download fails."""

NUMBERS = {1: "file", 2: "two files", 3: "three files", 4: "four files"}


def obtain(
    name: str,
    files: Sequence[str],
    *,
    folders: Sequence[Path],
    download: Callable[[], object],
    context: DataContext,
    home: Path,
    otherwise: str = "",
    by: str = "torchvision",
) -> list[Path]:
    """The path of each of a dataset's `files`: in the first of `folders` that has it, with or without its `.gz`.

    Where one is missing and the context allows it, `download` is called, which leaves the files in one of
    the folders; it imports what fetches, `by`, so that looking at what is there needs no torch. Raises
    `MissingDataError` that names what is missing, where it was looked for, and `home`, where to put it;
    `otherwise` is another way to get it.
    """
    found = [_find(file, folders) for file in files]
    reason = ""
    if None in found and context.download:
        reason = _attempt(download)
        found = [_find(file, folders) for file in files]
    missing = [file for file, path in zip(files, found, strict=True) if path is None]
    if missing:
        raise MissingDataError(
            f"{name}: {', '.join(missing)} {'was' if len(missing) == 1 else 'were'} not found in "
            + ", ".join(map(str, folders))
            + (f", and {by}'s download failed ({reason})" if reason else "")
            + f"; put the {NUMBERS.get(len(missing), f'{len(missing)} files')} into {home}{otherwise}"
        )
    return [path for path in found if path is not None]


def _find(file: str, folders: Sequence[Path]) -> Path | None:
    # The unpacked one first: torchvision unpacks only what has the right checksum.
    names = dict.fromkeys((file.removesuffix(".gz"), file))
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _attempt(download: Callable[[], object]) -> str:
    """Try a download; returns why it failed, or nothing."""
    try:
        with downloading():
            download()
    except (RuntimeError, OSError, http.client.HTTPException) as problem:
        return (str(problem).strip() or type(problem).__name__).splitlines()[-1]
    return ""


@contextmanager
def downloading() -> Iterator[None]:
    """While entered, a download that gets no answer for `DOWNLOAD_TIMEOUT` seconds fails.

    What libraries print of it goes to the standard error: a command's output may be JSON.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        socket.setdefaulttimeout(before)
