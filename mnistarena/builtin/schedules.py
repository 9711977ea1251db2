"""The schedules that come with mnistarena: the learning rate as a factor of the optimizer's, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

from pydantic import Field

from mnistarena.plugin.components import Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.training import Length, ScheduleDef, steps_of

Factor = Callable[[int], float]


class NoParams(Params):
    """No parameters."""


class CosineParams(Params):
    """Parameters of the cosine."""

    final: float = Field(0.0, ge=0, le=1, description="the factor at the last step")


class OneCycleParams(Params):
    """Parameters of the cycle."""

    final: float = Field(0.0, ge=0, le=1, description="the factor at the last step")
    peak: float = Field(0.3, gt=0, lt=1, description="where the peak is, as a share of the training")
    initial: float = Field(0.04, gt=0, le=1, description="the factor at the first step")


class StepParams(Params):
    """Parameters of the stairs."""

    every: Length = Field(1000, description='between two drops: steps, or a text such as "1 epoch"')
    gamma: float = Field(0.1, gt=0, le=1, description="the factor of each drop")


class ExponentialParams(Params):
    """Parameters of the decay."""

    every: Length = Field("1 epoch", description='how long one decay takes: steps, or a text such as "1 epoch"')
    gamma: float = Field(0.95, gt=0, le=1, description="the factor of each decay")


class LinearParams(Params):
    """Parameters of the line."""

    initial: float = Field(1.0, gt=0, le=1, description="the factor at the first step")
    final: float = Field(0.0, ge=0, le=1, description="the factor at the last step")


class RestartParams(Params):
    """Parameters of the restarts."""

    every: Length = Field("1 epoch", description='the first cycle: steps, or a text such as "10 epochs"')
    growth: int = Field(1, ge=1, description="each cycle is so many times as long as the one before")
    final: float = Field(0.0, ge=0, le=1, description="the factor at the end of a cycle")


class PlateauParams(Params):
    """Parameters of the plateau."""

    patience: int = Field(3, ge=0, description="epochs without improvement that are waited for before a drop")
    gamma: float = Field(0.1, gt=0, lt=1, description="the factor of each drop")
    least: float = Field(0.0, ge=0, lt=1, description="the smallest factor")
    threshold: float = Field(1e-4, ge=0, description="a loss must fall by that share, another figure rise by so much")
    by: Literal["loss", "monitor"] = Field("loss", description="the validation loss, or the figure that is monitored")


def constant(params: NoParams, total: int, per_epoch: int) -> Factor:
    """Always 1."""
    return lambda step: 1.0


def cosine(params: CosineParams, total: int, per_epoch: int) -> Factor:
    """Half a cosine from 1 to `final` (Loshchilov and Hutter 2017)."""

    def factor(step: int) -> float:
        return params.final + (1 - params.final) * (1 + math.cos(math.pi * min(step / max(1, total), 1.0))) / 2

    return factor


def one_cycle(params: OneCycleParams, total: int, per_epoch: int) -> Factor:
    """Linear from `initial` to 1 at the share `peak` of the training, then to `final` (Smith and Topin 2018)."""

    def factor(step: int) -> float:
        done, peak = step / max(1, total), params.peak
        if done < peak:
            return params.initial + (1 - params.initial) * done / peak
        return 1 + (params.final - 1) * (done - peak) / (1 - peak)

    return factor


def stairs(params: StepParams, total: int, per_epoch: int) -> Factor:
    """Times `gamma` after every `every` steps."""
    every = max(1, steps_of(params.every, per_epoch))
    return lambda step: float(params.gamma ** (step // every))


def exponential(params: ExponentialParams, total: int, per_epoch: int) -> Factor:
    """`gamma` to the power of the time that has passed, in units of `every`; it falls at each step."""
    every = max(1, steps_of(params.every, per_epoch))
    return lambda step: float(params.gamma ** (step / every))


def linear(params: LinearParams, total: int, per_epoch: int) -> Factor:
    """A line from `initial` at the first step to `final` after the last one."""
    return lambda step: params.initial + (params.final - params.initial) * min(step / max(1, total), 1.0)


def cosine_restarts(params: RestartParams, total: int, per_epoch: int) -> Factor:
    """A cosine from 1 to `final` again and again (SGDR, Loshchilov and Hutter 2017)."""
    first = max(1, steps_of(params.every, per_epoch))

    def factor(step: int) -> float:
        length = first
        while step >= length:
            step, length = step - length, length * params.growth
        return params.final + (1 - params.final) * (1 + math.cos(math.pi * step / length)) / 2

    return factor


class Plateau:
    """Times `gamma` when a figure has not improved for more than `patience` epochs, as torch's ReduceLROnPlateau."""

    def __init__(self, params: PlateauParams) -> None:
        self.params, self.factor, self.best, self.waited = params, 1.0, math.inf, 0

    def __call__(self, step: int) -> float:
        """The factor now."""
        return self.factor

    def after_epoch(self, loss: float, score: float) -> None:
        """Look at an epoch's validation loss and monitored figure (higher is better)."""
        by_loss = self.params.by == "loss"
        value = loss if by_loss else -score
        wanted = self.best * (1 - self.params.threshold) if by_loss else self.best - self.params.threshold
        if value < wanted:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        if self.waited > self.params.patience:
            self.factor, self.waited = max(self.factor * self.params.gamma, self.params.least), 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        best = None if math.isinf(self.best) else self.best
        return {"factor": self.factor, "best": best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        best = state["best"]
        self.factor, self.best, self.waited = state["factor"], math.inf if best is None else best, state["waited"]


def plateau(params: PlateauParams, total: int, per_epoch: int) -> Plateau:
    """A new plateau."""
    return Plateau(params)


@hookimpl
def arena_schedules() -> Iterable[ScheduleDef]:
    """The built-in schedules."""
    return [
        ScheduleDef("constant", "always the optimizer's own learning rate", params=NoParams, build=constant),
        ScheduleDef("cosine", "half a cosine down to the end", params=CosineParams, build=cosine),
        ScheduleDef(
            "one-cycle",
            "linear up to a peak, then linear down (Smith and Topin 2018)",
            params=OneCycleParams,
            build=one_cycle,
            counts_warmup=True,
        ),
        ScheduleDef(
            "step", "a drop every so many steps or epochs", params=StepParams, build=stairs, counts_warmup=True
        ),
        ScheduleDef("exponential", "a steady exponential decay", params=ExponentialParams, build=exponential),
        ScheduleDef("linear", "a line down to the end", params=LinearParams, build=linear),
        ScheduleDef(
            "cosine-restarts",
            "a cosine down, again and again (Loshchilov and Hutter 2017)",
            params=RestartParams,
            build=cosine_restarts,
        ),
        ScheduleDef(
            "plateau",
            "a drop when validation has not improved for some epochs",
            params=PlateauParams,
            build=plateau,
            needs_validation=True,
        ),
    ]
