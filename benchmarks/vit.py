"""A training step of the original notebook's ViT: batched tensor code against loops over images, patches and heads."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.contenders import mnist
from benchmarks.places import places
from benchmarks.rows import Row, at_least, take_turns

BATCH = 128


class LoopedAttention(nn.Module):
    """Queries, keys and values of one sequence and one head at a time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.size = width // heads
        self.maps = nn.ModuleList(
            nn.ModuleList(nn.Linear(self.size, self.size) for _ in range(3)) for _ in range(heads)
        )

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        answers = []
        for sequence in sequences:
            parts = []
            for head, maps in enumerate(self.maps):
                own = sequence[:, head * self.size : (head + 1) * self.size]
                query, key, value = (linear(own) for linear in maps)
                parts.append((query @ key.T / self.size**0.5).softmax(-1) @ value)
            answers.append(torch.hstack(parts))
        return torch.stack(answers)


class LoopedBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = LoopedAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.first(x))
        return x + self.mlp(self.second(x))


class LoopedVit(nn.Module):
    """The original notebook's way: every patch copied by a Python loop, every image attended to by itself."""

    def __init__(self, patches: int = 7, width: int = 8, heads: int = 2, blocks: int = 2) -> None:
        super().__init__()
        self.patches = patches
        self.embed = nn.Linear((28 // patches) ** 2, width)
        self.token = nn.Parameter(torch.rand(1, width))
        self.register_buffer("positions", torch.randn(patches**2 + 1, width))
        self.blocks = nn.ModuleList(LoopedBlock(width, heads) for _ in range(blocks))
        self.head = nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        side = images.shape[-1] // self.patches
        cut = torch.zeros(len(images), self.patches**2, side * side)
        for index, image in enumerate(images):
            for i in range(self.patches):
                for j in range(self.patches):
                    patch = image[:, i * side : (i + 1) * side, j * side : (j + 1) * side]
                    cut[index, i * self.patches + j] = patch.flatten()
        tokens = torch.cat((self.token.expand(len(images), 1, -1), self.embed(cut)), dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])


def looped() -> float:
    """Seconds a step, two steps after one that warms up."""
    images, labels, _ = mnist(BATCH * 3)
    model = LoopedVit()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    began = 0.0
    for step in range(3):
        if step == 1:
            began = time.perf_counter()
        rows = slice(step * BATCH, (step + 1) * BATCH)
        loss = functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return (time.perf_counter() - began) / 2


def batched() -> float:
    """Seconds a step of the plugin `vit` in this engine."""
    from mnistarena.engine.batches import Batches
    from mnistarena.engine.chain import Chain
    from mnistarena.engine.training import train
    from mnistarena.plugin.registry import installed
    from mnistarena.spec.schema import Training

    steps = 40
    images, labels, task = mnist(BATCH * steps)
    definition: Any = installed().get("model", "vit").definition
    chain = Chain([], task)
    batches = Batches(images, labels, chain=chain, device=torch.device("cpu"), keep=True)
    recipe = Training.model_validate({"epochs": 1, "batch_size": BATCH})
    model = definition.build(definition.params(), task)
    found = train(model, batches, recipe, seed=0)
    return float(found["train_seconds"]) / steps


def run(rounds: int) -> list[Row]:
    """Both with all cores, in turns."""
    with places(2, torch.get_num_threads()) as (one, other):
        one.call(batched), other.call(looped)
        turns = take_turns({"vit": lambda: one.call(batched) * 1e3, "looped": lambda: other.call(looped) * 1e3}, rounds)
    return [
        at_least(
            "`vit` (the original notebook's size) against the original notebook's per-image loops",
            turns.ratios("looped", "vit"),
            13,
            f"a step of {BATCH}: {turns.told(('vit', 'looped'), 'ms', 1)}",
        )
    ]
