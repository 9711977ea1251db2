"""A mean of the weights that a training goes through (Polyak and Juditsky 1992; SWA: Izmailov et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from mnistarena.spec import schema


class Average:
    """The mean of a model's parameters, and of its buffers that are floating-point, such as batch statistics.

    "ema" takes in the weights after each step, "swa" those at the end of each epoch after the share `start` of the
    training; the first ones are taken as they are. Nothing is averaged yet while `taken` is 0.
    """

    def __init__(self, recipe: schema.Average, model: nn.Module, total: int) -> None:
        self.recipe, self.model, self.total, self.taken = recipe, model, total, 0
        self.mean = {name: value.clone() for name, value in self.current().items()}
        ema = recipe.name == "ema"
        self.function = get_ema_multi_avg_fn(recipe.decay) if ema else get_swa_multi_avg_fn()  # type: ignore[no-untyped-call]

    def current(self) -> dict[str, torch.Tensor]:
        """The model's tensors as they are now."""
        named = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        return {name: value.detach() for name, value in named.items() if value.is_floating_point()}

    def after_step(self) -> None:
        """Take in the weights of a step."""
        if self.recipe.name == "ema":
            self._take()

    def after_epoch(self, step: int) -> None:
        """Take in the weights at the end of an epoch, or of the training."""
        if self.recipe.name == "swa" and step >= min(self.recipe.start * self.total, self.total):
            self._take()

    def _take(self) -> None:
        current = self.current()
        if self.taken == 0:
            self.load({"taken": 0, "mean": current})
        else:
            self.function(list(self.mean.values()), [current[name] for name in self.mean], self.taken)
        self.taken += 1

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the mean as its weights in the block."""
        own = {name: value.clone() for name, value in self.current().items()}
        self.put()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self.current().items():
                    value.copy_(own[name])

    def put(self) -> None:
        """Put the mean into the model, if there is one yet."""
        with torch.no_grad():
            for name, value in self.current().items() if self.taken else ():
                value.copy_(self.mean[name])

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"taken": self.taken, "mean": self.mean}

    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint."""
        mean = state["mean"]
        assert isinstance(mean, dict)
        with torch.no_grad():
            for name, value in self.mean.items():
                value.copy_(mean[name])
        self.taken = int(str(state["taken"]))
