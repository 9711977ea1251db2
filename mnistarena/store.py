"""The run folder: every path and format in it; nothing else knows them.

    runs/full/
      spec.toml  plan.json  environment.json  .lock
      datasets/<label>.npz                     test images, labels, index: a report needs no dataset plugin
      trials/<label>-<dataset>-s<seed>-<id>/   trial.json  history.jsonl  predictions.npz  model.safetensors  log.txt
      report.html  report.md  figures/

Files are written to a temporary name, synced and renamed, so a reader sees the old file or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.components import Predictions
from mnistarena.errors import StoreError

FORMAT = 1
"""The version of this layout, written into plan.json and every trial.json."""

STATUSES = ("done", "failed", "timeout", "interrupted")


def slug(text: str) -> str:
    """A label as part of a file name: letters, digits, dot, dash and underscore, at most 60 characters."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "unnamed"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file so that no reader and no power cut ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {problem.strerror or problem}") from problem


def to_json(value: Any) -> bytes:
    """Canonical, readable JSON: sorted keys, two spaces, a final newline."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; is {path.parent} a run folder?") from None
    except (OSError, ValueError) as problem:
        raise StoreError(f"cannot read {path}: {problem}") from problem
    if not isinstance(value, dict) or value.get("format", FORMAT) != FORMAT:
        raise StoreError(f"{path} was written by another version of mnistarena (format {FORMAT} is wanted)")
    return value


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run the spec again to make it") from None
    except Exception as problem:  # zipfile, zlib and numpy each raise their own for a damaged file
        raise StoreError(f"cannot read {path}: {problem}; remove it and run the spec again") from problem


class TrialFolder:
    """The files of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        """What the trial printed."""
        return self.path / "log.txt"

    def read(self) -> dict[str, Any] | None:
        """The trial's record, or None where there is none or it cannot be read (then it runs again)."""
        try:
            return _read_json(self.path / "trial.json")
        except StoreError:
            return None

    def write(self, record: Mapping[str, Any]) -> None:
        """Write the record, with the digests of the files beside it; the last write of a trial."""
        files = {
            name: hashlib.sha256((self.path / name).read_bytes()).hexdigest()
            for name in ("history.jsonl", "predictions.npz", "model.safetensors")
            if (self.path / name).is_file()
        }
        write_atomically(self.path / "trial.json", to_json({**record, "files": files, "format": FORMAT}))

    def reset(self) -> None:
        """Empty the folder for a fresh start of the trial."""
        try:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StoreError(f"cannot make {self.path}: {problem.strerror}") from problem

    def append_history(self, row: Mapping[str, Any]) -> None:
        """Add a line (an epoch) to the history."""
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, sort_keys=True) + "\n")

    def history(self) -> list[dict[str, Any]]:
        """The epochs, oldest first; empty where there is no history."""
        path = self.path / "history.jsonl"
        if not path.is_file():
            return []
        try:
            return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        except ValueError as problem:
            raise StoreError(f"cannot read {path}: {problem}") from problem

    def write_predictions(self, predictions: Predictions) -> None:
        """Store predictions; probabilities become float32, which is what every metric is computed from."""
        extras = {f"extra_{name}": array for name, array in predictions.extras.items()}
        arrays: dict[str, NDArray[Any]] = {
            "labels": predictions.labels,
            "probabilities": predictions.probabilities.astype(np.float32),
            "index": predictions.index,
        }
        write_atomically(self.path / "predictions.npz", _npz({**arrays, **extras}))

    def predictions(self) -> Predictions:
        """The stored predictions; rows of the probabilities sum to 1 in float64."""
        arrays = _read_npz(self.path / "predictions.npz")
        probabilities = arrays["probabilities"].astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        extras = {name[6:]: array for name, array in arrays.items() if name.startswith("extra_")}
        return Predictions(arrays["labels"], probabilities, arrays["index"], extras)

    def write_model(self, data: bytes) -> None:
        """Store a trained model's weights, in safetensors' format."""
        write_atomically(self.path / "model.safetensors", data)


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

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; the lock goes with the process, however it ends."""
        path = self.path / ".lock"
        try:
            stream = path.open("a+")
        except OSError as problem:
            raise StoreError(f"cannot write in {self.path}: {problem.strerror}") from problem
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES):
                    raise StoreError(f"cannot lock {path}: {problem.strerror}") from problem
                stream.seek(0)
                holder = stream.read().strip() or "another process"
                raise StoreError(
                    f"{self.path} is in use by {holder}; wait for it, or write elsewhere with --out"
                ) from None
            stream.truncate(0)
            stream.write(f"process {os.getpid()} on {socket.gethostname()}")
            stream.flush()
            yield

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
        return _read_json(self.path / "plan.json")

    def environment(self) -> dict[str, Any]:
        """The machine and versions of the last start."""
        return _read_json(self.path / "environment.json")

    def spec(self) -> str:
        """The spec's text as it was last started."""
        try:
            return (self.path / "spec.toml").read_text("utf-8")
        except OSError as problem:
            raise StoreError(f"cannot read {self.path / 'spec.toml'}: {problem.strerror}") from problem

    def write_dataset(self, label: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store a test split: `images` uint8 (n, C, H, W), `labels` (n,), `index` (n,)."""
        path = self.path / "datasets" / f"{slug(label)}.npz"
        data = _npz(arrays)
        if not path.is_file() or path.read_bytes() != data:
            write_atomically(path, data)

    def dataset(self, label: str) -> dict[str, NDArray[Any]]:
        """The stored test split: `images`, `labels`, `index`."""
        return _read_npz(self.path / "datasets" / f"{slug(label)}.npz")

    def trial(self, label: str, dataset: str, seed: int, identity: str) -> TrialFolder:
        """A trial's folder: the one that holds this identity under whatever label, else a new name."""
        found = sorted((self.path / "trials").glob(f"*-{identity}"))
        if found:
            return TrialFolder(found[0])
        return TrialFolder(self.path / "trials" / f"{slug(label)}-{slug(dataset)}-s{seed}-{identity}")

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for what workers share while a run goes on; emptied before and after."""
        path = self.path / ".scratch"
        shutil.rmtree(path, ignore_errors=True)
        try:
            path.mkdir()
            yield path
        except OSError as problem:
            raise StoreError(f"cannot write in {self.path}: {problem.strerror or problem}") from problem
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def write_report(self, name: str, data: str) -> Path:
        """Write a report file, such as report.html or figures/accuracy.svg, and return its path."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data.encode())
        return path


def newest_run(root: Path) -> RunFolder:
    """The run started last among the folders of `root`."""
    plans = sorted(root.glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    if not plans:
        raise StoreError(f"no run found in {root}{os.sep}; start one with: arena run SPEC")
    return RunFolder(plans[-1].parent)
