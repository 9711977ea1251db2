"""A scikit-learn classifier's trial: fit, predict, measure."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from mnistarena import evaluation, measure, shared
from mnistarena.batches import Batches, Chain
from mnistarena.errors import TrialError
from mnistarena.job import Job, Send
from mnistarena.seeds import derive
from mnistarena.trialfolder import TrialFolder


def run(job: Job, classifier: Any, chain: Chain, folder: TrialFolder, send: Send) -> evaluation.Outcome:
    """Fit a scikit-learn classifier and predict the test split, once."""
    if any(is_random for _, is_random in chain.steps):
        raise TrialError("a scikit-learn model sees each image once: a random transform has no meaning for it")
    cpu = torch.device("cpu")
    n_classes = chain.task.n_classes
    state = derive(job.identity["seed"], "fit") % 2**32
    seeded = {k: state for k in classifier.get_params() if k == "random_state" or k.endswith("__random_state")}
    classifier.set_params(**seeded)

    def flat(images: Any) -> Any:
        return Batches(images, None, chain, cpu, keep=False).flat()

    def features(split: str) -> Any:
        return flat(shared.read(job.data, f"{split}_images"))

    train_features, train_labels = features("train"), np.array(shared.read(job.data, "train_labels"))
    send({"event": "stage", "stage": "training"})
    began = time.perf_counter()
    classifier.fit(train_features, train_labels)
    seconds = time.perf_counter() - began

    def chances_of(values: Any) -> Any:
        return evaluation.classifier_probabilities(classifier, values, n_classes)

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
    latency = {str(s): measure.latency(lambda r=r: classifier.predict_proba(r), cpu) for s, r in rows.items()}  # type: ignore[misc]
    kept = ("train_loss", "validation_loss", "validation_accuracy")
    measurements = {
        **{key: row[key] for key in kept},
        "train_seconds": seconds,
        "images_per_second": len(train_labels) / seconds,
        "latency_ms": latency,
        "peak_memory_bytes": peak,
    }
    return evaluation.Outcome(measurements, chances, {}, lambda images: chances_of(flat(images)))
