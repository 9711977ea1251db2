"""The checkpoint of a trial that is not finished: checkpoint.json, and checkpoint-<step>.npz beside it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from mnistarena.errors import StoreError
from mnistarena.plugin.messages import HistoryRow
from mnistarena.store.files import open_plain, to_json, write_atomically
from mnistarena.store.json_files import FORMAT, read_json
from mnistarena.text import slug

POINTER = "checkpoint.json"
"""It names the other file of a checkpoint, so it is read first and written last."""

PATTERN = "checkpoint-*"

Arrays = Mapping[str, NDArray[Any]]


class CheckpointState(TypedDict, total=False):
    """What the store and the report read of a checkpoint; the engine writes more: see engine/checkpoint.py."""

    step: int
    wall_seconds: float
    rows: list[HistoryRow]
    conditions: dict[str, object]


class CheckpointFiles:
    """The checkpoint in a trial's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Store where a training is: `state` as JSON, which names the file of `arrays`.

        Two files, and the one that names the other is written last: whenever this stops, the checkpoint that
        is there is whole. The arrays go to the disk one by one, so that a large model is not held twice.
        """
        name = f"checkpoint-{state['step']}.npz"
        write_atomically(self.folder / name, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]
        write_atomically(self.folder / POINTER, to_json({"state": state, "file": name, "format": FORMAT}))
        self.remove_others(name)

    def remove_others(self, name: str) -> None:
        """Remove arrays of earlier checkpoints than the one in file `name`."""
        for old in self.folder.glob(PATTERN):
            if old.name != name:
                old.unlink(missing_ok=True)

    def state(self) -> CheckpointState | None:
        """The state, without the arrays; None where there is none that can be read."""
        try:
            state = read_json(self.folder / POINTER)["state"]
        except (StoreError, KeyError):
            return None
        return cast(CheckpointState, state) if isinstance(state, dict) else None

    @contextmanager
    def arrays(self) -> Iterator[Arrays]:
        """The arrays of `state()`, read one by one; raises `StoreError` where one is damaged."""
        path = self.folder / slug(str(read_json(self.folder / POINTER).get("file")))
        with open_plain(path) as stream:
            try:
                with zipfile.ZipFile(stream) as archive:
                    damaged = archive.testzip()
                stream.seek(0)
                arrays = np.load(stream, allow_pickle=False)
            except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as problem:
                raise StoreError(f"cannot read {path}: {problem}") from problem
            if damaged:
                raise StoreError(f"cannot read {path}: {damaged} was altered")
            with arrays:
                yield arrays

    def remove(self) -> None:
        """Remove it: a trial that has ended needs none."""
        for path in (self.folder / POINTER, *self.folder.glob(PATTERN)):
            with suppress(OSError):
                path.unlink(missing_ok=True)
