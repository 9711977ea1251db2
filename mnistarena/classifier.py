"""A scikit-learn classifier's trial: fit, predict, measure."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena import evaluation, measure, shared
from mnistarena.batches import Batches, Chain
from mnistarena.errors import TrialError
from mnistarena.job import Job, Send
from mnistarena.seeds import derive
from mnistarena.trialfolder import TrialFolder

CPU = torch.device("cpu")


def prepare(classifier: Any, chain: Chain, seed: int) -> None:
    """Set every random state of a classifier from the trial's seed; `TrialError` where the chain is random."""
    if any(is_random for _, is_random in chain.steps):
        raise TrialError("a scikit-learn model sees each image once: a random transform has no meaning for it")
    state = derive(seed, "fit") % 2**32
    seeded = {k: state for k in classifier.get_params() if k == "random_state" or k.endswith("__random_state")}
    classifier.set_params(**seeded)


def flat(images: NDArray[np.uint8], chain: Chain) -> NDArray[np.float32]:
    """Images `(n, C, H, W)` through the chain, as the features `(n, C·H·W)` that a classifier sees."""
    return Batches(images, None, chain, CPU, keep=False).flat()


def run(job: Job, classifier: Any, chain: Chain, folder: TrialFolder, send: Send) -> evaluation.Outcome:
    """Fit a scikit-learn classifier and predict the test split, once."""
    prepare(classifier, chain, job.identity["seed"])

    def features(split: str) -> Any:
        return flat(shared.read(job.data, f"{split}_images"), chain)

    train_features, train_labels = features("train"), np.array(shared.read(job.data, "train_labels"))
    send({"event": "stage", "stage": "training"})
    began = time.perf_counter()
    classifier.fit(train_features, train_labels)
    seconds = time.perf_counter() - began

    def chances_of(values: Any) -> Any:
        return evaluation.classifier_probabilities(classifier, values, chain.task.n_classes)

    fitted, validation_labels = chances_of(train_features[:5000]), np.array(shared.read(job.data, "validation_labels"))
    row: dict[str, Any] = {
        "epoch": 1,
        "step": 1,
        "learning_rate": None,
        "train_loss": evaluation.log_loss(fitted, train_labels[:5000]),
        "validation_loss": None,
        "validation_accuracy": None,
    }
    if len(validation_labels):
        held = chances_of(features("validation"))
        row["validation_loss"] = evaluation.log_loss(held, validation_labels)
        row["validation_accuracy"] = float((held.argmax(1) == validation_labels).mean())
    row |= {"train_seconds": seconds, "wall_seconds": time.perf_counter() - began}
    folder.append_history(row)
    send({"event": "row", **row})

    send({"event": "stage", "stage": "testing"})
    test = features("test")
    chances = chances_of(test)
    send({"event": "stage", "stage": "measuring"})
    peak = measure.peak_memory_bytes()
    rows = {size: np.resize(test, (size, test.shape[1])) for size in (1, 256)}
    latency = {str(s): measure.latency(lambda r=r: classifier.predict_proba(r), CPU) for s, r in rows.items()}  # type: ignore[misc]
    kept = ("train_loss", "validation_loss", "validation_accuracy")
    measurements = {
        **{key: row[key] for key in kept},
        "train_seconds": seconds,
        "images_per_second": len(train_labels) / seconds,
        "latency_ms": latency,
        "peak_memory_bytes": peak,
    }
    return evaluation.Outcome(measurements, chances, {}, lambda images: chances_of(flat(images, chain)))
