"""How long a trial will take and what memory it needs, from a few of its steps; in a worker of its own."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from mnistarena import evaluation, measure, module, shared, training
from mnistarena.batches import Batches, Chain
from mnistarena.job import Job
from mnistarena.spec.schema import Training

FIRST = 2048
"""Images of a split that are looked at."""

SECONDS = 1.0
"""About as long the steps are watched."""

SIZES = (400, 1600)
"""Images that a scikit-learn classifier is fitted on, to see how its time grows."""


def of_module(job: Job, model: nn.Module, chain: Chain, recipe: Training, device: torch.device) -> dict[str, Any]:
    """`seconds` of a whole trial and `memory_bytes`, of a torch module; also `seconds_per_step`."""
    began = time.perf_counter()
    amp = training.autocast(recipe, device)
    model.to(device)
    module.to_channels_last(model)
    ready = module.prepare(job, model, chain, recipe, device, amp, first=FIRST)
    setting_up = time.perf_counter() - began
    n = len(shared.read(job.data, "train_labels"))
    n_validation, n_test = (len(shared.read(job.data, f"{name}_labels")) for name in ("validation", "test"))
    share = n / ready.train_split.n

    def seconds_of(steps: int) -> float:
        few = recipe.model_copy(update={"epochs": None, "steps": steps})
        seed = int(job.identity["seed"])
        found = training.train(ready.trained, ready.train_split, few, seed, dict, lambda row: None, lambda *news: None)
        return float(found["train_seconds"]) / steps

    a_step = seconds_of(2)
    a_step = seconds_of(max(3, min(200, math.ceil(SECONDS / a_step))))
    epochs = 1 if recipe.steps else recipe.epochs or 1
    steps = recipe.steps or epochs * math.ceil(n / recipe.batch_size)
    test = Batches(shared.read(job.data, "test_images")[:FIRST], None, chain, device, keep=False)
    evaluation.predict(model, test, chain.task.n_classes, amp)  # the first time builds kernels
    began = time.perf_counter()
    evaluation.predict(model, test, chain.task.n_classes, amp)
    an_image = (time.perf_counter() - began) / test.n
    latency = sum(max(measure.LATENCY_SECONDS, measure.LATENCY_LEAST_CALLS * size * an_image) for size in (1, 256))
    kept = ready.train_split.stored.nbytes * (share - 1) if ready.train_split.kept else 0
    return {
        "seconds": setting_up * max(1.0, share)
        + steps * a_step
        + an_image * (epochs * n_validation + n_test)
        + latency,
        "seconds_per_step": a_step,
        "memory_bytes": measure.peak_gpu_memory_bytes(device) or int(measure.peak_memory_bytes() + kept),
    }


def of_classifier(job: Job, classifier: Any, chain: Chain) -> dict[str, Any]:
    """The same of a scikit-learn classifier: two small fits, and the power by which their times grow."""
    images, labels = (shared.read(job.data, f"train_{name}") for name in ("images", "labels"))
    rows = np.random.default_rng(0).permutation(len(images))
    sizes = [min(size, len(images)) for size in SIZES]
    times = []
    for size in sizes:
        few = np.sort(rows[:size])
        features = Batches(images[few], None, chain, torch.device("cpu"), keep=False).flat()
        began = time.perf_counter()
        classifier.fit(features, np.array(labels[few]))
        times.append(max(1e-4, time.perf_counter() - began))
    began = time.perf_counter()
    classifier.predict_proba(features)
    an_image = (time.perf_counter() - began) / len(features)
    grown = math.log(times[1] / times[0]) / math.log(sizes[1] / sizes[0]) if sizes[1] > sizes[0] else 1.0
    n_validation, n_test = (len(shared.read(job.data, f"{name}_labels")) for name in ("validation", "test"))
    power = min(3.0, max(1.0, grown))
    return {
        "seconds": times[1] * (len(images) / sizes[1]) ** power + an_image * (5000 + n_validation + n_test),
        "memory_bytes": int(measure.peak_memory_bytes() + features.nbytes / len(features) * len(images)),
    }
