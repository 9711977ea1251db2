"""The network and the loop of PyTorch's MNIST example (pytorch/examples, mnist/main.py), the network as a plugin too.

`python -m benchmarks.example_loop SEED EPOCHS` runs the loop and prints the test accuracy.
"""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, hookimpl


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = self.dropout1(functional.max_pool2d(x, 2)).flatten(1)
        x = self.dropout2(functional.relu(self.fc1(x)))
        return functional.log_softmax(self.fc2(x), dim=1)


@hookimpl
def arena_models() -> list[ModelDef]:
    def build(params: Params, task: object) -> nn.Module:
        return Network()

    summary = "the network of PyTorch's MNIST example"
    return [ModelDef("example", summary, params=Params, build=build, output="log_probabilities")]


def main(seed: int, epochs: int) -> None:
    from pathlib import Path

    from torch.optim.lr_scheduler import StepLR
    from torch.utils.data import DataLoader

    from benchmarks.contenders import Pictures
    from mnistarena import DataContext
    from mnistarena.plugin.registry import installed

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    definition = installed().get("dataset", "mnist").definition
    data = definition.load(definition.params(), DataContext(Path(), download=False))
    training = DataLoader(Pictures(data.train_images, data.train_labels), batch_size=64, shuffle=True)
    model = Network()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    for _ in range(epochs):
        model.train()
        for images, labels in training:
            optimizer.zero_grad()
            functional.nll_loss(model(images), labels).backward()
            optimizer.step()
        scheduler.step()
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in DataLoader(Pictures(data.test_images, data.test_labels), batch_size=1000):
            right += int((model(images).argmax(1) == labels).sum())
    print(right / len(data.test_labels))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
