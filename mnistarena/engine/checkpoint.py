"""A training's whole state, as tensors and JSON, so that it continues where it stopped with the same bits.

No pickle: what is neither a tensor nor a number cannot be kept, and a model that has such state starts
again from its beginning instead, which gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import TypedDict

from mnistarena.engine import random_state
from mnistarena.engine.average import Average
from mnistarena.engine.batches import Batches
from mnistarena.engine.model_state import StateDict, all_of, make_room, put_back
from mnistarena.engine.optimizer import Optimizers
from mnistarena.engine.packing import Arrays, Unusable, pack, to_array, to_tensor, unpack
from mnistarena.engine.parts import Schedule
from mnistarena.errors import StoreError
from mnistarena.plugin.messages import HistoryRow

State = Mapping[str, Any]
"""A checkpoint's JSON part: `Progress`, and how to read the arrays and random streams."""

SHARE = 20
"""Writing checkpoints takes at most one part in this many of a training's time."""

GUESS = 200e6
"""Bytes a second that a disk is taken to write, until the first checkpoint has been timed."""


class Interrupted(Exception):
    """Raised by a training that was asked to stop, after its checkpoint; `step` of `total` are done."""

    def __init__(self, step: int, total: int) -> None:
        super().__init__(f"stopped after step {step} of {total}")
        self.step, self.total = step, total


class Best(TypedDict):
    """The epoch that scored best on the validation split: its score, greater if better; and its row."""

    score: list[float]
    row: HistoryRow


@dataclass
class Progress:
    """How far a training is. `batch` counts the steps that are done of `epoch` (from 1); times are in seconds.

    `loss_sum` over the `counted` images since the last row of the history `rows`; `best` is the best epoch's score and
    row, `waited` the validated epochs since then; `stopped`: the training has ended early.
    """

    step: int = 0
    epoch: int = 0
    _: KW_ONLY
    batch: int = 0
    loss_sum: float = 0.0
    counted: int = 0
    images_seen: int = 0
    train_seconds: float = 0.0
    train_cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    rows: list[HistoryRow] = field(default_factory=list)
    best: Best | None = None
    waited: int = 0
    stopped: bool = False


@dataclass
class Changing:
    """Everything that a training changes: what a checkpoint keeps beside `Progress` and the random streams.

    `best` is the state dict of the selected epoch, where there is one yet.
    """

    model: nn.Module
    optimizer: Optimizers
    _: KW_ONLY
    schedule: Schedule
    average: Average | None
    batches: Batches
    best: dict[str, torch.Tensor] | None = None


class Checkpoints:
    """When a training's state is written, and how it is put back.

    `write(state, arrays)` stores one; `every` is the least number of seconds between two within an epoch;
    `asked()` says whether the training is to stop; `found` is the checkpoint to continue from.
    """

    def __init__(
        self,
        write: Callable[[State, Arrays], None] | None = None,
        *,
        every: float = 30.0,
        asked: Callable[[], bool] = lambda: False,
        found: tuple[State, Arrays] | None = None,
    ) -> None:
        self.write, self.every, self.asked, self.found = write, every, asked, found
        self.last, self.cost = time.perf_counter(), 0.0

    def due(self, *, end_of_epoch: bool) -> bool:
        """Whether to write one now: at each end of an epoch, and in between after `every` seconds."""
        if self.asked():
            return True
        since = time.perf_counter() - self.last
        return self.write is not None and since >= max(0.0 if end_of_epoch else self.every, self.cost * SHARE)

    def save(self, progress: Progress, changing: Changing) -> None:
        """Write one. Where it cannot be written, the log says so, and the training continues."""
        self.store(lambda: capture(progress, changing))

    def store(self, captured: Callable[[], tuple[State, Arrays]]) -> None:
        """Write what `captured` gives. Where it cannot be written, the log says so, and the training continues."""
        if self.write is None:
            return
        began = time.perf_counter()
        try:
            self.write(*captured())
        except Unusable as problem:
            print(f"no checkpoints: {problem}; interrupted, this trial starts again from its beginning")
            self.write = None
        except StoreError as problem:
            print(f"no checkpoint this time: {problem}")
        self.last = time.perf_counter()
        self.cost = self.last - began

    def make_room(self, model: nn.Module) -> bool:
        """Give the model's buffers the shapes of the checkpoint's; False where there is none to continue from."""
        if self.found is None:
            return False
        state, arrays = self.found
        try:
            make_room(model, unpack(state["kept"]["model"], lambda key: to_tensor(arrays[key], state["dtypes"][key])))
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            raise Unusable(f"{type(problem).__name__}: {problem}") from problem
        return True

    def resume(self, changing: Changing) -> Progress:
        """Put everything back; returns the progress, which is fresh where there is no checkpoint."""
        # Weights, and as a rule two moments of each.
        self.cost = 3 * sum(value.nbytes for value in changing.model.parameters()) / GUESS
        self.last = time.perf_counter()
        if self.found is None:
            return Progress()
        try:
            return restore(*self.found, changing)
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            raise Unusable(f"{type(problem).__name__}: {problem}") from problem


