"""A folder of a node for what the trials of one run need there: each dataset and each file of weights once."""

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

PREFIX = "arena-ray-"

STALE_SECONDS = 3600.0
"""A folder that nobody has used for so long was left by a driver that was killed."""


class Space:
    """While entered, it is in use; one that is not may be removed by whoever comes by later."""

    def __init__(self, token: str, node: str) -> None:
        self.path = Path(tempfile.gettempdir()) / f"{PREFIX}{token}-{node[:12]}"
        self._lock: IO[str] | None = None

    def __enter__(self) -> Space:
        sweep()
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # somebody swept it away just now
                self._lock = (self.path / ".lock").open("w")
                fcntl.flock(self._lock, fcntl.LOCK_SH)
                os.utime(self.path)
                return self

    def __exit__(self, *problem: object) -> None:
        if self._lock is not None:
            self._lock.close()

    def arrays(self, name: str, arrays: Mapping[str, Any]) -> Path:
        """A folder with the arrays as .npy files, written by the first trial that needs it."""

        def fill(folder: Path) -> None:
            for key, array in arrays.items():
                np.save(folder / f"{key}.npy", array)

        return self._once(self.path / "data" / name, fill)

    def file(self, digest: str, name: str, content: Any) -> Path:
        """A file with this content, under its own name, for the name may say what format it has."""
        return self._once(self.path / "files" / digest, lambda folder: (folder / name).write_bytes(content.data)) / name

    def _once(self, folder: Path, fill: Callable[[Path], Any]) -> Path:
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
        """Take it away, unless a trial is in it."""
        _remove_unused(self.path)


def sweep() -> None:
    """Remove the folders of runs that ended without a word."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                _remove_unused(path)


def _remove_unused(path: Path) -> None:
    with suppress(OSError), (path / ".lock").open("r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
