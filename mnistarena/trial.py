"""One trial from start to end, inside its worker process."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mnistarena import classifier, evaluation, module, pace, pretrained, restore, shared, views
from mnistarena.chains import build_chain
from mnistarena.checkpoint import Interrupted, Unusable
from mnistarena.components import Predictions
from mnistarena.errors import StoreError, TrialError
from mnistarena.job import Job, Send
from mnistarena.processes import end_all, lead
from mnistarena.registry import Registry, installed
from mnistarena.seeds import derive
from mnistarena.spec.schema import Training
from mnistarena.streams import seed_everything
from mnistarena.trialfolder import TrialFolder

MESSAGE_CHARACTERS = 10_000
TRACEBACK_CHARACTERS = 100_000
"""What a record keeps of an error; a plugin may raise one of any size."""


def work(job: Job, connection: Connection) -> None:
    """The worker's main: run the job, send events, then `{"event": "end", …}` with result or error."""
    lead(os.getpid())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = os.open(TrialFolder(job.folder).log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout, sys.stderr = log_stream(1), log_stream(2)
    os.environ.update(job.environment)
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)
    result: dict[str, Any]
    try:
        keep_temporary_files_in(job.temporary)
        result = {"status": "done", **run(job, connection.send)}
    except Interrupted as problem:
        result = {"status": "interrupted", "progress": {"step": problem.step, "total": problem.total}}
    except BaseException as problem:  # a plugin may raise anything, SystemExit too
        with contextlib.suppress(OSError):
            traceback.print_exc()
        # What the machine did to our own files is no fault of the plugin: the trial runs again.
        status = "interrupted" if isinstance(problem, StoreError) else "failed"
        result = {"status": status, "error": describe(problem, job)}
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    connection.send({"event": "end", **result})
    while True:  # until the parent has found and ended whatever this trial started
        signal.pause()


class _Log(io.FileIO):
    """A file that takes what it can: on a full disk the training is worth more than what it prints."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def log_stream(descriptor: int) -> io.TextIOWrapper:
    """Text into an open file, line by line, that never fails."""
    raw = _Log(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), errors="replace", line_buffering=True)


def keep_temporary_files_in(folder: Path) -> None:
    """Where `tempfile` and whatever the trial starts put theirs, so that they go with the trial."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"cannot write in {folder.parent}: {problem.strerror}") from problem
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def describe(problem: BaseException, job: Job) -> dict[str, str]:
    """An exception as plain data."""
    message = str(problem) or type(problem).__name__
    if isinstance(problem, torch.OutOfMemoryError):
        size = job.identity["training"]["batch_size"]
        message += f" (batch_size was {size}; it is never shrunk silently: set a smaller one)"
    return {
        "type": type(problem).__name__,
        "message": message[:MESSAGE_CHARACTERS],
        "traceback": "".join(traceback.format_exception(problem))[-TRACEBACK_CHARACTERS:],
        **({"stage": "scoring"} if isinstance(problem, MetricError) else {}),
    }


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        end_all(os.getpid())


def probe(device: str, connection: Connection) -> None:
    """Say which device `auto` or a name stands for here: `{"device", "device_name"}` or `{"error"}`."""
    try:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        resolved = torch.device(device)
        torch.zeros(1, device=resolved)
        name = torch.cuda.get_device_name(resolved) if resolved.type == "cuda" else None
        found = {"device": str(resolved), "device_name": name}
    except Exception as problem:
        found = {"error": f"the device {device!r} cannot be used: {str(problem).splitlines()[0]}"}
    with contextlib.suppress(BrokenPipeError):  # who asked was interrupted meanwhile
        connection.send(found)


