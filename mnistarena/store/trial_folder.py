"""The files of one trial: its record, history, predictions, views and model.

Its log and its checkpoint have modules of their own: trial_log.py and checkpoint_files.py.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError, cannot_write
from mnistarena.plugin.messages import HistoryRow
from mnistarena.plugin.predictions import Answers, Predictions
from mnistarena.store import checked
from mnistarena.store.checkpoint_files import CheckpointFiles
from mnistarena.store.contributions import CONTRIBUTIONS, ContributionsFile
from mnistarena.store.files import (
    digest,
    from_json,
    open_plain,
    pack,
    read_bytes,
    to_json,
    unpack,
    write_atomically,
)
from mnistarena.store.json_files import ADVICE, FORMAT, parse_json, with_advice
from mnistarena.store.records import TrialRecord
from mnistarena.store.trial_log import TrialLog
from mnistarena.text import all_visible, plain_ascii

RECORD, HISTORY, PREDICTIONS, VIEWS = "trial.json", "history.jsonl", "predictions.npz", "views.npz"
MODEL, CLASSIFIER = "model.safetensors", "model.skops"
"""The trained weights of a torch module, or the fitted scikit-learn classifier, where they are kept."""

DESCRIPTION = "model.json"
"""What the module of the stored weights is; see store/description.py."""

MODEL_FILES = (MODEL, CLASSIFIER, DESCRIPTION)

RESULTS = (HISTORY, PREDICTIONS)
"""What every figure of a trial is computed from."""

_DIGEST_LINE = re.compile(rb'\n  "digest": "([0-9a-f]{64})",(?=\n)')


def _is_as_written(raw: bytes) -> bool:
    """Whether the bytes, without the line of their digest, have that digest: a quick check of an untouched file."""
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


def _self_digest(record: Mapping[str, object]) -> str:
    return hashlib.sha256(to_json({k: v for k, v in record.items() if k != "digest"})).hexdigest()


class TrialFolder:
    """The files of one trial. `log` is what it printed, `checkpoint` where an unfinished training is.

    `contributions` are what each test image adds to each metric.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = TrialLog(path / "log.txt")
        self.checkpoint = CheckpointFiles(path)
        self.contributions = ContributionsFile(path / CONTRIBUTIONS)

    def read(self) -> TrialRecord | None:
        """The trial's record, or None where there is none; raises `StoreError` where it is damaged."""
        path = self.path / RECORD
        if not path.is_symlink() and not path.exists():
            return None
        raw = with_advice(read_bytes, path)
        found = with_advice(lambda _: parse_json(raw, path), path)
        if not _is_as_written(raw) and found.get("digest") != _self_digest(found):
            raise StoreError(f"{path} was altered since it was written{ADVICE}")
        record = with_advice(lambda _: checked.as_record(found, path), path)
        return record if plain_ascii(raw) else cast(TrialRecord, all_visible(record))

    def write(self, record: TrialRecord) -> None:
        """Write the record, with the digests of the files beside it; the last write of a trial."""
        names = (*RESULTS, VIEWS, CONTRIBUTIONS, *MODEL_FILES)
        files = {name: digest(self.path / name) for name in names if (self.path / name).is_file()}
        stamps = {name: _stamp(self.path / name) for name in files}
        whole = from_json(to_json({**record, "files": files, "stamps": stamps, "format": FORMAT}))
        write_atomically(self.path / RECORD, to_json({**whole, "digest": _self_digest(whole)}))

    def digest_of_record(self) -> str:
        """The SHA-256 of the record, which holds the digests of the files beside it; raises `StoreError`."""
        return digest(self.path / RECORD)

    def check(self, name: str, digests: Mapping[str, str]) -> None:
        """Raise `StoreError` unless a file is as it was when the record with these digests was written."""
        if name not in digests:
            raise StoreError(f"{self.path / RECORD} holds no digest of {name}{ADVICE}")
        if with_advice(digest, self.path / name) != digests[name]:
            raise StoreError(f"{self.path / name} was altered or truncated since it was written{ADVICE}")

    def damage(self, record: TrialRecord) -> str | None:
        """What is wrong with a finished trial's results; None where they are as the record says.

        A file that still has the size and the time that the record notes counts as unchanged: its digest is computed
        only where one of the two differs, and where the file is used.
        """
        stamps, files = record.get("stamps", {}), record.get("files", {})
        try:
            results = (HISTORY,) if "search" in record.get("identity", {}) else RESULTS  # it keeps no predictions
            for name in (*results, *(name for name in (VIEWS, CONTRIBUTIONS) if name in files)):
                if stamps.get(name) is None or stamps[name] != _stamp(self.path / name):
                    self.check(name, files)
        except StoreError as problem:
            return str(problem).removesuffix(ADVICE)
        return None

    def reset(self, *, keep_checkpoint: bool = False) -> None:
        """Make or empty the folder for a start of the trial, or for continuing from its checkpoint."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for path in self.path.iterdir():
                if keep_checkpoint and path.name.startswith(("checkpoint", self.log.path.name)):
                    continue
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as problem:
            raise cannot_write(f"in {self.path}", problem) from problem

    # ---- History

    def append_history(self, row: HistoryRow) -> None:
        """Add a line (an epoch) to the history."""
        path = self.path / HISTORY
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, sort_keys=True) + "\n")
        except OSError as problem:
            raise cannot_write(path, problem) from problem

    def write_history(self, rows: Iterable[HistoryRow]) -> None:
        """Set the history, as a checkpoint left it."""
        text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        write_atomically(self.path / HISTORY, text.encode())

    def history(self, digests: Mapping[str, str] | None = None) -> list[HistoryRow]:
        """The epochs, oldest first; empty where there is no history. With `digests`, the file is checked first."""
        path = self.path / HISTORY
        if digests is not None:
            self.check(HISTORY, digests)
        if not path.is_symlink() and not path.exists():
            return []
        try:
            rows = [from_json(line) for line in read_bytes(path).splitlines()]
        except ValueError as problem:
            raise StoreError(f"cannot read {path}: {problem}") from problem
        return [checked.as_row(row, f"{path}:{number}") for number, row in enumerate(rows, 1)]

    # ---- Predictions

    def write_predictions(self, predictions: Predictions) -> None:
        """Store predictions; probabilities and scores become float32, and every metric is computed from these."""
        extras = {f"extra_{name}": array for name, array in predictions.extras.items()}
        arrays: dict[str, NDArray[Any]] = {"labels": predictions.labels}
        if predictions.output == "labels":
            arrays |= {"predicted": predictions.values, "n_classes": np.array([predictions.n_classes])}
        else:
            arrays[predictions.output] = predictions.values.astype(np.float32)
        arrays["index"] = predictions.index
        write_atomically(self.path / PREDICTIONS, pack({**arrays, **extras}))

    def predictions(self, digests: Mapping[str, str] | None = None, *, as_stored: bool = False) -> Predictions:
        """The stored predictions: probabilities, whose rows sum to 1 in float64, or scores, or classes.

        With `digests`, the file is checked first. `as_stored`, probabilities and scores are float32, as in the file.
        """
        path = self.path / PREDICTIONS
        if digests is not None:
            self.check(PREDICTIONS, digests)
        arrays = with_advice(unpack, path)
        wrong = _prediction_problem(arrays)
        if wrong:
            raise StoreError(f"{path} holds no predictions: {wrong}{ADVICE}")
        output = _answers_in(arrays)
        n_classes = int(arrays["n_classes"][0]) if output == "labels" else 0
        values = arrays["predicted" if output == "labels" else output]
        if output != "labels" and not as_stored:
            values = values.astype(np.float64)
            if output == "probabilities":
                values /= values.sum(axis=1, keepdims=True)
        extras = {name[6:]: array for name, array in arrays.items() if name.startswith("extra_")}
        return Predictions(
            arrays["labels"], values, index=arrays["index"], extras=extras, output=output, n_classes=n_classes
        )

    def has_stored_predictions(self) -> bool:
        """Whether there is a file of predictions, sound or not."""
        return (self.path / PREDICTIONS).is_file()

    def copy_predictions(self, to: TrialFolder) -> None:
        """Copy the file of predictions into another trial's folder, which is emptied first."""
        to.reset()
        shutil.copyfile(self.path / PREDICTIONS, to.path / PREDICTIONS)

    def write_views(self, predicted: Sequence[NDArray[np.int64]], pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Store the predicted classes `(n,)` of each further view; without views the file is removed.

        `pictures` `(C, H, W)` show one test image, as it is and in each view.
        """
        path = self.path / VIEWS
        if not predicted:
            path.unlink(missing_ok=True)
            return
        write_atomically(path, pack({"predicted": np.array(predicted, np.int32), "pictures": np.array(pictures)}))

    def views(self, digests: Mapping[str, str]) -> tuple[NDArray[np.int32], NDArray[np.uint8] | None]:
        """The predicted classes of further views, `(views, n)`, and the pictures if any; the file is checked first."""
        path = self.path / VIEWS
        self.check(VIEWS, digests)
        arrays = with_advice(unpack, path)
        predicted, pictures = arrays.get("predicted"), arrays.get("pictures")
        if predicted is None or predicted.ndim != 2 or predicted.dtype != np.int32:
            raise StoreError(f"{path} holds no predictions of views{ADVICE}")
        if pictures is not None and (pictures.ndim != 4 or pictures.dtype != np.uint8 or 0 in pictures.shape):
            raise StoreError(f"{path} holds no pictures of views{ADVICE}")
        return predicted, pictures

    # ---- Model

    def write_model(self, data: bytes, name: str = MODEL) -> None:
        """Store one of `MODEL_FILES`: weights in safetensors' format, a classifier in that of skops, a description."""
        write_atomically(self.path / name, data)

    def remove_model(self) -> None:
        """Remove the stored model, if there is one."""
        for name in MODEL_FILES:
            (self.path / name).unlink(missing_ok=True)

    def model(self, digests: Mapping[str, str], name: str = MODEL) -> bytes:
        """The stored weights, or the `CLASSIFIER`; `StoreError` where they are not what the record says."""
        with open_plain(self.model_file(digests, name)) as stream:
            return stream.read()

    def model_file(self, digests: Mapping[str, str], name: str = MODEL) -> Path:
        """The file of the stored weights, or another of `MODEL_FILES`, checked; raises `StoreError`."""
        self.check(name, digests)
        return self.path / name

    def has_model(self, name: str = MODEL) -> bool:
        """Whether the stored weights, or another of `MODEL_FILES`, are there: `arena clean` may have removed them."""
        return (self.path / name).is_file()

    def digest_of_model(self) -> str | None:
        """The SHA-256 of the stored weights; None where there are none."""
        return digest(self.path / MODEL) if self.has_model() else None


def _answers_in(arrays: Mapping[str, NDArray[Any]]) -> Answers:
    """What stored predictions are; a file that says nothing else holds probabilities."""
    return "labels" if "predicted" in arrays else "scores" if "scores" in arrays else "probabilities"


def _prediction_problem(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    output = _answers_in(arrays)
    wanted = [("labels", 1, "iu"), ("index", 1, "iu")]
    wanted += [("predicted", 1, "iu"), ("n_classes", 1, "iu")] if output == "labels" else [(output, 2, "f")]
    for name, ndim, kinds in wanted:
        array = arrays.get(name)
        if array is None or array.ndim != ndim or array.dtype.kind not in kinds or not array.size:
            return f'there is no array "{name}" of {ndim} dimension{"s" if ndim > 1 else ""}'
    labels, index, values = arrays["labels"], arrays["index"], arrays["predicted" if output == "labels" else output]
    n, n_classes = len(values), int(arrays["n_classes"][0]) if output == "labels" else values.shape[1]
    if len(labels) != n or len(index) != n:
        return f"{len(labels)} labels and {len(index)} indices for {n} rows of {output}"
    for name in ("labels", "predicted") if output == "labels" else ("labels",):
        least, most = arrays[name].min(), arrays[name].max()
        if least < 0 or most >= n_classes:
            return f"{name} from {least} to {most} for {n_classes} classes"
    if output != "labels" and not np.isfinite(values).all():
        return f"{output} that are not finite"
    if output == "probabilities" and (values.min() < 0 or values.sum(1).min() <= 0):
        return "probabilities that are negative, or all 0"
    return None
