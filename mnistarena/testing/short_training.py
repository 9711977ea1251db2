"""The short training of a network, and its answers, for the checks of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mnistarena.spec.schema import Optimizer, Training
from mnistarena.testing.check import Nonconformity

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mnistarena.engine.batches import Batches
    from mnistarena.engine.checkpoint import Checkpoints
    from mnistarena.engine.loss import Loss
    from mnistarena.testing.model_under_test import ModelUnderTest


BATCH = 32
FEW_STEPS = 3

_FEATURES: WeakKeyDictionary[nn.Module, Batches] = WeakKeyDictionary()
"""What the frozen backbone of a network makes of the digits."""


def batches(model: ModelUnderTest, n: int | None = None) -> Batches:
    """The first n digits through the transforms, by default all of them."""
    import torch

    from mnistarena.engine.batches import Batches

    images, labels = model.digits
    return Batches(images[:n], labels[:n], chain=model.chain, device=torch.device("cpu"), keep=True)


def images_of(model: ModelUnderTest, n: int) -> torch.Tensor:
    """The first n images as the network gets them."""
    images, _ = next(batches(model, n).in_order())
    return images


def recipe(model: ModelUnderTest, steps: int) -> Training:
    """The recipe of the short training."""
    optimizer = Optimizer(name="adam", lr=model.learning_rate)  # type: ignore[call-arg]
    return Training(steps=steps, batch_size=BATCH, optimizer=optimizer)  # type: ignore[call-arg]


def train(
    model: ModelUnderTest, network: nn.Module, steps: int, seed: int = 0, checkpoints: Checkpoints | None = None
) -> nn.Module:
    """Train a network in place as the engine does: with a frozen backbone, its head alone, on stored features.

    One that trains itself takes as many steps as the short training, so that it comes to a checkpoint.
    """
    from mnistarena.engine import training
    from mnistarena.trial.model import trains_itself

    if trains_itself(network):
        return _fit(model, network, seed, checkpoints)
    part, split = to_train(model, network)
    training.train(part, split, recipe(model, steps), seed=seed, checkpoints=checkpoints, output=model.output)
    return network


def _fit(model: ModelUnderTest, network: nn.Module, seed: int, checkpoints: Checkpoints | None) -> nn.Module:
    """Let a network that trains itself do so, for about as many steps as the short training, on the digits."""
    import torch

    from mnistarena.engine.checkpoint import Checkpoints
    from mnistarena.trial.fit_host import Host
    from mnistarena.trial.own_fit import fit_in

    split = batches(model)
    epochs = max(1, round(model.steps * BATCH / split.n))
    given = Training(epochs=epochs, batch_size=BATCH, optimizer=recipe(model, 1).optimizer)
    host = Host(
        model.chain,
        given,
        device=torch.device("cpu"),
        seed=seed,
        output=model.output,
        read=model.read,
        registry=model.registry,
    )
    held = batches(model, BATCH)
    fit_in(host, network, split=split, held=held, checkpoints=checkpoints or Checkpoints())
    return network


def to_train(model: ModelUnderTest, network: nn.Module) -> tuple[nn.Module, Batches]:
    """What the engine trains, and on what: the network on the images, or its head on the backbone's features."""
    import torch

    from mnistarena.engine import backbone
    from mnistarena.engine.own_methods import takes_part

    split, parts = batches(model), backbone.frozen_parts(network)
    if parts is None or split.chain.random or takes_part(network) or not is_head_of_backbone(model):
        return network, split
    if (features := _FEATURES.get(network)) is None:
        features = backbone.features(parts[0], split, torch.autocast("cpu", enabled=False))
        if features is None:
            return network, split
        _FEATURES[network] = features
    return parts[1], features


def is_head_of_backbone(model: ModelUnderTest) -> bool:
    """Whether the model's forward(x) is head(backbone(x)): found out from one network, as none is built otherwise."""
    import torch

    from mnistarena.engine import backbone

    def find() -> bool:
        amp = torch.autocast("cpu", enabled=False)
        return backbone.is_head_of_backbone(model.built, images_of(model, 8), amp)

    return bool(model.once("is head of backbone", find))


def briefly_trained(model: ModelUnderTest) -> nn.Module:
    """A new network after the short training."""
    return train(model, model.build(), model.steps)


def answers(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The main output in evaluation mode, as float."""
    import torch

    from mnistarena.engine.prediction import main_output

    network.eval()
    with torch.inference_mode():
        found = main_output(network(images.clone()))  # another check finds out whether it changes them
    if not isinstance(found, torch.Tensor):
        raise Nonconformity(f"forward returned {type(found).__name__}; return a tensor")
    return found.float()


def loss_of(model: ModelUnderTest, network: nn.Module, split: Batches) -> Loss:
    """What the short training of a network, or of its head, minimises."""
    from mnistarena.engine.loss import loss_function
    from mnistarena.engine.own_methods import StepContext

    context = StepContext(split, 0, total=model.steps)
    return loss_function(network, recipe(model, 1), model.chain.task, output=model.output, context=context)


def loss(model: ModelUnderTest, network: nn.Module) -> float:
    """The mean of the training loss over all images, with a fixed seed; the network stays as it is."""
    import torch

    from mnistarena.engine.backbone import to_training
    from mnistarena.engine.random_state import seed_everything
    from mnistarena.engine.unchanged import unchanged

    part, split = to_train(model, network)
    of_batch = loss_of(model, part, split)
    with torch.no_grad(), unchanged(part, split.device):
        to_training(part)
        seed_everything(0)
        sums = (of_batch(images, labels).item() * len(labels) for images, labels in split.epoch(BATCH, 0, 0))
        return sum(sums) / split.n


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether they are equal, apart from the rounding of another order of summation."""
    return difference(one, other) <= 1e-4 * max(1.0, float(one.abs().max()))
