"""Frozen backbones: their output never changes while a head is trained, so it is computed once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mnistarena.engine.batches import Batches
from mnistarena.engine.model_state import auxiliary
from mnistarena.engine.random_state import capture_streams, restore_streams
from mnistarena.engine.unchanged import unchanged


class FrozenBackbone(nn.Module):
    """A network cut before one of its layers, which becomes the `head`; all before it is the frozen `backbone`.

    `network` maps images `(N, C, H, W)` to logits; `head` names its last layer, such as "classifier.6".
    """

    def __init__(self, network: nn.Module, head: str) -> None:
        super().__init__()
        last = network.get_submodule(head)
        network.set_submodule(head, nn.Identity())
        self.backbone = network.requires_grad_(False)
        self.head = last

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float images `(N, C, H, W)` to logits `(N, n_classes)`."""
        return self.head(self.backbone(images))


def frozen_parts(model: nn.Module) -> tuple[nn.Module, nn.Module] | None:
    """A model's `backbone` and `head` where it has both and nothing but the head is trained, else None."""
    backbone, head = getattr(model, "backbone", None), getattr(model, "head", None)
    if not isinstance(backbone, nn.Module) or not isinstance(head, nn.Module):
        return None
    of_head = {id(parameter) for parameter in head.parameters()}
    frozen = not any(p.requires_grad for p in backbone.parameters())
    outside = any(p.requires_grad and id(p) not in of_head for p in model.parameters())
    return (backbone, head) if frozen and not outside else None


def to_training(model: nn.Module) -> None:
    """Training mode; a frozen backbone, and a frozen auxiliary module such as a teacher, stay in evaluation mode.

    So they have no dropout and fixed batch statistics.
    """
    model.train()
    if (parts := frozen_parts(model)) is not None:
        parts[0].eval()
    for module in auxiliary(model):
        if not any(parameter.requires_grad for parameter in module.parameters()):
            module.eval()


@torch.no_grad()
def is_head_of_backbone(model: nn.Module, images: torch.Tensor, amp: torch.autocast) -> bool:
    """Whether `forward(images)` is `head(backbone(images))`, bit by bit, while training and in evaluation.

    Only then may the backbone's outputs stand in for the images. `images` float `(N, C, H, W)`; the model is left
    as it was.
    """
    parts = frozen_parts(model)
    if parts is None:
        return False
    backbone, head = parts
    outputs = []
    forwards: list[Callable[[torch.Tensor], object]] = [model, lambda batch: head(backbone(batch))]
    modes: list[Callable[[], object]] = [model.eval, lambda: to_training(model)]
    streams = capture_streams(images.device)
    with unchanged(model, images.device), amp:
        for mode in modes:
            for forward in forwards:
                mode()
                restore_streams(*streams, images.device)
                outputs.append(forward(images))
    return all(
        isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and torch.equal(one, other)
        for one, other in zip(outputs[::2], outputs[1::2], strict=True)
    )


@torch.no_grad()
def features(backbone: nn.Module, split: Batches, amp: torch.autocast) -> Batches | None:
    """The backbone's outputs on a split; None where they do not fit the memory set aside for them."""
    backbone.eval()
    with amp:
        return split.mapped(backbone)
