"""A network's short training and its answers, as the checks of networks use them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from mnistarena.spec.schema import Optimizer, Training

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mnistarena.batches import Batches
    from mnistarena.testing.undertest import ModelUnderTest

BATCH = 32
FEW_STEPS = 3


def batches(subject: ModelUnderTest, n: int | None = None) -> Batches:
    """The first n digits through the transforms, all of them by default."""
    import torch

    from mnistarena.batches import Batches

    images, labels = subject.digits
    return Batches(images[:n], labels[:n], subject.chain, torch.device("cpu"), keep=True)


def images_of(subject: ModelUnderTest, n: int) -> torch.Tensor:
    """The first n images as the model sees them."""
    images, _ = next(batches(subject, n).in_order())
    return images


def recipe(subject: ModelUnderTest, steps: int) -> Training:
    """The short training."""
    optimizer = Optimizer(name="adam", lr=subject.learning_rate)  # type: ignore[call-arg]
    return Training(steps=steps, batch_size=BATCH, optimizer=optimizer)  # type: ignore[call-arg]


def train(subject: ModelUnderTest, model: nn.Module, steps: int, seed: int = 0) -> nn.Module:
    """The engine's own training, in place: of a frozen backbone's head alone, on the backbone's features."""
    from mnistarena import training

    def nothing(*news: Any) -> None:
        """Nobody watches."""

    part, split = to_train(subject, model)
    training.train(part, split, recipe(subject, steps), seed, dict, nothing, nothing)
    return model


def to_train(subject: ModelUnderTest, model: nn.Module) -> tuple[nn.Module, Batches]:
    """What the engine trains on what: the model on the images, or its head on the features of its backbone."""
    import torch

    from mnistarena import backbone

    split, parts = batches(subject), backbone.frozen(model)
    if parts is None or split.chain.random or hasattr(model, "training_loss"):
        return model, split
    features = backbone.features(parts[0], split, torch.autocast("cpu", enabled=False))
    return (model, split) if features is None else (parts[1], features)


def trained(subject: ModelUnderTest) -> nn.Module:
    """A model after the short training."""
    return train(subject, copy.deepcopy(subject.model), subject.steps)


def answers(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits in evaluation mode."""
    import torch

    model.eval()
    with torch.inference_mode():
        found: torch.Tensor = model(images.clone()).float()  # whether it changes them has a check of its own
    return found


def loss(subject: ModelUnderTest, model: nn.Module) -> float:
    """The mean of what training minimises, over all images, on a copy and from one seed."""
    import torch

    from mnistarena.backbone import to_training
    from mnistarena.streams import seed_everything
    from mnistarena.training import loss_function

    twin, split = to_train(subject, copy.deepcopy(model))
    to_training(twin)
    seed_everything(0)
    own = loss_function(twin, recipe(subject, 1))
    with torch.no_grad():
        return sum(own(images, labels).item() * len(labels) for images, labels in split.epoch(BATCH, 0, 0)) / split.n


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal but for the rounding of another order of summation."""
    return difference(one, other) <= 1e-4 * max(1.0, float(one.abs().max()))
