"""The run folder: every path and format in it; nothing else knows them.

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
import hashlib
import json
import os
import shutil
import socket
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnistarena import records
from mnistarena.components import Predictions
from mnistarena.errors import StoreError
from mnistarena.files import (
    TEXT_BYTES,
    digest,
    from_json,
    open_plain,
    pack,
    read_bytes,
    slug,
    to_json,
    unique_slug,
    unpack,
    write_atomically,
)
from mnistarena.text import all_visible, visible

T = TypeVar("T")

FORMAT = 2
"""The version of this layout, written into plan.json and every trial.json."""

LOG_BYTES = 4 << 20
"""What is kept of a trial's output: half from its beginning, half from its end."""

RESULTS = ("history.jsonl", "predictions.npz")
"""What every figure of a trial comes from."""

_AGAIN = "run the spec again to compute it again"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = from_json(read_bytes(path))
    except ValueError as problem:
        raise StoreError(f"cannot read {path}: not JSON: {problem}") from None
    if not isinstance(value, dict) or value.get("format", FORMAT) != FORMAT:
        raise StoreError(f"{path} was written by another version of mnistarena (format {FORMAT} is wanted)")
    return value


def _with_advice(read: Callable[[Path], T], path: Path) -> T:
    try:
        return read(path)
    except StoreError as problem:
        raise StoreError(f"{problem}; {_AGAIN}") from problem


def _self_digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json({k: v for k, v in record.items() if k != "digest"})).hexdigest()


