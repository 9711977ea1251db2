"""The optional methods by which a model takes part in the engine's training of it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch import nn

from mnistarena.engine.batches import Batches
from mnistarena.engine.measure import cpu_seconds, synchronize
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.seeds import derive
from mnistarena.plugin.components import Task

METHODS = ("on_start", "after_step", "on_end")


@dataclass
class StepContext:
    """`mnistarena.TrainingContext`, for a training by the engine."""

    batches: Batches
    seed: int
    _: KW_ONLY
    total: int
    note: Callable[[str], None] = lambda sentence: None
    step: int = 0
    epoch: int = 0

    @property
    def task(self) -> Task:
        """The task after all transforms."""
        return self.batches.chain.task

    @property
    def device(self) -> torch.device:
        """Where the model and every batch are."""
        return self.batches.device

    def in_order(self, *, batch_size: int | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Every training image once, as it lies, without random transforms."""
        return self.batches.labelled(batch_size)


class OwnMethods:
    """The methods of a model, each called where it has one; `seconds`, and `cpu_seconds`, is how long they took."""

    def __init__(self, model: nn.Module, context: StepContext) -> None:
        self.context = context
        self.seconds = self.cpu_seconds = 0.0
        self._methods: dict[str, Callable[[StepContext], Any]] = {
            name: getattr(model, name) for name in METHODS if callable(getattr(model, name, None))
        }

    @property
    def starts(self) -> bool:
        """Whether there is an `on_start`."""
        return "on_start" in self._methods

    def start(self) -> None:
        """`on_start`, before the first step of a training."""
        if self.starts:
            seed_everything(derive(self.context.seed, "start"))
            self._timed("on_start")

    def after_step(self, step: int) -> None:
        """`after_step`, when so many steps are done."""
        self.context.step = step
        if (method := self._methods.get("after_step")) is not None:
            with torch.no_grad():
                method(self.context)

    def end(self) -> bool:
        """`on_end`, after the last step; whether there is one."""
        return self._timed("on_end")

    def _timed(self, name: str) -> bool:
        if (method := self._methods.get(name)) is None:
            return False
        began, cpu = time.perf_counter(), cpu_seconds()
        with torch.no_grad():
            method(self.context)
        synchronize(self.context.device)
        self.seconds = time.perf_counter() - began
        self.cpu_seconds = cpu_seconds() - cpu
        return True


def takes_part(model: nn.Module) -> bool:
    """Whether a model has one of the methods, or a loss of its own: what is trained must be the whole of it then."""
    return any(hasattr(model, name) for name in (*METHODS, "training_loss"))


def loss_takes_context(model: nn.Module) -> bool:
    """Whether `training_loss` has a third parameter, for the context."""
    loss = getattr(model, "training_loss", None)
    if loss is None:
        return False
    try:
        parameters = inspect.signature(loss).parameters.values()
    except (TypeError, ValueError):
        return False
    return len([p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) >= 3
