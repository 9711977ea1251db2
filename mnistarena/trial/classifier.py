"""A scikit-learn classifier's trial: fit, predict, measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.engine.batches import Batches, evaluation_size
from mnistarena.engine.chain import Chain
from mnistarena.engine.measure import cpu_seconds, latencies, peak_memory_bytes
from mnistarena.engine.prediction import Outcome, classifier_probabilities
from mnistarena.engine.seeds import derive
from mnistarena.errors import TrialError
from mnistarena.plugin.messages import HistoryRow, Measurements, RowAdded
from mnistarena.stats.calibration import log_loss
from mnistarena.trial.context import TrialContext

CPU = torch.device("cpu")

FITTED = 5000
"""Training images, at most, whose loss the history shows."""


def seed_classifier(classifier: Any, chain: Chain, seed: int) -> None:
    """Set every random state of a classifier from the trial's seed; `TrialError` where the chain is random."""
    if any(is_random for _, is_random in chain.steps):
        raise TrialError("a scikit-learn model sees each image once: a random transform has no meaning for it")
    state = derive(seed, "fit") % 2**32
    seeded = {k: state for k in classifier.get_params() if k == "random_state" or k.endswith("__random_state")}
    classifier.set_params(**seeded)


def flat(images: NDArray[np.uint8], chain: Chain) -> NDArray[np.float32]:
    """Images `(n, C, H, W)` through the chain, as the features `(n, C·H·W)` that a classifier gets."""
    return Batches(images, None, chain=chain, device=CPU, keep=False).flat()


def run_classifier(context: TrialContext, classifier: Any) -> Outcome:
    """Fit a scikit-learn classifier and predict the test split, once."""
    chain = context.chain
    seed_classifier(classifier, chain, context.seed)
    features = flat(context.array("train_images"), chain)
    labels = np.array(context.array("train_labels"))
    context.begin("training")
    began, cpu = time.perf_counter(), cpu_seconds(living=True)
    classifier.fit(features, labels)
    seconds = time.perf_counter() - began
    cpu = cpu_seconds(living=True) - cpu

    def probabilities(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return classifier_probabilities(classifier, values, chain.task.n_classes)

    row: HistoryRow = {
        "epoch": 1,
        "step": 1,
        "learning_rate": None,
        "train_loss": log_loss(probabilities(features[:FITTED]), labels[:FITTED]),
        "validation_loss": None,
        "validation_accuracy": None,
    }
    held = np.array(context.array("validation_labels"))
    if len(held):
        found = probabilities(flat(context.array("validation_images"), chain))
        row["validation_loss"] = log_loss(found, held)
        row["validation_accuracy"] = float((found.argmax(1) == held).mean())
    row["train_seconds"] = seconds
    row["wall_seconds"] = time.perf_counter() - began
    context.folder.append_history(row)
    context.send(RowAdded(row))

    context.begin("testing")
    test = flat(context.array("test_images"), chain)
    on_test = probabilities(test)
    context.begin("measuring")
    peak = peak_memory_bytes()

    def call(size: int) -> Callable[[], Any]:
        rows = np.resize(test, (size, test.shape[1]))
        return lambda: classifier.predict_proba(rows)

    times: Measurements = {"train_seconds": seconds, "train_cpu_seconds": cpu}
    context.check_threads(times)
    return Outcome(
        {
            "train_loss": row["train_loss"],
            "validation_loss": row["validation_loss"],
            "validation_accuracy": row["validation_accuracy"],
            **times,
            "images_per_second": len(labels) / seconds,
            "latency_ms": latencies(call, evaluation_size(chain.task.image_shape), CPU, context.note),
            "peak_memory_bytes": peak,
        },
        on_test,
        extras={},
        predict=lambda images: probabilities(flat(images, chain)),
    )
