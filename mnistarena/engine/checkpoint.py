"""A training's whole state, as tensors and JSON, so that it continues where it stopped with the same bits.

No pickle: what is neither a tensor nor a number cannot be kept, and a model that has such state starts
again from its beginning instead, which gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import TypedDict

from mnistarena.engine import random_state
from mnistarena.engine.batches import Batches
from mnistarena.errors import StoreError
from mnistarena.plugin.messages import HistoryRow

Arrays = Mapping[str, NDArray[Any]]
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


class Unusable(Exception):
    """A checkpoint that does not fit the training it was found with."""


class Best(TypedDict):
    """The epoch that scored best on the validation split: accuracy, then minus the loss; and its row."""

    score: list[float]
    row: HistoryRow


@dataclass
class Progress:
    """How far a training is. `batch` counts what is done of `epoch` (from 1); times are in seconds.

    `loss_sum` over the `counted` images since the last row of the history `rows`; `best` is the
    selected epoch's score and row.
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

    def save(
        self, progress: Progress, model: nn.Module, best: Mapping[str, Any] | None, optimizer: Any, batches: Batches
    ) -> None:
        """Write one. Where it cannot be written, the log says so, and the training continues."""
        if self.write is None:
            return
        began = time.perf_counter()
        try:
            self.write(*capture(progress, model, best, optimizer, batches))
        except Unusable as problem:
            print(f"no checkpoints: {problem}; interrupted, this trial starts again from its beginning")
            self.write = None
        except StoreError as problem:
            print(f"no checkpoint this time: {problem}")
        self.last = time.perf_counter()
        self.cost = self.last - began

    def resume(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches
    ) -> tuple[Progress, dict[str, torch.Tensor] | None]:
        """Put everything back; returns the progress and the best state, fresh ones where there is no checkpoint."""
        # Weights, and as a rule two moments of each.
        self.cost = 3 * sum(value.nbytes for value in model.parameters()) / GUESS
        self.last = time.perf_counter()
        if self.found is None:
            return Progress(), None
        try:
            return restore(*self.found, model, optimizer, batches)
        except (KeyError, TypeError, ValueError, RuntimeError) as problem:
            raise Unusable(f"{type(problem).__name__}: {problem}") from problem


def capture(
    progress: Progress,
    model: nn.Module,
    best: Mapping[str, Any] | None,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
) -> tuple[State, dict[str, NDArray[Any]]]:
    """Everything that the rest of a training depends on; raises `Unusable` where some of it cannot be kept."""
    tensors = {f"model/{name}": value for name, value in _all_of(model).items()}
    tensors |= {f"best/{name}": value for name, value in (best or {}).items()}
    scalars: dict[str, Any] = {}
    strides: dict[str, list[int]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            key = f"optimizer/{index}/{name}"
            if isinstance(value, torch.Tensor):
                tensors[key] = value
                strides[key] = list(value.stride())
            elif value is None or isinstance(value, (bool, int, float)):
                scalars[key] = value
            else:
                raise Unusable(f"the optimizer keeps a {type(value).__name__}")
    drawn, generators = random_state.capture_streams(batches.device)
    tensors |= {f"streams/{name}": value for name, value in generators.items()}
    tensors["streams/augment"] = batches.generator.get_state()
    dtypes, arrays = {}, {}
    for key, value in tensors.items():
        if not isinstance(value, torch.Tensor):
            raise Unusable(f"the model keeps a {type(value).__name__} in {key.partition('/')[2]}")
        dtypes[key] = str(value.dtype).removeprefix("torch.")
        arrays[key] = _to_array(value)
    state = {**asdict(progress), "scalars": scalars, "strides": strides, "dtypes": dtypes, "streams": drawn}
    return state, arrays


def restore(
    state: State, arrays: Arrays, model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches
) -> tuple[Progress, dict[str, torch.Tensor] | None]:
    """Put model, optimizer and random streams back; the progress, and the best state where there is one."""

    def tensor(key: str) -> torch.Tensor:
        return _to_tensor(arrays[key], state["dtypes"][key])

    names: dict[str, list[str]] = {"model": [], "best": [], "streams": [], "optimizer": []}
    for key in state["dtypes"]:
        names[key.partition("/")[0]].append(key.partition("/")[2])
    here = _all_of(model)
    if set(here) != set(names["model"]):
        raise ValueError(f"it is of a model with other tensors: {sorted(set(here) ^ set(names['model']))[:3]}")
    with torch.no_grad():
        for name, value in here.items():
            value.copy_(tensor(f"model/{name}"))
    values: dict[int, dict[str, Any]] = {}
    for key in [*(f"optimizer/{name}" for name in names["optimizer"]), *state["scalars"]]:
        _, index, name = key.split("/", 2)
        kept = state["scalars"][key] if key in state["scalars"] else tensor(key).to(batches.device)
        if key in state["strides"]:
            # A fused optimizer reads memory in order, so its state needs the strides it had.
            kept = torch.empty_strided(kept.shape, state["strides"][key], dtype=kept.dtype, device=kept.device).copy_(
                kept
            )
        values.setdefault(int(index), {})[name] = kept
    optimizer.load_state_dict({"state": values, "param_groups": optimizer.state_dict()["param_groups"]})
    best = {name: tensor(f"best/{name}").to(batches.device) for name in names["best"]} or None
    generators = {name: tensor(f"streams/{name}") for name in names["streams"]}
    batches.generator.set_state(generators.pop("augment"))
    random_state.restore_streams(state["streams"], generators, batches.device)
    return Progress(**{name: state[name] for name in Progress.__dataclass_fields__}), best


def _all_of(model: nn.Module) -> dict[str, Any]:
    """Parameters, buffers and extra state; also the buffers that a model leaves out of its state_dict."""
    return {**dict(model.named_buffers()), **model.state_dict()}


def _to_array(value: torch.Tensor) -> NDArray[Any]:
    value = value.detach().cpu()
    # NumPy has no bfloat16 and no 8-bit floats: their bits travel as integers.
    if value.dtype.is_floating_point and value.dtype not in (torch.float16, torch.float32, torch.float64):
        value = value.view({1: torch.uint8, 2: torch.int16}[value.element_size()])
    return value.numpy()


def _to_tensor(array: NDArray[Any], dtype: str) -> torch.Tensor:
    value = torch.from_numpy(np.asarray(array))
    wanted = getattr(torch, dtype)
    return value if value.dtype == wanted else value.view(wanted)
