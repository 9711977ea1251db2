"""The files of one trial; every path and format in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnistarena import records
from mnistarena.components import Predictions
from mnistarena.errors import StoreError
from mnistarena.files import digest, from_json, open_plain, pack, read_bytes, slug, to_json, unpack, write_atomically
from mnistarena.text import all_visible, plain_ascii, visible

T = TypeVar("T")

FORMAT = 2
"""The version of this layout, written into plan.json and every trial.json."""

LOG_BYTES = 4 << 20
"""What is kept of a trial's output: half from its beginning, half from its end."""

MODEL = "model.safetensors"
"""The trained weights of a torch module, where they are kept."""

RESULTS = ("history.jsonl", "predictions.npz")
"""What every figure of a trial comes from."""

ADVICE = "; run the spec again to compute it again"


def read_json(path: Path) -> dict[str, Any]:
    """An object of this format; raises `StoreError`."""
    return parse_json(read_bytes(path), path)


def parse_json(raw: bytes, path: Path) -> dict[str, Any]:
    """The object in a file's content; raises `StoreError`."""
    try:
        value = from_json(raw)
    except ValueError as problem:
        raise StoreError(f"cannot read {path}: not JSON: {problem}") from None
    if not isinstance(value, dict) or value.get("format", FORMAT) != FORMAT:
        raise StoreError(f"{path} was written by another version of mnistarena (format {FORMAT} is wanted)")
    return value


def with_advice(read: Callable[[Path], T], path: Path) -> T:
    """What `read` gives; where it cannot, its error says what to do."""
    try:
        return read(path)
    except StoreError as problem:
        raise StoreError(f"{problem}{ADVICE}") from problem


_DIGEST_LINE = re.compile(rb'\n  "digest": "([0-9a-f]{64})",(?=\n)')


def _is_as_written(raw: bytes) -> bool:
    """Whether the bytes, without the line of their digest, have that digest: the quick way for an untouched file."""
    rest, found = _DIGEST_LINE.subn(b"", raw)
    match = _DIGEST_LINE.search(raw)
    return found == 1 and match is not None and hashlib.sha256(rest).hexdigest() == match.group(1).decode()


def _stamp(path: Path) -> list[int] | None:
    """A plain file's size in bytes and the time of its last change in nanoseconds."""
    with suppress(OSError):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode):
            return [found.st_size, found.st_mtime_ns]
    return None


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
        raw = with_advice(read_bytes, path)
        record = with_advice(lambda _: parse_json(raw, path), path)
        if not _is_as_written(raw) and record.get("digest") != _self_digest(record):
            raise StoreError(f"{path} was altered since it was written{ADVICE}")
        wrong = records.problem("record", record)
        if wrong:
            raise StoreError(f"{path} is not a trial's record: {wrong}{ADVICE}")
        return record if plain_ascii(raw) else dict(all_visible(record))

    def write(self, record: Mapping[str, Any]) -> None:
        """Write the record, with the digests of the files beside it; the last write of a trial."""
        names = (*RESULTS, "views.npz", MODEL)
        files = {name: digest(self.path / name) for name in names if (self.path / name).is_file()}
        stamps = {name: _stamp(self.path / name) for name in files}
        whole = from_json(to_json({**record, "files": files, "stamps": stamps, "format": FORMAT}))
        write_atomically(self.path / "trial.json", to_json({**whole, "digest": _self_digest(whole)}))

    def check(self, name: str, digests: Mapping[str, str]) -> None:
        """Raise `StoreError` unless a file is as it was when the record with these digests was written."""
        if name not in digests:
            raise StoreError(f"{self.path / 'trial.json'} holds no digest of {name}{ADVICE}")
        if with_advice(digest, self.path / name) != digests[name]:
            raise StoreError(f"{self.path / name} was altered or truncated since it was written{ADVICE}")

    def damage(self, record: Mapping[str, Any]) -> str | None:
        """What is wrong with a finished trial's results; None where they are as the record says.

        A file of the size and the time that it had when the record was written is taken for what it was:
        its digest is computed only where one of the two is another, and where the file is used.
        """
        stamps = record.get("stamps", {})
        try:
            for name in (*RESULTS, *(["views.npz"] if "views.npz" in record["files"] else [])):
                if stamps.get(name) is None or stamps[name] != _stamp(self.path / name):
                    self.check(name, record["files"])
        except StoreError as problem:
            return str(problem).removesuffix(ADVICE)
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

    def append_log(self, output: bytes) -> None:
        """Add what the trial printed elsewhere; on a full disk it is left out."""
        with suppress(OSError):
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "ab") as stream:
                stream.write(output)

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
        arrays = with_advice(unpack, path)
        wrong = _unlike_predictions(arrays)
        if wrong:
            raise StoreError(f"{path} holds no predictions: {wrong}{ADVICE}")
        probabilities = arrays["probabilities"].astype(np.float64)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        extras = {name[6:]: array for name, array in arrays.items() if name.startswith("extra_")}
        return Predictions(arrays["labels"], probabilities, arrays["index"], extras)

    def write_views(self, said: Sequence[NDArray[np.int64]]) -> None:
        """Store what was said of further views: of each the predicted classes `(n,)`."""
        path = self.path / "views.npz"
        if not said:
            path.unlink(missing_ok=True)
            return
        write_atomically(path, pack({"predicted": np.array(said, np.int32)}))

    def views(self) -> NDArray[np.int32]:
        """The predicted classes of further views, `(views, n)`."""
        path = self.path / "views.npz"
        predicted = with_advice(unpack, path).get("predicted")
        if predicted is None or predicted.ndim != 2 or predicted.dtype != np.int32:
            raise StoreError(f"{path} holds no predictions of views{ADVICE}")
        return predicted

    def write_model(self, data: bytes) -> None:
        """Store a trained model's weights, in safetensors' format."""
        write_atomically(self.path / MODEL, data)

    def model(self, digests: Mapping[str, str]) -> bytes:
        """The stored weights, in safetensors' format; `StoreError` where they are not what the record says."""
        self.check(MODEL, digests)
        with open_plain(self.path / MODEL) as stream:
            return stream.read()

    def digest_of_model(self) -> str | None:
        """The SHA-256 of the stored weights; None where there are none."""
        path = self.path / MODEL
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
            state = read_json(self.path / "checkpoint.json")["state"]
        except (StoreError, KeyError):
            return None
        return state if isinstance(state, dict) else None

    @contextmanager
    def checkpoint_arrays(self) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The arrays of `checkpoint()`, read one by one; raises `StoreError` where one is damaged."""
        path = self.path / slug(str(read_json(self.path / "checkpoint.json").get("file")))
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
