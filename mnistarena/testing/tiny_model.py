"""A plugin that is a single file: the network that the checks of an executor train."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from mnistarena.plugin.components import ModelDef, Params, Task
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.settings import Settings

if TYPE_CHECKING:
    from torch import nn


class TinyParams(Params):
    """Parameters of the network."""

    nap: float = Field(0.0, ge=0, description="seconds that each training step sleeps; no figure depends on it")

    def identity(self) -> Settings:
        """The network that sleeps is the same network."""
        return {}


def build(params: TinyParams, task: Task) -> nn.Module:
    """Two layers, with dropout between them: a training that continues has to draw what it would have drawn."""
    from torch import nn

    class Tiny(nn.Sequential):
        def __call__(self, images: Any) -> Any:
            if self.training:
                time.sleep(params.nap)
            return super().__call__(images)

    channels, height, width = task.image_shape
    layers = nn.Flatten(), nn.Linear(channels * height * width, 16), nn.Dropout(0.5), nn.Linear(16, task.n_classes)
    return Tiny(*layers)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """The network."""
    return [ModelDef("executor-check", "what arena check trains through an executor", params=TinyParams, build=build)]
