"""A torch module's trial: train, predict, measure."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena import backbone, evaluation, measure, shared, training
from mnistarena.batches import Batches, Chain, fits
from mnistarena.checkpoint import Arrays, Checkpoints, Unusable
from mnistarena.errors import StoreError
from mnistarena.job import Job, Send
from mnistarena.spec.schema import Training
from mnistarena.trialfolder import TrialFolder


def run(
    job: Job,
    model: nn.Module,
    chain: Chain,
    recipe: Training,
    device: torch.device,
    folder: TrialFolder,
    send: Send,
) -> evaluation.Outcome:
    """Train a torch module and predict the test split, once."""
    n_classes = chain.task.n_classes
    amp = training.autocast(recipe, device)
    model.to(device)
    to_channels_last(model)
    counts = measure.count_parameters(model)
    ready = prepare(job, model, chain, recipe, device, amp, lambda: send({"event": "stage", "stage": "features"}))
    trained, held = ready.trained, ready.held

    def validate() -> dict[str, Any]:
        return evaluation.scores(trained, held, n_classes, amp) if held.n else {}

    def on_row(row: dict[str, Any]) -> None:
        folder.append_history(row)
        send({"event": "row", **row})

    def on_step(step: int, total: int, loss: float) -> None:
        send({"event": "step", "step": step, "total": total, "loss": loss})

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    send({"event": "stage", "stage": "training"})
    with contextlib.ExitStack() as stack:
        checkpoints = keep_checkpoints(job, folder, stack)
        seed = job.identity["seed"]
        outcome = training.train(
            trained, ready.train_split, recipe, seed, validate, on_row, on_step, checkpoints, spent=ready.seconds
        )
    outcome |= since(checkpoints)

    send({"event": "stage", "stage": "testing"})
    test = Batches(shared.read(job.data, "test_images"), None, chain, device, keep=False)
    logits, extras = evaluation.predict(model, test, n_classes, amp)
    chances = evaluation.probabilities(logits)
    outcome |= {
        **counts,
        "peak_memory_bytes": measure.peak_memory_bytes(),
        "peak_gpu_memory_bytes": measure.peak_gpu_memory_bytes(device),
    }

    send({"event": "stage", "stage": "measuring"})
    outcome |= {"flops_per_image": None, "latency_ms": {}}
    for size in (1, 256):
        batch = torch.zeros(size, *chain.task.image_shape, device=device).contiguous(memory_format=torch.channels_last)
        if size == 1:
            outcome["flops_per_image"] = measure.flops(model, batch)
        with torch.inference_mode(), amp:
            outcome["latency_ms"][str(size)] = measure.latency(lambda batch=batch: model(batch), device)  # type: ignore[misc]
    if job.keep_model:
        from safetensors.torch import save

        state = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
        folder.write_model(save(untied(state)))

    def again(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        further = Batches(images, None, chain, device, keep=False)
        return evaluation.probabilities(evaluation.predict(model, further, n_classes, amp, extras_too=False)[0])

    return evaluation.Outcome(outcome, chances, extras, again)


@dataclass(frozen=True)
class Prepared:
    """What is trained (the model, or its head alone) on what; `seconds` were spent on features."""

    trained: nn.Module
    train_split: Batches
    held: Batches
    seconds: float = 0.0


def prepare(
    job: Job,
    model: nn.Module,
    chain: Chain,
    recipe: Training,
    device: torch.device,
    amp: torch.autocast,
    computing_features: Callable[[], None] = lambda: None,
    first: int | None = None,
) -> Prepared:
    """The splits on the device; of a model with a frozen backbone its head, and the splits as the head sees them.

    With `first`, only so many images of each split: enough to see how fast it goes.
    """
    images, labels = (shared.read(job.data, f"train_{name}") for name in ("images", "labels"))
    # A short training does not see enough images to pay for computing something of all of them beforehand.
    seen = recipe.steps * recipe.batch_size if recipe.steps else len(images) * (recipe.epochs or 1)
    whole = seen >= len(images)
    parts = backbone.frozen(model) if whole and not chain.random and not hasattr(model, "training_loss") else None
    keep = whole and parts is None and fits(len(images), chain.task.image_shape)
    train_split = Batches(images[:first], labels[:first], chain, device, keep=keep)
    validation, labels = (shared.read(job.data, f"validation_{name}") for name in ("images", "labels"))
    held = Batches(validation[:first], labels[:first], chain, device, keep=False)
    if parts is None:
        return Prepared(model, train_split, held)
    computing_features()
    began = time.perf_counter()
    features = backbone.features(parts[0], train_split, amp)
    measure.synchronize(device)
    seconds = time.perf_counter() - began
    held_features = backbone.features(parts[0], held, amp) if held.n else held
    if features is None or held_features is None:
        print("the frozen backbone's features do not fit in memory: they are computed anew in each epoch")
        return Prepared(model, train_split, held)
    return Prepared(parts[1], features, held_features, seconds)


def keep_checkpoints(job: Job, folder: TrialFolder, stack: contextlib.ExitStack) -> Checkpoints:
    """Checkpoints into the trial's folder, on from the one that is there; asked for by SIGTERM while `stack` lasts."""
    asked = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    stack.callback(signal.signal, signal.SIGTERM, before)

    def write(state: dict[str, Any], arrays: Arrays) -> None:
        folder.write_checkpoint({**state, "conditions": job.bits_depend_on}, arrays)

    found = None
    state = folder.checkpoint()
    if state is not None and state.get("conditions") != job.bits_depend_on:
        print("the checkpoint was made under other conditions; the training starts again")
        folder.remove_checkpoint()
    elif state is not None:
        try:
            arrays = stack.enter_context(folder.checkpoint_arrays())
            folder.write_history(state["rows"])
        except (StoreError, KeyError) as problem:
            raise Unusable(str(problem)) from problem
        found = state, arrays
        print(f"going on after step {state.get('step')}")
    if found is None:
        folder.write_history([])
    return Checkpoints(write, every=job.checkpoint_every, asked=asked.is_set, found=found)


def since(checkpoints: Checkpoints) -> dict[str, Any]:
    """What the record says of a training that went on from a checkpoint; nothing of one that did not."""
    if checkpoints.found is None:
        return {}
    state = checkpoints.found[0]
    return {"resumed_at_step": state["step"], "earlier_seconds": state["wall_seconds"]}


def to_channels_last(model: nn.Module) -> None:
    """Convolutions run faster on channels-last memory; anything with another rank stays as it is."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            # Not contiguous(): it leaves the strides of a one-channel kernel as they are, which count as both
            # formats, and a convolution that sees no sign of channels-last answers in the slower one.
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


def untied(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """safetensors refuses tensors that share memory: tied weights are stored once each."""
    seen: set[int] = set()
    out = {}
    for name, value in state.items():
        out[name] = value.clone() if value.data_ptr() in seen else value
        seen.add(value.data_ptr())
    return out
