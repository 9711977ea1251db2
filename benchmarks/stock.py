"""The stock loop as a whole command: `python -m benchmarks.stock --seed 0 --images 20000`."""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=20_000)
    given = parser.parse_args()

    from pathlib import Path

    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from benchmarks.contenders import Pictures, mnist
    from benchmarks.networks import NotebookCnn
    from mnistarena import DataContext
    from mnistarena.plugin.registry import installed

    torch.manual_seed(given.seed)
    images, labels, _ = mnist(given.images)
    definition = installed().get("dataset", "mnist").definition
    loaded = definition.load(definition.params(), DataContext(Path(), download=False))
    model = NotebookCnn()
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss()
    model.train()
    for batch, wanted in DataLoader(Pictures(images, labels), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(batch), wanted)
        loss.backward()
        optimizer.step()
        loss.item()
    model.eval()
    right = 0
    with torch.no_grad():
        for batch, wanted in DataLoader(Pictures(loaded.test_images, loaded.test_labels), batch_size=64):
            right += int((model(batch).argmax(1) == wanted).sum())
    print(f"accuracy {right / len(loaded.test_labels):.4f}")


if __name__ == "__main__":
    main()
