"""Training throughput: this engine beside the stock PyTorch loop, the same network and mathematics.

    python benchmarks/throughput.py [--pairs 5] [--images 6400] [--threads 1]

The stock loop is what tutorials and the notebook do: a Dataset of PIL images, per-image transforms, a
DataLoader, Adam, `.item()` every batch. The two take turns, so that a drifting machine slows both; the
figure to quote is the median ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms

from mnistarena import DataContext, data
from mnistarena.batches import Batches, Chain
from mnistarena.registry import installed
from mnistarena.spec.schema import Training
from mnistarena.training import train
from mnistarena.trial import to_channels_last


class Pictures(torch.utils.data.Dataset):
    """MNIST as torchvision gives it: a PIL image and a label at a time."""

    def __init__(self, images, labels) -> None:
        self.images, self.labels = images, labels
        self.to_pil = transforms.ToPILImage()
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.transform(self.to_pil(torch.from_numpy(self.images[index]))), int(self.labels[index])


class NotebookCnn(nn.Module):
    """The notebook's CNN as the notebook writes it: ReLU, then pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(1568, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x))).flatten(1)
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def stock(images, labels) -> float:
    """Images a second of the stock loop over one epoch, warm-up excluded."""
    model, pictures = NotebookCnn().train(), Pictures(images, labels)
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss()

    def epoch(dataset) -> None:
        total = 0.0
        for batch, wanted in DataLoader(dataset, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(batch), wanted)
            loss.backward()
            optimizer.step()
            total += loss.item()

    epoch(Subset(pictures, range(64)))
    began = time.perf_counter()
    epoch(pictures)
    return len(labels) / (time.perf_counter() - began)


def engine(images, labels, registry, task) -> float:
    """Images a second of this engine over one epoch, as it reports them."""
    definition = registry.get("model", "cnn").definition
    normalize = registry.get("transform", "normalize").definition
    chain = Chain([(normalize, normalize.params())], task)
    model = definition.build(definition.params(), chain.task)
    to_channels_last(model)
    batches = Batches(images, labels, chain, torch.device("cpu"), keep=True)
    return train(model, batches, Training(epochs=1), 0, dict, lambda row: None, lambda *news: None)["images_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    registry = installed()
    mnist = registry.get("dataset", "mnist").definition
    loaded = mnist.load(mnist.params(), DataContext(Path(), download=False))
    parts = data.split(loaded, validation=0, split_seed=0, train_limit=given.images, test_limit=None)
    images, labels = loaded.train_images[parts.train], loaded.train_labels[parts.train]
    task = data.task(loaded, parts)
    ratios = []
    for pair in range(given.pairs):
        ours, theirs = engine(images, labels, registry, task), stock(images, labels)
        ratios.append(ours / theirs)
        print(
            f"pair {pair + 1}: mnistarena {ours:7,.0f} images/s, stock loop {theirs:7,.0f} images/s, {ratios[-1]:.2f}×"
        )
    print(f"median ratio {statistics.median(ratios):.2f}× ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
