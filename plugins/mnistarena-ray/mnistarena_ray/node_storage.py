"""A folder of a node for what the trials of one run need there: each dataset and each file once."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

PREFIX = "arena-ray-"

STALE_SECONDS = 3600.0
"""A folder that was not used for so long was left by a driver that was killed."""


class NodeStorage:
    """The folder of one run on one node. While it is entered it is in use, and nothing removes it."""

    def __init__(self, token: str, node: str) -> None:
        self.path = Path(tempfile.gettempdir()) / f"{PREFIX}{token}-{node[:12]}"
        self._lock: IO[str] | None = None

    def __enter__(self) -> NodeStorage:
        remove_stale()
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process removed it just now
                self._lock = (self.path / ".lock").open("w")
                fcntl.flock(self._lock, fcntl.LOCK_SH)
                os.utime(self.path)
                return self

    def __exit__(self, *problem: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def arrays(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> Path:
        """A folder with the arrays as .npy files, written by the first trial that needs it."""

        def fill(folder: Path) -> None:
            for key, array in arrays.items():
                np.save(folder / f"{key}.npy", array)

        return self._once(self.path / "data" / name, fill)

    def file(self, digest: str, name: str, content: NDArray[np.uint8]) -> Path:
        """A file with this content, under its own name, because a name may say what format the file has."""

        def fill(folder: Path) -> None:
            (folder / name).write_bytes(content.data)

        return self._once(self.path / "files" / digest, fill) / name

    def _once(self, folder: Path, fill: Callable[[Path], None]) -> Path:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=folder.parent))
            fill(temporary)
            try:
                temporary.rename(folder)
            except OSError:  # another trial of this node was quicker
                shutil.rmtree(temporary, ignore_errors=True)
                if not folder.is_dir():
                    raise
        return folder

    def remove(self) -> None:
        """Remove the folder, unless a trial uses it."""
        _remove_unused(self.path)


def remove_stale() -> None:
    """Remove the folders of runs whose drivers were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                _remove_unused(path)


def _remove_unused(path: Path) -> None:
    with suppress(OSError), (path / ".lock").open("r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
