"""A torch module's trial: train, predict, measure."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena.engine import backbone, measure, prediction
from mnistarena.engine.batches import Batches, fits
from mnistarena.engine.checkpoint import Checkpoints, State
from mnistarena.engine.layout import place
from mnistarena.engine.model_state import stored_state
from mnistarena.engine.monitor import Monitor
from mnistarena.engine.own_methods import takes_part
from mnistarena.engine.packing import Arrays, Unusable
from mnistarena.engine.prediction import Outcome, Scores
from mnistarena.engine.step import autocast, in_float32
from mnistarena.engine.training import train
from mnistarena.engine.watch import Watch
from mnistarena.environment import peak_memory_bytes
from mnistarena.errors import StoreError, TrialError
from mnistarena.plugin.messages import HistoryRow, Measurements, RowAdded, StepsDone
from mnistarena.plugin.predictions import Outputs
from mnistarena.trial.context import TrialContext
from mnistarena.trial.model import trains_itself
from mnistarena.trial.own_fit import train_itself
from mnistarena.trial.preflight import SAMPLE, preflight


def run_network(context: TrialContext, model: nn.Module) -> Outcome:
    """Train a torch module and predict the test split, once; as a trial of a search, the validation split."""
    place(model, context.chain, context.device, context.note)
    preflight(context, model)
    counts = measure.count_parameters(model)
    measurements = _train(context, model)
    context.begin("testing")
    n_classes, amp = context.chain.task.n_classes, in_float32(context.device)
    output = context.output or "logits"
    test = _batches(context, context.array(f"{context.judged_by}_images"))
    found, extras = prediction.predict(model, test, n_classes, amp, output=output)
    outputs = prediction.answers(found, output, n_classes)
    measurements |= {
        **counts,
        "peak_memory_bytes": peak_memory_bytes(),
        "peak_gpu_memory_bytes": measure.peak_gpu_memory_bytes(context.device),
    }

    def costs() -> Measurements:
        chain = context.chain
        return measure.costs(
            model,
            chain.task.image_shape,
            device=context.device,
            amp=amp,
            note=context.note,
            memory_format=chain.memory_format,
            latency_too=context.job.latency,
        )

    def predict(images: NDArray[np.uint8]) -> Outputs:
        batches = _batches(context, images)
        found, _ = prediction.predict(model, batches, n_classes, amp, output=output, extras_too=False)
        return prediction.answers(found, output, n_classes)

    return Outcome(
        measurements,
        outputs,
        extras=extras,
        predict=predict,
        costs=costs,
        weights=lambda: weights_of(model),
    )


def _batches(context: TrialContext, images: NDArray[np.uint8]) -> Batches:
    """Images without labels, to predict."""
    return Batches(images, None, chain=context.chain, device=context.device, keep=False)


# ---- Training


def _train(context: TrialContext, model: nn.Module) -> Measurements:
    """Train the model, or the head of a frozen backbone; from a checkpoint where there is one."""
    amp = autocast(context.recipe, context.device)
    ready = prepare_data(context, model, amp, computing_features=lambda: context.begin("features"))
    n_classes, output = context.chain.task.n_classes, context.output or "logits"

    monitor = Monitor(context.recipe, context.registry)
    figure = None if monitor.metric is None else monitor.figure

    def validate() -> Scores:
        if not ready.held.n:
            return {}
        return prediction.scores(
            ready.trained, ready.held, n_classes, in_float32(context.device), output, figure=figure
        )

    def on_row(row: HistoryRow) -> None:
        context.folder.append_history(row)
        context.send(RowAdded(row))

    def on_step(step: int, total: int, loss: float) -> None:
        context.send(StepsDone(step, total, loss=loss))

    if context.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(context.device)
    context.begin("training")
    with contextlib.ExitStack() as stack:
        checkpoints = _checkpoints(context, stack)
        if trains_itself(model):
            split, held = ready.train_split, ready.held
            measurements = train_itself(context, model, split=split, held=held, checkpoints=checkpoints)
        else:
            measurements = train(
                ready.trained,
                ready.train_split,
                context.recipe,
                seed=context.seed,
                registry=context.registry,
                watch=Watch(validate, on_row, on_step=on_step, note=context.note, prunes=context.prunes),
                checkpoints=checkpoints,
                spent=ready.seconds,
                spent_cpu=ready.cpu_seconds,
                output=output,
            )
    if checkpoints.found is not None:
        state = checkpoints.found[0]
        measurements |= {"resumed_at_step": state["step"], "earlier_seconds": state["wall_seconds"]}
    context.check_threads(measurements)
    return measurements


@dataclass(frozen=True)
class Prepared:
    """The module to train (the model, or its head alone) and its splits.

    `seconds`, and `cpu_seconds` of the processor, were spent on features.
    """

    trained: nn.Module
    train_split: Batches
    _: KW_ONLY
    held: Batches
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def prepare_data(
    context: TrialContext,
    model: nn.Module,
    amp: torch.autocast,
    *,
    computing_features: Callable[[], None] = lambda: None,
    first: int | None = None,
) -> Prepared:
    """The splits on the device; of a model with a frozen backbone its head, and the backbone's outputs.

    With `first`, only so many images of each split: enough to time some steps.
    """
    recipe, chain, device = context.recipe, context.chain, context.device
    images, labels = (context.array(f"train_{name}") for name in ("images", "labels"))
    # A short training does not see enough images to pay for computing something of all of them beforehand.
    seen = recipe.steps * recipe.batch_size * recipe.accumulate if recipe.steps else len(images) * (recipe.epochs or 1)
    whole = seen >= len(images)
    # Augmentations are meant for images, and groups for the model's own names.
    own = trains_itself(model) or takes_part(model) or bool(recipe.augmentations or recipe.groups)
    can_freeze = whole and not chain.random and not own
    parts = backbone.frozen_parts(model) if can_freeze else None
    if parts is not None and not _may_cut(context, model, amp):
        parts = None
    keep = whole and parts is None and fits(len(images), chain.task.image_shape)
    train_split = Batches(images[:first], labels[:first], chain=chain, device=device, keep=keep)
    validation, labels = (context.array(f"validation_{name}") for name in ("images", "labels"))
    held = Batches(validation[:first], labels[:first], chain=chain, device=device, keep=False)
    if parts is None:
        return Prepared(model, train_split, held=held)
    computing_features()
    began, cpu = time.perf_counter(), measure.cpu_seconds()
    features = backbone.features(parts[0], train_split, amp)
    measure.synchronize(device)
    seconds, cpu = time.perf_counter() - began, measure.cpu_seconds() - cpu
    held_features = backbone.features(parts[0], held, in_float32(device)) if held.n else held
    if features is None or held_features is None:
        context.note("the frozen backbone's outputs do not fit in memory: they are computed anew in each epoch")
        return Prepared(model, train_split, held=held)
    context.note("the head alone was trained: the frozen backbone's outputs were computed once, in evaluation mode")
    return Prepared(parts[1], features, held=held_features, seconds=seconds, cpu_seconds=cpu)


def _may_cut(context: TrialContext, model: nn.Module, amp: torch.autocast) -> bool:
    """Whether the outputs of a frozen backbone may stand in for the images; said where they may not."""
    images, _ = next(_batches(context, context.array("train_images")[:SAMPLE]).in_order())
    if backbone.is_head_of_backbone(model, images, amp):
        return True
    context.note(
        "the whole model was trained, with its frozen backbone in evaluation mode: its forward(x) is not "
        "head(backbone(x)), so the backbone's outputs cannot be computed once"
    )
    return False


def _checkpoints(context: TrialContext, stack: contextlib.ExitStack) -> Checkpoints:
    """Checkpoints in the trial's folder, continued from the one that is there; SIGTERM asks for one, in `stack`."""
    asked = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.set())
    stack.callback(signal.signal, signal.SIGTERM, before)
    folder, conditions = context.folder, context.job.bits_depend_on

    def write(state: State, arrays: Arrays) -> None:
        folder.checkpoint.write({**state, "conditions": conditions}, arrays)

    found = None
    state = folder.checkpoint.state()
    if state is not None and state.get("conditions") != conditions:
        print("the checkpoint was made under other conditions; the training starts again")
        folder.checkpoint.remove()
    elif state is not None:
        try:
            arrays = stack.enter_context(folder.checkpoint.arrays())
            folder.write_history(state["rows"])
        except (StoreError, KeyError) as problem:
            raise Unusable(str(problem)) from problem
        found = state, arrays
        print(f"continuing after step {state.get('step')}")
    if found is None:
        folder.write_history([])
    return Checkpoints(write, every=context.job.checkpoint_every, asked=asked.is_set, found=found)


# ---- The weights


def weights_of(model: nn.Module) -> bytes:
    """The module's state dict in safetensors' format; `TrialError` where it holds what is no tensor."""
    from safetensors.torch import save

    state = stored_state(model)
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise TrialError(f"its state_dict holds a {type(value).__name__}, {name}; keep it in a buffer, as a tensor")
    return save(untied({name: value.cpu().contiguous() for name, value in state.items()}))


def untied(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict whose tensors share no memory, as safetensors wants it: tied weights are stored once each."""
    seen: set[int] = set()
    out = {}
    for name, value in state.items():
        memory = value.untyped_storage().data_ptr()
        out[name] = value.clone() if memory in seen else value
        seen.add(memory)
    return out
