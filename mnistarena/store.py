"""The run folder: every path and format in it; nothing else knows them
(those of one trial are in trialfolder.py).

    runs/full/
      spec.toml  plan.json  environment.json  .lock
      datasets/<label>.npz                     test images, labels, index: a report needs no dataset plugin
      trials/<label>-<dataset>-s<seed>-<id>/   trial.json  history.jsonl  predictions.npz  model.safetensors  log.txt
                                               checkpoint.json  checkpoint-<step>.npz while unfinished
      damaged/                                 trials that were found altered or truncated, moved aside
      report.html  report.md  figures/

Files are written to a temporary name, synced and renamed, so a reader sees the old file or the new one.
trial.json holds the digests of the files beside it and of itself; a file is checked when it is used.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mnistarena import records
from mnistarena.errors import StoreError
from mnistarena.files import pack, read_bytes, slug, to_json, unique_slug, unpack, write_atomically
from mnistarena.text import all_visible, visible
from mnistarena.trialfolder import ADVICE, FORMAT, TrialFolder, read_json, with_advice


def _bytes(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return sum(part.lstat().st_size for part in parts if not part.is_dir())


class RunFolder:
    """One run: a spec, its plan, and its trials."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folders: dict[str, str] | None = None  # a trial's identity → its folder's name, once looked at

    def create(self) -> None:
        """Make the folder, or say why that cannot be."""
        try:
            (self.path / "trials").mkdir(parents=True, exist_ok=True)
            (self.path / "datasets").mkdir(exist_ok=True)
        except OSError as problem:
            raise StoreError(f"cannot make the run folder {self.path}: {problem.strerror}") from problem
        self.refuse_links()

    def refuse_links(self) -> None:
        """Raise `StoreError` where a folder inside is a link: a stranger's run would reach outside of itself."""
        for name in ("trials", "datasets", "figures", "damaged", ".scratch"):
            if (self.path / name).is_symlink():
                raise StoreError(f"{self.path / name} is a symbolic link; a run folder keeps its own files")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the lock goes with the process, however it ends."""
        path = self.path / ".lock"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            why = "it is a symbolic link" if path.is_symlink() else problem.strerror
            raise StoreError(f"cannot lock {self.path}: cannot write {path}: {why}") from problem
        with os.fdopen(handle, "a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES):
                    raise StoreError(f"cannot lock {path}: {problem.strerror}") from problem
                stream.seek(0)
                holder = visible(stream.read(200)).strip() or "another process"
                raise StoreError(
                    f"{self.path} is in use by {holder}; wait for it, or write elsewhere with --out"
                ) from None
            with suppress(OSError):  # on a full disk the lock holds without a name in it
                stream.truncate(0)
                stream.write(f"process {os.getpid()} on {socket.gethostname()}")
                stream.flush()
            self.sweep()
            yield

    def sweep(self) -> None:
        """Remove what a process that was killed left half written."""
        for pattern in (".*.tmp", "datasets/.*.tmp", "trials/*/.*.tmp"):
            for path in self.path.glob(pattern):
                with suppress(OSError):
                    path.unlink()

    def write_start(self, spec: str, plan: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Write what a run is about, before its first trial."""
        write_atomically(self.path / "spec.toml", spec.encode())
        write_atomically(self.path / "environment.json", to_json(environment))
        write_atomically(self.path / "plan.json", to_json({**plan, "format": FORMAT}))

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "plan.json").is_file()

    def plan(self) -> dict[str, Any]:
        """The plan as it was last started."""
        path = self.path / "plan.json"
        if not self.exists():
            raise StoreError(f"{path} is missing; is {self.path} a run folder?")
        self.refuse_links()
        plan = read_json(path)
        wrong = records.problem("plan", plan)
        if wrong:
            raise StoreError(f"{path} is not a plan: {wrong}")
        return dict(all_visible(plan))

    def environment(self) -> dict[str, Any]:
        """The machine and versions of the last start."""
        return dict(all_visible(read_json(self.path / "environment.json")))

    def spec(self) -> str:
        """The spec's text as it was last started."""
        return visible(read_bytes(self.path / "spec.toml").decode("utf-8", "replace"))

    def write_dataset(self, label: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store a test split: `images` uint8 (n, C, H, W), `labels` (n,), `index` (n,)."""
        path = self.path / "datasets" / f"{unique_slug(label)}.npz"
        data = pack(arrays)
        with suppress(StoreError):
            if read_bytes(path, len(data)) == data:
                return
        write_atomically(path, data)

    def dataset(self, label: str) -> dict[str, NDArray[Any]]:
        """The stored test split: `images`, `labels`, `index`."""
        path = self.path / "datasets" / f"{unique_slug(label)}.npz"
        arrays = with_advice(unpack, path)
        for name, ndim, kinds in (("images", 4, "u"), ("labels", 1, "iu"), ("index", 1, "iu")):
            array = arrays.get(name)
            if array is None or array.ndim != ndim or array.dtype.kind not in kinds:
                raise StoreError(f'{path} holds no array "{name}" of {ndim} dimensions{ADVICE}')
        if len({len(array) for array in arrays.values()}) != 1:
            raise StoreError(f"{path}: images, labels and index differ in length{ADVICE}")
        return arrays

    def trial(self, label: str, dataset: str, seed: int, identity: str) -> TrialFolder:
        """A trial's folder: the one that holds this identity under whatever label, else a new name."""
        name = f"{slug(label)}-{slug(dataset)}-s{seed}-{identity}"
        if self._folders is None:
            self._folders = {}
            with suppress(OSError), os.scandir(self.path / "trials") as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        self._folders.setdefault(entry.name.rpartition("-")[2], entry.name)
        return TrialFolder(self.path / "trials" / self._folders.get(identity, name))

    def move_aside(self, path: Path) -> Path:
        """Move something damaged into `damaged/`, where it may be looked at; returns where it is now."""
        folder = self.path / "damaged"
        number = 1
        while (target := folder / (path.name + (f".{number}" if number > 1 else ""))).exists():
            number += 1
        try:
            folder.mkdir(exist_ok=True)
            path.rename(target)
        except OSError as problem:
            raise StoreError(f"cannot move {path} to {target}: {problem.strerror}") from problem
        self._folders = None
        return target

    def disposable(self, wanted: set[str], kinds: set[str]) -> list[tuple[Path, int]]:
        """What no report needs, with its bytes: `checkpoints`, `models`, trials `dropped` from the spec, `damaged`."""
        found: list[Path] = []
        for path in sorted((self.path / "trials").iterdir()):
            if path.is_symlink() or not path.is_dir():
                continue
            if path.name.rpartition("-")[2] not in wanted:
                found += [path] if "dropped" in kinds else []
                continue
            for kind, pattern in (("checkpoints", "checkpoint*"), ("models", "model.safetensors")):
                found += sorted(path.glob(pattern)) if kind in kinds else []
        if "damaged" in kinds and (self.path / "damaged").is_dir():
            found.append(self.path / "damaged")
        return [(path, _bytes(path)) for path in found]

    def remove(self, path: Path) -> None:
        """Remove a file or a folder of this run."""
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as problem:
            raise StoreError(f"cannot remove {path}: {problem.strerror}") from problem
        self._folders = None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for what workers share while a run goes on; emptied before and after."""
        path = self.path / ".scratch"
        shutil.rmtree(path, ignore_errors=True)
        try:
            path.mkdir()
        except OSError as problem:
            raise StoreError(f"cannot write in {self.path}: {problem.strerror or problem}") from problem
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def write_report(self, name: str, data: str | bytes) -> Path:
        """Write a report file, such as report.html or figures/accuracy.svg, and return its path."""
        self.refuse_links()
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"cannot write {path}: {problem.strerror}") from problem
        write_atomically(path, data.encode() if isinstance(data, str) else data)
        return path


def newest_run(root: Path) -> RunFolder:
    """The run started last among the folders of `root`."""
    plans = sorted(root.glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise StoreError(f"no run found in {root}{os.sep}; start one with: arena run SPEC")
    return RunFolder(plans[-1].parent)