def capture(progress: Progress, changing: Changing) -> tuple[State, dict[str, NDArray[Any]]]:
    """Everything that the rest of a training depends on; raises `Unusable` where some of it cannot be kept."""
    members, average = changing.optimizer.members, changing.average
    drawn, generators = random_state.capture_streams(changing.batches.device)
    tensors: dict[str, torch.Tensor] = {}
    kept = {
        "model": pack(all_of(changing.model), "model", tensors, "the model"),
        "best": pack(changing.best, "best", tensors, "the model"),
        "optimizer": pack([_state_of(one) for one in members], "optimizer", tensors, "the optimizer"),
        "schedule": pack(changing.schedule.state(), "schedule", tensors, "the schedule"),
        "average": pack(average.state() if average else None, "average", tensors, "the average"),
        "generators": pack(
            {**generators, "augment": changing.batches.generator.get_state()}, "streams", tensors, "the random streams"
        ),
    }
    dtypes = {key: str(value.dtype).removeprefix("torch.") for key, value in tensors.items()}
    strides = {key: list(value.stride()) for key, value in tensors.items() if key.startswith("optimizer/")}
    state = {**asdict(progress), "kept": kept, "strides": strides, "dtypes": dtypes, "streams": drawn}
    return state, {key: to_array(value) for key, value in tensors.items()}


def restore(state: State, arrays: Arrays, changing: Changing) -> Progress:
    """Put model, optimizers, schedule, average, best state and random streams back; the progress."""
    device = changing.batches.device

    def tensor(key: str) -> torch.Tensor:
        value = to_tensor(arrays[key], state["dtypes"][key])
        if key not in state["strides"]:
            return value
        # A fused optimizer reads memory in order, so its state needs the strides it had.
        return torch.empty_strided(value.shape, state["strides"][key], dtype=value.dtype).copy_(value)

    kept = {name: unpack(value, tensor) for name, value in state["kept"].items()}
    put_back(changing.model, kept["model"])
    for member, saved in zip(changing.optimizer.members, kept["optimizer"], strict=True):
        _load_state(member, saved, device)
    changing.schedule.load(kept["schedule"])
    if changing.average is not None:
        changing.average.load(kept["average"])
    best = kept["best"]
    changing.best = None if best is None else {name: value.to(device) for name, value in best.items()}
    generators = kept["generators"]
    changing.batches.generator.set_state(generators.pop("augment"))
    random_state.restore_streams(state["streams"], generators, device)
    return Progress(**{name: state[name] for name in Progress.__dataclass_fields__})


def _state_of(optimizer: torch.optim.Optimizer) -> StateDict:
    """An optimizer's state by the number of the parameter, and what its groups hold beside parameters and rates."""
    found = optimizer.state_dict()
    groups = [{k: v for k, v in group.items() if k not in ("params", "lr")} for group in found["param_groups"]]
    return {"state": found["state"], "groups": groups}


def _load_state(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], device: torch.device) -> None:
    """Put an optimizer's state back; its learning rates are set before each step anyway."""
    own = optimizer.state_dict()["param_groups"]
    groups = [{**group, **values} for group, values in zip(own, saved["groups"], strict=True)]
    optimizer.load_state_dict({"state": _on(saved["state"], device), "param_groups": groups})


def _on(value: Any, device: torch.device) -> Any:
    """The same with every tensor on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _on(one, device) for key, one in value.items()}
    return [_on(one, device) for one in value] if isinstance(value, list) else value