def run(job: Job, send: Send) -> dict[str, Any]:
    """Train, predict, measure and score; returns the record's `metrics` and `measurements`."""
    began = time.perf_counter()
    stages = _Stages(send)
    send = stages.send
    folder = TrialFolder(job.folder)
    registry = installed()
    if not job.train:
        metrics = score(job, folder.predictions(), registry)
        if job.views:
            look(job, again(job, folder, registry).probabilities, registry, send)
        return {"metrics": metrics}
    device = set_up(job)
    pretrained.brought.update(job.files)
    identity = job.identity
    definition = registry.get("model", identity["model"]["name"]).definition
    params = definition.params.model_validate_json(job.params)
    assert job.task is not None
    chain = build_chain(identity["transforms"], job.task, registry)
    recipe = Training.model_validate_json(json.dumps(identity["training"]))

    def build() -> Any:
        seed_everything(derive(identity["seed"], "initialisation"))
        return definition.build(params, chain.task)

    model = build()
    if job.pace and isinstance(model, nn.Module):
        return {"pace": pace.of_module(job, model, chain, recipe, device)}
    if isinstance(model, nn.Module):
        try:
            outcome = module.run(job, model, chain, recipe, device, folder, send)
        except Unusable as problem:
            print(f"the checkpoint cannot be used, the training starts again: {problem}")
            folder.remove_checkpoint()
            outcome = module.run(job, build(), chain, recipe, device, folder, send)
    elif hasattr(model, "fit") and hasattr(model, "predict_proba"):
        if job.pace:
            return {"pace": pace.of_classifier(job, model, chain)}
        outcome = classifier.run(job, model, chain, folder, send)
    else:
        raise TrialError(
            f"build of {definition.name} returned {type(model).__name__}: neither a torch.nn.Module "
            "nor a scikit-learn classifier with fit and predict_proba"
        )
    measurements, chances, extras, predict = outcome
    # The labels of the test split are read only now, when there is nothing left to choose.
    predictions = Predictions(
        shared.read(job.data, "test_labels"), chances, shared.read(job.data, "test_index"), extras
    )
    folder.write_predictions(predictions)
    measurements["wall_seconds"] = measurements.pop("earlier_seconds", 0.0) + time.perf_counter() - began
    measurements["stage_seconds"] = stages.seconds()
    send({"event": "measured", "measurements": measurements})
    send({"event": "stage", "stage": "scoring"})
    metrics = score(job, folder.predictions(), registry)
    look(job, predict, registry, send)
    return {"metrics": metrics, "measurements": measurements}


def again(job: Job, folder: TrialFolder, registry: Registry) -> restore.Trained:
    """The finished trial's model, ready to predict: its stored weights, or fitted again."""
    assert job.task is not None
    device = set_up(job)
    trained = restore.untrained(job.identity, job.params, job.task, device, registry)
    if isinstance(trained.model, nn.Module):
        record = folder.read()
        restore.load(trained, folder, record["files"] if record else {}, folder.path.name)
    else:
        images, labels = (np.array(shared.read(job.data, f"train_{name}")) for name in ("images", "labels"))
        restore.fit(trained, images, labels, job.identity["seed"])
    return trained


class _Stages:
    """Passes events on, and keeps how long each stage of the trial took in this process."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._marks = [("starting", time.perf_counter())]

    def send(self, event: dict[str, Any]) -> None:
        if event["event"] == "stage":
            self._marks.append((event["stage"], time.perf_counter()))
        self._send(event)

    def seconds(self) -> dict[str, float]:
        ends = [mark for _, mark in self._marks[1:]] + [time.perf_counter()]
        return {stage: end - mark for (stage, mark), end in zip(self._marks, ends, strict=True)}


def set_up(job: Job) -> torch.device:
    """Threads and device of this process."""
    from threadpoolctl import threadpool_limits

    threads = job.conditions["threads"]
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    device = torch.device(job.conditions["device"])
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device


class MetricError(TrialError):
    """A metric or a view that failed: the predictions are there, only scoring must be done again."""


def look(job: Job, predict: evaluation.Predict, registry: Registry, send: Send) -> None:
    """Predict the further views of the test images, and store what was said."""
    said = []
    assert job.task is not None
    for view in job.views:
        send({"event": "stage", "stage": view["name"]})
        chain = build_chain(view["transforms"], job.task, registry)
        try:
            images = views.altered(shared.read(job.data, "test_images"), chain, derive(0, "view", view["name"]))
            said.append(predict(images).argmax(axis=1))
        except Exception as problem:
            raise MetricError(f'the view "{view["name"]}" failed: {type(problem).__name__}: {problem}') from problem
    TrialFolder(job.folder).write_views(said)


def score(job: Job, predictions: Predictions, registry: Registry) -> dict[str, float | None]:
    """Every metric of the plan, from the stored predictions."""
    values: dict[str, float | None] = {}
    for label, name, raw in job.metrics:
        definition = registry.get("metric", name).definition
        params = definition.params.model_validate_json(raw)
        try:
            values[label] = evaluation.compute(label, definition.compute, predictions, params)
        except TrialError as problem:
            raise MetricError(str(problem)) from problem
    return values
