"""The networks of the comparisons: as a tutorial writes them, as our plugins have them, and what they see of MNIST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision import transforms

from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain
from mnistarena.engine.layout import place
from mnistarena.plugin.registry import installed
from mnistarena.spec.schema import Training


class NotebookCnn(nn.Module):
    """The original notebook's CNN as it writes it: ReLU, then pooling."""

    def __init__(self, pool_first: bool = False) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.pool, self.pool_first = nn.MaxPool2d(2, 2), pool_first
        self.fc1, self.fc2, self.fc3 = nn.Linear(1568, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for convolution in (self.conv1, self.conv2):
            x = convolution(x)
            x = torch.relu(self.pool(x)) if self.pool_first else self.pool(torch.relu(x))
        x = x.flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


@dataclass(frozen=True)
class Network:
    """One network twice: `written` makes it for other loops, the plugin `model` for ours.

    `pictures` are torchvision's transforms of a PIL image, `chain` our own, each with its parameters; both are followed
    by the normalisation. `rate` is Adam's.
    """

    written: Callable[[], nn.Module]
    model: str
    _: KW_ONLY
    params: dict[str, Any] = field(default_factory=dict)
    pictures: tuple[Any, ...] = ()
    chain: tuple[tuple[str, dict[str, Any]], ...] = ()
    rate: float = 0.001

    def made(self, images: Any, labels: Any, task: Any, device: torch.device) -> tuple[nn.Module, Batches]:
        """The plugin's network and its batches, on a device, as a trial has them."""
        registry = installed()
        steps = [
            (registry.get("transform", name).definition, given) for name, given in (*self.chain, ("normalize", {}))
        ]
        chain = Chain([(one, one.params(**given)) for one, given in steps], task)
        definition = registry.get("model", self.model).definition
        model = definition.build(definition.params(**self.params), chain.task)
        place(model, chain, device)
        return model, Batches(images, labels, chain=chain, device=device, keep=True)

    def recipe(self, precision: str, graph: bool = True) -> Training:
        """An epoch in batches of 64. Without `graph`, steps on a GPU are not recorded, as a spec may ask for too."""
        optimizer = {"name": "adam", "lr": self.rate, **({} if graph else {"capturable": False})}
        return Training.model_validate({"epochs": 1, "batch_size": 64, "precision": precision, "optimizer": optimizer})


NETWORKS = {
    "cnn": Network(NotebookCnn, "cnn"),
    "vgg16": Network(
        partial(torchvision.models.vgg16, num_classes=10),
        "vgg16",
        params={"weights": ["none"]},
        pictures=(transforms.Resize(32), transforms.Grayscale(3)),
        chain=(("resize", {"size": 32}), ("to-rgb", {})),
        rate=0.0001,
    ),
}
