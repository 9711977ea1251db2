"""What a trial will cost in time and memory, from a few of its steps; in a worker of its own."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from torch import nn

from mnistarena.data.splits import stratified
from mnistarena.engine import measure
from mnistarena.engine.batches import Batches, evaluation_size
from mnistarena.engine.layout import place
from mnistarena.engine.own_methods import OwnMethods, StepContext
from mnistarena.engine.prediction import classifier_outputs, predict
from mnistarena.engine.step import autocast, in_float32
from mnistarena.engine.training import train
from mnistarena.environment import peak_memory_bytes
from mnistarena.errors import TrialError
from mnistarena.plugin.messages import ESTIMATING, FIRST_STEPS, CostEstimate
from mnistarena.trial.context import TrialContext
from mnistarena.trial.fitting import Features, fit_classifier, flat, seed_classifier
from mnistarena.trial.model import trains_itself
from mnistarena.trial.network import prepare_data
from mnistarena.trial.preflight import preflight

FIRST_VALUES = 1 << 22
"""Input values (images × C × H × W) that are used of a split, but at least a batch."""

SECONDS = 1.0
"""About how long the steps are timed."""

SLOW_STEP = 4.0
"""Seconds of a step from which on a smaller batch is timed instead, and scaled."""

STARTED = 1000
"""Training images that a model with `on_start` prepares itself by."""

SIZES = (400, 1600)
"""Images that a scikit-learn classifier is fitted on, to see how its time grows."""


def network_cost(context: TrialContext, model: nn.Module) -> CostEstimate:
    """Seconds and memory of a whole trial of a torch module, and seconds of a step.

    They are unknown where the model trains itself: its steps are not the engine's. Raises what a trial would raise.
    """
    before = len(context.notes)
    place(model, context.chain, context.device, context.note)
    if not trains_itself(model):
        images, labels = (context.array(f"train_{name}")[:STARTED] for name in ("images", "labels"))
        few = Batches(images, labels, chain=context.chain, device=context.device, keep=False)
        OwnMethods(model, StepContext(few, context.seed, total=1)).start()
    preflight(context, model, started=True)
    notes = context.notes[before:]
    if trains_itself(model):
        unknown = "it trains itself: how long its fit(training) takes is known after its first trial"
        return {"unknown": unknown, "notes": notes}
    context.begin(FIRST_STEPS)
    return {**_training_cost(context, model), "notes": notes}


def _training_cost(context: TrialContext, model: nn.Module) -> CostEstimate:
    """The same of a module that the engine trains, after its preflight."""
    device, recipe = context.device, context.recipe
    n, n_validation, n_test = (len(context.array(f"{name}_labels")) for name in ("train", "validation", "test"))
    an_image = _forward_seconds(context, model)
    first = max(recipe.batch_size * recipe.accumulate, FIRST_VALUES // math.prod(context.chain.task.image_shape))
    began = time.perf_counter()
    ready = prepare_data(context, model, autocast(recipe, device), first=first)
    preparing = time.perf_counter() - began
    share = n / ready.train_split.n
    before = peak_memory_bytes()
    # A backward pass takes about twice as long as a forward pass; a frozen backbone has none.
    guess = 3 * an_image * recipe.batch_size if ready.trained is model else 0.0
    size = recipe.batch_size if guess <= SLOW_STEP else max(2, round(recipe.batch_size * SLOW_STEP / guess))
    scale = recipe.batch_size / size
    a_step = _step_seconds(context, ready.trained, ready.train_split, size) * scale
    epochs = 1 if recipe.steps else recipe.epochs or 1
    steps = recipe.steps or epochs * math.ceil(n / (recipe.batch_size * recipe.accumulate))
    # A head alone is validated in no time: its features were prepared.
    evaluated = n_test + (epochs * n_validation if ready.trained is model else 0)
    calls = [size * an_image for size in (1, evaluation_size(context.chain.task.image_shape))]
    latency = sum(max(measure.LATENCY_SECONDS, min(5 * one, measure.SLOW_SECONDS)) for one in calls)
    kept = ready.train_split.stored.nbytes * (share - 1) if ready.train_split.kept else 0
    # Gradients and two moments of each weight need their memory whatever the batch's size.
    weights = 3 * sum(p.nbytes for p in model.parameters() if p.requires_grad)
    activations = max(0, peak_memory_bytes() - before - weights) * (scale - 1)
    return {
        "seconds": preparing * max(1.0, share) + steps * a_step + an_image * evaluated + latency,
        "latency_seconds": latency,
        "seconds_per_step": a_step,
        "memory_bytes": measure.peak_gpu_memory_bytes(device) or int(peak_memory_bytes() + kept + activations),
    }


def _step_seconds(context: TrialContext, model: nn.Module, split: Batches, batch_size: int) -> float:
    """Seconds of a training step, from a few of them."""

    def seconds_of(steps: int) -> float:
        few = context.recipe.model_copy(update={"epochs": None, "steps": steps, "batch_size": batch_size})
        found = train(
            model, split, few, seed=context.seed, registry=context.registry, output=context.output or "logits"
        )
        return float(found["train_seconds"]) / steps

    a_step = seconds_of(2)
    context.begin(ESTIMATING)
    if a_step < SLOW_STEP / 2:
        a_step = seconds_of(max(3, min(200, math.ceil(SECONDS / a_step))))
    return a_step


def _forward_seconds(context: TrialContext, model: nn.Module) -> float:
    """Seconds to predict a test image, from at most one evaluation batch, after one that warms up."""
    images, size, seconds, amp = context.array("test_images"), 4, 0.0, in_float32(context.device)
    while True:
        test = Batches(images[:size], None, chain=context.chain, device=context.device, keep=True)
        for _ in range(2):
            began = time.perf_counter()
            predict(model, test, context.chain.task.n_classes, amp, output=context.output or "logits")
            measure.synchronize(context.device)
            seconds = time.perf_counter() - began
        if seconds > SECONDS / 8 or size >= min(len(images), test.evaluation_size):
            return seconds / test.n
        size *= 8


def classifier_cost(context: TrialContext, classifier: Any) -> CostEstimate:
    """The same of a scikit-learn classifier: two small fits, and the power by which their times grow."""
    seed_classifier(classifier, context.chain, context.seed)
    fitted, features, times = _small_fits(context, classifier)
    began = time.perf_counter()
    classifier_outputs(fitted, features, context.chain.task.n_classes, context.output)
    an_image = (time.perf_counter() - began) / len(features)
    context.begin(ESTIMATING)
    n, n_validation, n_test = (len(context.array(f"{name}_labels")) for name in ("train", "validation", "test"))
    smallest, largest = min(times), max(times)
    grown = math.log(times[largest] / times[smallest]) / math.log(largest / smallest) if largest > smallest else 1.0
    power = min(3.0, max(1.0, grown))
    return {
        "seconds": times[largest] * (n / largest) ** power + an_image * (5000 + n_validation + n_test),
        "memory_bytes": int(peak_memory_bytes() + features.nbytes / len(features) * n),
    }


def _small_fits(context: TrialContext, classifier: Any) -> tuple[Any, Features, dict[int, float]]:
    """The classifier fitted to some images, their features, and the seconds of each fit by the number of its images.

    One that raises on few images, as a PCA of many components does, is fitted to all: that is what its trial does.
    """
    images, labels = context.array("train_images"), np.array(context.array("train_labels"))
    held = np.array(context.array("validation_labels")[: SIZES[0]])
    held_features = np.empty((0, 0), np.float32)
    if len(held):
        held_features = flat(context.array("validation_images")[: SIZES[0]], context.chain)
    times: dict[int, float] = {}
    sizes = list(SIZES)
    while sizes:
        rows = stratified(labels, sizes.pop(0), 0)
        features = flat(images[rows], context.chain)
        began = time.perf_counter()
        try:
            fitted = fit_classifier(classifier, features, labels[rows], held=(held_features, held))
            times[len(rows)] = max(1e-4, time.perf_counter() - began)
        except Exception as problem:
            if isinstance(problem, TrialError) or times or len(rows) == len(images):
                raise
            sizes = sizes or [len(images)]
        context.begin(FIRST_STEPS)
    return fitted, features, times
