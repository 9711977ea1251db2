"""The optimizers that come with mnistarena, beside those of torch.optim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mnistarena.plugin.components import Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.training import OptimizerDef

if TYPE_CHECKING:
    import torch


class SamParams(Params):
    """Parameters of SAM over SGD."""

    lr: float = Field(0.1, gt=0, description="the learning rate")
    rho: float = Field(0.05, gt=0, description="how far away the loss is looked at, in the norm of all parameters")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's momentum")
    weight_decay: float = Field(0.0, ge=0, description="SGD's weight decay")
    nesterov: bool = Field(False, description="whether the momentum is Nesterov's")


def sam(params: SamParams, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """SGD on the gradient at the worst point nearby."""
    from mnistarena.engine.sam import SAM

    arguments = params.model_dump()
    return SAM(groups, **arguments)


@hookimpl
def arena_optimizers() -> Iterable[OptimizerDef]:
    """The built-in optimizers."""
    return [
        OptimizerDef(
            "sam",
            "sharpness-aware minimization over SGD: two gradients a step (Foret et al. 2021)",
            params=SamParams,
            build=sam,
            closure=True,
        )
    ]