class TrialFolder:
    """The files of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """What the trial printed."""
        return self.path / "log.txt"

    def read(self) -> dict[str, Any] | None:
        """The trial's record, or None where there is none; raises `StoreError` where it is damaged."""
        path = self.path / "trial.json"
        if not path.is_symlink() and not path.exists():
            return None
        record = _with_advice(_read_json, path)
        if record.get("digest") != _self_digest(record):
            raise StoreError(f"{path} was altered since it was written; {_AGAIN}")
        wrong = records.problem("record", record)
        if wrong:
            raise StoreError(f"{path} is not a trial's record: {wrong}; {_AGAIN}")
        return dict(all_visible(record))

    def write(self, record: Mapping[str, Any]) -> None:
        """Write the record, with the digests of the files beside it; the last write of a trial."""
        names = (*RESULTS, "model.safetensors")
        files = {name: digest(self.path / name) for name in names if (self.path / name).is_file()}
        whole = from_json(to_json({**record, "files": files, "format": FORMAT}))
        write_atomically(self.path / "trial.json", to_json({**whole, "digest": _self_digest(whole)}))

    def check(self, name: str) -> Path:
        """The path of a file that is as it was when the record was written; raises `StoreError` otherwise."""
        record = self.read()
        expected = record["files"].get(name) if record else None
        if expected is None:
            raise StoreError(f"{self.path / 'trial.json'} holds no digest of {name}; {_AGAIN}")
        if _with_advice(digest, self.path / name) != expected:
            raise StoreError(f"{self.path / name} was altered or truncated since it was written; {_AGAIN}")
        return self.path / name

    def damage(self) -> str | None:
        """What is wrong with a finished trial's results; None where they are as they were written."""
        try:
            for name in RESULTS:
                self.check(name)
        except StoreError as problem:
            return str(problem).removesuffix(f"; {_AGAIN}")
        return None

    def prepare(self, *, keep_checkpoint: bool = False) -> None:
        """Make or empty the folder for a start of the trial, or for going on from its checkpoint."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for path in self.path.iterdir():
                if keep_checkpoint and path.name.startswith(("checkpoint", "log.txt")):
                    continue
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as problem:
            raise StoreError(f"cannot write in {self.path}: {problem.strerror}") from problem

    def trim_log(self) -> None:
        """Cut the middle out of an output that has grown past `LOG_BYTES`."""
        half = LOG_BYTES // 2
        with suppress(OSError), self.log.open("r+b") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= LOG_BYTES:
                return
            stream.seek(size - half)
            tail = stream.read(half)
            stream.seek(half)
            stream.write(f"\n… {size - LOG_BYTES:,} bytes of output left out …\n".encode() + tail)
            stream.truncate()

    def log_tail(self, size: int = 16384) -> str:
        """The end of the output, for a trial that could not say itself what happened."""
        with suppress(StoreError, OSError), open_plain(self.log) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
            return visible(stream.read(size).decode("utf-8", "replace"))
        return ""

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line (an epoch) to the history."""
        path = self.path / "history.jsonl"
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, sort_keys=True) + "\n")
        except OSError as problem:
            raise StoreError(f"cannot write {path}: {problem.strerror}") from problem

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Set the history, as a checkpoint left it."""
        text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        write_atomically(self.path / "history.jsonl", text.encode())

    def history(self) -> list[dict[str, Any]]:
        """The epochs, oldest first; empty where there is no history."""
        path = self.path / "history.jsonl"
        if not path.is_symlink() and not path.exists():
            return []
        try:
            rows = [from_json(line) for line in read_bytes(path).splitlines()]
        except ValueError as problem:
            raise StoreError(f"cannot read {path}: {problem}") from problem
        for number, row in enumerate(rows, 1):
            if wrong := records.problem("row", row):
                raise StoreError(f"cannot read {path}:{number}: {wrong}")
        return rows

    def write_predictions(self, predictions: Predictions) -> None:
        """Store predictions; probabilities become float32, which is what every metric is computed from."""
        extras = {f"extra_{name}": array for name, array in predictions.extras.items()}
        arrays: dict[str, NDArray[Any]] = {
            "labels": predictions.labels,
            "probabilities": predictions.probabilities.astype(np.float32),
            "index": predictions.index,
        }
        write_atomically(self.path / "predictions.npz", pack({**arrays, **extras}))

    def predictions(self) -> Predictions:
        """The stored predictions; rows of the probabilities sum to 1 in float64."""
        path = self.path / "predictions.npz"
        arrays = _with_advice(unpack, path)
        wrong = _unlike_predictions(arrays)
        if wrong:
            raise StoreError(f"{path} holds no predictions: {wrong}; {_AGAIN}")
        probabilities = arrays["probabilities"].astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        extras = {name[6:]: array for name, array in arrays.items() if name.startswith("extra_")}
        return Predictions(arrays["labels"], probabilities, arrays["index"], extras)

    def write_model(self, data: bytes) -> None:
        """Store a trained model's weights, in safetensors' format."""
        write_atomically(self.path / "model.safetensors", data)

    def digest_of_model(self) -> str | None:
        """The SHA-256 of the stored weights; None where there are none."""
        path = self.path / "model.safetensors"
        return digest(path) if path.is_file() else None

    def write_checkpoint(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store where a training is: `state` as JSON, which names the file of `arrays`.

        Two files, and the one that names the other comes last: whenever this stops, the checkpoint that
        is there is whole. The arrays go to the disk one by one, so that a large model is not held twice.
        """
        name = f"checkpoint-{state['step']}.npz"
        write_atomically(self.path / name, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]
        write_atomically(self.path / "checkpoint.json", to_json({"state": state, "file": name, "format": FORMAT}))
        for old in self.path.glob("checkpoint-*"):
            if old.name != name:
                old.unlink(missing_ok=True)

    def checkpoint(self) -> dict[str, Any] | None:
        """The state of the checkpoint, without its arrays; None where there is none that can be read."""
        try:
            state = _read_json(self.path / "checkpoint.json")["state"]
        except (StoreError, KeyError):
            return None
        return state if isinstance(state, dict) else None

    @contextmanager
    def checkpoint_arrays(self) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The arrays of `checkpoint()`, read one by one; raises `StoreError` where one is damaged."""
        path = self.path / slug(str(_read_json(self.path / "checkpoint.json").get("file")))
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

    def remove_checkpoint(self) -> None:
        """A trial that has ended needs none."""
        for path in (self.path / "checkpoint.json", *self.path.glob("checkpoint-*")):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _unlike_predictions(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    for name, ndim, kinds in (("labels", 1, "iu"), ("probabilities", 2, "f"), ("index", 1, "iu")):
        array = arrays.get(name)
        if array is None or array.ndim != ndim or array.dtype.kind not in kinds:
            return f'there is no array "{name}" of {ndim} dimension{"s" if ndim > 1 else ""}'
    labels, probabilities, index = (arrays[name] for name in ("labels", "probabilities", "index"))
    n, n_classes = probabilities.shape
    if n == 0 or len(labels) != n or len(index) != n:
        return f"{len(labels)} labels and {len(index)} indices for {n} rows of probabilities"
    if labels.min() < 0 or labels.max() >= n_classes:
        return f"labels from {labels.min()} to {labels.max()} for {n_classes} classes"
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.sum(1).min() <= 0:
        return "probabilities that are not finite, negative, or all 0"
    return None


def _bytes(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return sum(part.lstat().st_size for part in parts if not part.is_dir())


class RunFolder:
    """One run: a spec, its plan, and its trials."""

    def __init__(self, path: Path) -> None:
        self.path = path

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
        plan = _read_json(path)
        wrong = records.problem("plan", plan)
        if wrong:
            raise StoreError(f"{path} is not a plan: {wrong}")
        return dict(all_visible(plan))

    def environment(self) -> dict[str, Any]:
        """The machine and versions of the last start."""
        return dict(all_visible(_read_json(self.path / "environment.json")))

    def spec(self) -> str:
        """The spec's text as it was last started."""
        return visible(read_bytes(self.path / "spec.toml", TEXT_BYTES).decode("utf-8", "replace"))

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
        arrays = _with_advice(unpack, path)
        for name, ndim, kinds in (("images", 4, "u"), ("labels", 1, "iu"), ("index", 1, "iu")):
            array = arrays.get(name)
            if array is None or array.ndim != ndim or array.dtype.kind not in kinds:
                raise StoreError(f'{path} holds no array "{name}" of {ndim} dimensions; {_AGAIN}')
        if len({len(array) for array in arrays.values()}) != 1:
            raise StoreError(f"{path}: images, labels and index differ in length; {_AGAIN}")
        return arrays

    def trial(self, label: str, dataset: str, seed: int, identity: str) -> TrialFolder:
        """A trial's folder: the one that holds this identity under whatever label, else a new name."""
        for path in sorted((self.path / "trials").glob(f"*-{identity}")):
            if path.is_dir() and not path.is_symlink():
                return TrialFolder(path)
        return TrialFolder(self.path / "trials" / f"{slug(label)}-{slug(dataset)}-s{seed}-{identity}")

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

    def write_report(self, name: str, data: str) -> Path:
        """Write a report file, such as report.html or figures/accuracy.svg, and return its path."""
        self.refuse_links()
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"cannot write {path}: {problem.strerror}") from problem
        write_atomically(path, data.encode())
        return path


def newest_run(root: Path) -> RunFolder:
    """The run started last among the folders of `root`."""
    plans = sorted(root.glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise StoreError(f"no run found in {root}{os.sep}; start one with: arena run SPEC")
    return RunFolder(plans[-1].parent)
