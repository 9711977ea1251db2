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

FIRST_VALUES = 1 << 22
"""Input values (images × C × H × W) that are looked at of a split, but at least a batch."""

SECONDS = 1.0
"""About as long the steps are watched."""

SLOW_STEP = 4.0
"""Seconds of a step from which on a smaller batch is watched instead, and scaled."""

SIZES = (400, 1600)
"""Images that a scikit-learn classifier is fitted on, to see how its time grows."""


def of_module(job: Job, model: nn.Module, chain: Chain, recipe: Training, device: torch.device) -> dict[str, Any]:
    """`seconds` of a whole trial and `memory_bytes`, of a torch module; also `seconds_per_step`."""
    amp = training.autocast(recipe, device)
    model.to(device)
    module.to_channels_last(model)
    first = max(recipe.batch_size, FIRST_VALUES // math.prod(chain.task.image_shape))
    n, n_validation, n_test = (len(shared.read(job.data, f"{name}_labels")) for name in ("train", "validation", "test"))
    an_image = forward(job, model, chain, device, amp)
    began = time.perf_counter()
    ready = module.prepare(job, model, chain, recipe, device, amp, first=first)
    preparing = time.perf_counter() - began
    share = n / ready.train_split.n
    before = measure.peak_memory_bytes()
    # A backward pass takes about twice as long as a forward pass; a frozen backbone has none.
    guess = 3 * an_image * recipe.batch_size if ready.trained is model else 0.0
    size = recipe.batch_size if guess <= SLOW_STEP else max(2, round(recipe.batch_size * SLOW_STEP / guess))

    def seconds_of(steps: int) -> float:
        few = recipe.model_copy(update={"epochs": None, "steps": steps, "batch_size": size})
        seed = int(job.identity["seed"])
        found = training.train(ready.trained, ready.train_split, few, seed, dict, lambda row: None, lambda *news: None)
        return float(found["train_seconds"]) / steps

    a_step = seconds_of(2)
    if a_step < SLOW_STEP / 2:
        a_step = seconds_of(max(3, min(200, math.ceil(SECONDS / a_step))))
    scale = recipe.batch_size / size
    a_step *= scale
    epochs = 1 if recipe.steps else recipe.epochs or 1
    steps = recipe.steps or epochs * math.ceil(n / recipe.batch_size)
    # A head alone is validated in no time: its features were prepared.
    looks = n_test + (epochs * n_validation if ready.trained is model else 0)
    latency = sum(max(measure.LATENCY_SECONDS, measure.LATENCY_LEAST_CALLS * size * an_image) for size in (1, 256))
    kept = ready.train_split.stored.nbytes * (share - 1) if ready.train_split.kept else 0
    # Weights' gradients and two moments are there whatever the batch's size.
    weights = 3 * sum(p.nbytes for p in model.parameters() if p.requires_grad)
    activations = max(0, measure.peak_memory_bytes() - before - weights) * (scale - 1)
    return {
        "seconds": preparing * max(1.0, share) + steps * a_step + an_image * looks + latency,
        "seconds_per_step": a_step,
        "memory_bytes": measure.peak_gpu_memory_bytes(device) or int(measure.peak_memory_bytes() + kept + activations),
    }


def forward(job: Job, model: nn.Module, chain: Chain, device: torch.device, amp: torch.autocast) -> float:
    """Seconds of a test image's way through the model, from at most one evaluation batch, after one that warms up."""
    images, size, seconds = shared.read(job.data, "test_images"), 4, 0.0
    while True:
        test = Batches(images[:size], None, chain, device, keep=True)
        for _ in range(2):
            began = time.perf_counter()
            evaluation.predict(model, test, chain.task.n_classes, amp)
            measure.synchronize(device)
            seconds = time.perf_counter() - began
        if seconds > SECONDS / 8 or size >= min(len(images), test.evaluation_size):
            return seconds / test.n
        size *= 8


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
