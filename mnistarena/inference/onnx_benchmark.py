"""An exported model beside the trained one: how fast each is, and whether it is as accurate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena.engine.batches import evaluation_size
from mnistarena.engine.measure import LATENCY_CALLS, P95_CALLS, latency_of, timed
from mnistarena.inference.onnx import INPUT, WholeModel, output_name
from mnistarena.inference.onnx_int8 import calibration
from mnistarena.inference.provenance import identity_of, load_dataset
from mnistarena.inference.restore import Restored
from mnistarena.plugin.messages import Latency
from mnistarena.plugin.predictions import Outputs
from mnistarena.plugin.registry import Registry
from mnistarena.stats.crossed import Crossed, McNemar, mcnemar
from mnistarena.stats.intervals import Difference
from mnistarena.stats.verdicts import Verdict, judge
from mnistarena.store.results import StoredRun

THREADS = 1
"""Threads of each way: with more, those of torch and of onnxruntime, which wait by computing, would disturb each other.
"""

SECONDS = 5.0
"""What the calls of one batch size may take together, of all contenders; 60 calls of each are made in any case, as far
as these take no more than `MOST_SECONDS`."""

MOST_SECONDS = 30.0


@dataclass(frozen=True)
class Way:
    """A way of running the model: which test images it gets right, bool `(n,)`; `call(images)` makes what is timed."""

    name: str
    correct: NDArray[np.bool_]
    _: KW_ONLY
    call: Callable[[NDArray[np.float32]], Callable[[], Any]]


@dataclass(frozen=True)
class Measured:
    """One way of running the model. `latency` is by batch size; what follows is against the trained model, the first.

    `verdict` is on this one, in one Holm family with the others; `test` is McNemar's.
    """

    name: str
    accuracy: float
    _: KW_ONLY
    latency: Mapping[int, Latency]
    difference: Difference | None = None
    test: McNemar | None = None
    verdict: Verdict = "not compared"


def calibration_images(run: StoredRun, restored: Restored, registry: Registry) -> NDArray[np.float32]:
    """Training images of the trial, in [0, 1], to calibrate int8 on. Raises `ArenaError` where they cannot be had."""
    trial = restored.trial
    loaded = load_dataset(run, trial.dataset, split=identity_of(trial)["dataset"], registry=registry)
    return as_input(loaded.dataset.train_images[calibration(loaded.split.train)])


def as_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as an exported file takes them."""
    return np.asarray(images, dtype=np.float32) / np.float32(255)


def trained(restored: Restored) -> Way:
    """The trained model by torch, or scikit-learn, with the predictions that its trial stored."""
    found = restored.trial.predictions()
    correct = found.predicted == found.labels
    if not isinstance(restored.model, nn.Module):

        def predicts(images: NDArray[np.float32]) -> Callable[[], Any]:
            pixels = np.rint(images * 255).astype(np.uint8)
            return lambda: restored.predict(pixels)

        return Way("as trained, by scikit-learn", correct, call=predicts)
    whole = WholeModel(restored).eval()

    def call(images: NDArray[np.float32]) -> Callable[[], Any]:
        tensor = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)

        def run() -> Any:
            with torch.inference_mode():
                return whole(tensor)

        return run

    return Way("as trained, by torch", correct, call=call)


def exported(name: str, data: bytes, restored: Restored, images: NDArray[np.uint8]) -> Way:
    """An exported file run by onnxruntime, on one thread; `images` are those that the trial tested."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    output = output_name(restored)
    size = evaluation_size(restored.task.image_shape)
    parts = [session.run([output], {INPUT: as_input(images[at : at + size])})[0] for at in range(0, len(images), size)]
    found = Outputs(np.concatenate(parts), output, n_classes=restored.task.n_classes)
    return Way(
        name,
        found.predicted == restored.trial.predictions().labels,
        call=lambda batch: lambda: session.run([output], {INPUT: batch}),
    )


def compare(
    ways: list[Way],
    images: NDArray[np.uint8],
    *,
    margin: float,
    groups: NDArray[np.int64] | None,
    shape: tuple[int, int, int],
) -> list[Measured]:
    """Each way's accuracy, judged against the first, and its latency for 1 image and for an evaluation batch.

    `images` are those that each says `correct` of, `groups` says which of them belong together. These are single
    trained models: what is judged is these two on images like these, never a recipe.
    """
    crossed = Crossed([way.correct[None] for way in ways], [True] * len(ways), groups=groups)
    found = [crossed.difference(at, 0) for at in range(1, len(ways))]
    judged = judge(found, margin=margin)
    sizes = dict.fromkeys((1, min(evaluation_size(shape), len(images))))
    latencies = {size: _in_turns(ways, as_input(images[:size])) for size in sizes}
    measured = [
        Measured(way.name, float(way.correct.mean()), latency={size: latencies[size][way.name] for size in sizes})
        for way in ways
    ]
    first = ways[0].correct
    return measured[:1] + [
        replace(one, difference=difference, test=mcnemar(way.correct, first, groups), verdict=verdict.verdict)
        for one, way, difference, verdict in zip(measured[1:], ways[1:], found, judged, strict=True)
    ]


def _in_turns(ways: list[Way], batch: NDArray[np.float32]) -> dict[str, Latency]:
    """The latency of each way for a batch, one call of each in turn: what slows the machine for a while slows all."""
    device = torch.device("cpu")
    calls = {way.name: way.call(batch) for way in ways}
    times: dict[str, list[float]] = {name: [] for name in calls}
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        for call in calls.values():
            for _ in range(2):
                call()
        began = time.perf_counter()
        for turn in range(LATENCY_CALLS):
            if turn and time.perf_counter() - began > (SECONDS if turn >= P95_CALLS else MOST_SECONDS):
                break
            for name, call in calls.items():
                times[name].append(timed(call, device))
    finally:
        torch.set_num_threads(before)
    return {name: latency_of(found) for name, found in times.items()}
