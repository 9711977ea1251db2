"""A scikit-learn classifier's trial: fit, predict, measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.engine.batches import evaluation_size
from mnistarena.engine.measure import cpu_seconds, latencies
from mnistarena.engine.prediction import Outcome, answering_method, classifier_outputs
from mnistarena.environment import peak_memory_bytes
from mnistarena.plugin.messages import HistoryRow, Measurements, RowAdded
from mnistarena.plugin.predictions import Outputs
from mnistarena.stats.calibration import log_loss
from mnistarena.trial.classifier_file import classifier_bytes
from mnistarena.trial.context import TrialContext
from mnistarena.trial.fitting import Features, Labels, fit_classifier, flat, seed_classifier

CPU = torch.device("cpu")

FITTED = 5000
"""Training images, at most, whose loss the history shows."""

Split = tuple[Features, Labels]
"""Features `(n, C·H·W)` and labels `(n,)`."""


def run_classifier(context: TrialContext, classifier: Any) -> Outcome:
    """Fit a scikit-learn classifier and predict the test split, once; as a trial of a search, the validation split."""
    chain = context.chain
    if context.definition.uses is None:
        context.note("it is fitted as its parameters say, without [training]; say so by uses=() in its ModelDef")
    seed_classifier(classifier, chain, context.seed)
    features = flat(context.array("train_images"), chain)
    labels = np.array(context.array("train_labels"))
    held = np.array(context.array("validation_labels"))
    held_features = flat(context.array("validation_images"), chain) if len(held) else features[:0]
    context.begin("training")
    began, cpu = time.perf_counter(), cpu_seconds(living=True)
    classifier = fit_classifier(classifier, features, labels, held=(held_features, held), note=context.note)
    seconds = time.perf_counter() - began
    cpu = cpu_seconds(living=True) - cpu

    def answers(values: NDArray[np.float32]) -> Outputs:
        return classifier_outputs(classifier, values, chain.task.n_classes, context.output)

    row = _scores(answers, (features[:FITTED], labels[:FITTED]), (held_features, held))
    row["train_seconds"] = seconds
    row["wall_seconds"] = time.perf_counter() - began
    context.folder.append_history(row)
    context.send(RowAdded(row))

    context.begin("testing")
    test = flat(context.array(f"{context.judged_by}_images"), chain)
    on_test = answers(test)
    peak = peak_memory_bytes()

    def call(size: int) -> Callable[[], Any]:
        ask = getattr(classifier, answering_method(classifier, context.output))
        rows = np.resize(test, (size, test.shape[1]))
        return lambda: ask(rows)

    def costs() -> Measurements:
        if not context.job.latency:
            return {}
        return {"latency_ms": latencies(call, evaluation_size(chain.task.image_shape), CPU, context.note)}

    times: Measurements = {"train_seconds": seconds, "train_cpu_seconds": cpu}
    context.check_threads(times)
    return Outcome(
        {
            "train_loss": row["train_loss"],
            "validation_loss": row["validation_loss"],
            "validation_accuracy": row["validation_accuracy"],
            **times,
            "images_per_second": len(labels) / seconds,
            "peak_memory_bytes": peak,
        },
        on_test,
        extras={},
        predict=lambda images: answers(flat(images, chain)),
        costs=costs,
        weights=lambda: classifier_bytes(classifier),
    )


def _scores(answers: Callable[[Features], Outputs], train: Split, held: Split) -> HistoryRow:
    """The row of the history: figures of some training images, and of the validation images where there are any."""
    row: HistoryRow = {
        "epoch": 1,
        "step": 1,
        "learning_rate": None,
        "train_loss": _log_loss(answers(train[0]), train[1]),
        "validation_loss": None,
        "validation_accuracy": None,
    }
    if len(held[1]):
        found = answers(held[0])
        row["validation_loss"] = _log_loss(found, held[1])
        row["validation_accuracy"] = float((found.predicted == held[1]).mean())
    return row


def _log_loss(found: Outputs, labels: NDArray[np.int64]) -> float | None:
    """The log loss; None of a classifier without probabilities."""
    return log_loss(found.probabilities, labels) if found.output == "probabilities" else None
