"""Time to 99 % on MNIST: `sprint` of specs/speedrun.toml against the published record recipe, seed by seed.

The clock covers what the record's covers: building the model, the optimizer, the training, one pass over the test
images; loading data is left out. Both are judged by the mean test accuracy of ten seeds, which must reach 99.0 %.
"""

from __future__ import annotations

import statistics
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.contenders import gemm_rate
from benchmarks.places import places
from benchmarks.rows import Row, at_most, beside, take_turns

SPEC = Path(__file__).parent.parent / "specs" / "speedrun.toml"


class RecordNet(nn.Module):
    """train_mnist_fast's network (T. Oikarinen): two convolutions without padding, 24 and 32 maps, 256 units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 24, 5), nn.Conv2d(24, 32, 3)
        self.fc1, self.fc2 = nn.Linear(800, 256), nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))
        x = functional.relu(functional.max_pool2d(self.conv2(x), 2))
        return functional.log_softmax(self.fc2(functional.relu(self.fc1(torch.flatten(x, 1)))), dim=1)


@lru_cache(maxsize=1)
def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """All of MNIST, normalised, in memory before the clock starts."""
    from mnistarena import DataContext
    from mnistarena.plugin.registry import installed

    definition: Any = installed().get("dataset", "mnist").definition
    loaded = definition.load(definition.params(), DataContext(Path(), download=False))

    def normal(images: Any) -> torch.Tensor:
        return (torch.from_numpy(images.copy()).float() / 255 - 0.1307) / 0.3081

    return (
        normal(loaded.train_images),
        torch.from_numpy(loaded.train_labels),
        normal(loaded.test_images),
        torch.from_numpy(loaded.test_labels),
    )


def published(seed: int) -> tuple[float, float]:
    """The recipe as published: batches of 256 in the files' order, Adam (0.7, 0.9) at 0.01, OneCycleLR, one epoch."""
    x, y, test_x, test_y = tensors()
    torch.manual_seed(seed)
    began = time.perf_counter()
    model = RecordNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
    steps = (len(x) - 1) // 256 + 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps, cycle_momentum=False)
    model.train()
    for step in range(steps):
        rows = slice(step * 256, (step + 1) * 256)
        optimizer.zero_grad()
        functional.nll_loss(model(x[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        right = sum(
            int((model(a).argmax(1) == b).sum()) for a, b in zip(test_x.split(2000), test_y.split(2000), strict=True)
        )
    return time.perf_counter() - began, right / len(test_y)


@lru_cache(maxsize=1)
def sprint_recipe() -> tuple[Any, Any, Any, Any]:
    from mnistarena.engine.batches import Batches
    from mnistarena.engine.chain import Chain
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import resolve
    from mnistarena.spec.load import load_spec

    loaded = load_spec(SPEC)
    recipe = resolve(loaded, registry_for(loaded), only=("sprint",)).recipes[0]
    held: Any = recipe.data.first
    chain = Chain([(component.definition, params) for component, params in recipe.transforms], recipe.data.task)
    cpu = torch.device("cpu")
    train_split = Batches(
        held.dataset.train_images[held.split.train],
        held.dataset.train_labels[held.split.train],
        chain=chain,
        device=cpu,
        keep=True,
    )
    test = Batches(held.dataset.test_images, held.dataset.test_labels, chain=chain, device=cpu, keep=True)
    return recipe, chain, train_split, test


def sprint(seed: int) -> tuple[float, float]:
    """The spec's recipe in this engine, on its training images; the clock includes the engine's warm-up."""
    from mnistarena.engine import prediction, step, training
    from mnistarena.engine.layout import set_format
    from mnistarena.engine.random_state import seed_everything
    from mnistarena.engine.seeds import derive

    recipe, chain, train_split, test = sprint_recipe()
    began = time.perf_counter()
    seed_everything(derive(seed, "initialisation"))
    model = recipe.model.definition.build(recipe.params, chain.task)
    set_format(model, torch.channels_last)
    training.train(model, train_split, recipe.training, seed=seed)
    found = prediction.scores(model, test, 10, step.in_float32(train_split.device))
    return time.perf_counter() - began, found["validation_accuracy"]


def operations() -> float:
    """Floating-point operations of `sprint`: its steps and the pass over the test images, as torch counts."""
    from torch.utils.flop_counter import FlopCounterMode

    recipe, chain, train_split, test = sprint_recipe()
    model, image = recipe.model.definition.build(recipe.params, chain.task), torch.rand(2, *chain.task.image_shape)
    with FlopCounterMode(display=False) as trained:
        functional.cross_entropy(model.train()(image), torch.zeros(2, dtype=torch.long)).backward()
    with FlopCounterMode(display=False) as tested, torch.no_grad():
        model.eval()(image)
    training = recipe.training
    images = (training.steps or 0) * training.batch_size or training.epochs * train_split.n
    return float(images * trained.get_total_flops() + test.n * tested.get_total_flops()) / len(image)


def run(rounds: int) -> list[Row]:
    """Ten seeds at least, both contenders with all cores, in turns with the machine's matrix products."""
    seeds = max(10, rounds)
    accuracies: dict[str, list[float]] = {"sprint": [], "published": []}
    with places(2, torch.get_num_threads()) as (one, other):
        one.call(sprint, 99), other.call(published, 99)

        def turn(name: str, place: Any, contender: Any) -> float:
            took, accuracy = place.call(contender, len(accuracies[name]))
            accuracies[name].append(accuracy)
            return float(took)

        turns = take_turns(
            {
                "sprint": lambda: turn("sprint", one, sprint),
                "published": lambda: turn("published", other, published),
                "roof": lambda: operations() / gemm_rate(torch.get_num_threads()),
            },
            seeds,
        )
    means = {name: statistics.mean(values) for name, values in accuracies.items()}
    shares = {name: sum(value >= 0.99 for value in values) for name, values in accuracies.items()}
    row = at_most(
        f"wall time to 99 % against the published recipe (mean of {seeds} seeds ≥ 99.0 %)",
        turns.ratios("sprint", "published"),
        0.16,
        turns.told(("sprint", "published"), "s", 2)
        + "; mean test accuracy "
        + ", ".join(f"{name} {means[name]:.2%} ({shares[name]} of {seeds} seeds ≥ 99 %)" for name in means),
    )
    row.met = bool(row.met) and means["sprint"] >= 0.99
    limit = beside(
        "… against as many operations in float32 matrix products at the machine's rate",
        turns.ratios("sprint", "roof"),
        f"{operations() / 1e9:.1f} GFLOP; {turns.told(('roof',), 's', 2)}",
    )
    return [row, limit]
