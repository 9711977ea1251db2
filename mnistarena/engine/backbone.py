"""Frozen backbones: their output never changes while a head is trained, so it is computed once."""

from __future__ import annotations

import torch
from torch import nn

from mnistarena.engine.batches import Batches


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
    """A model's `backbone` and `head` where it has both and nothing of the first is trained, else None."""
    backbone, head = getattr(model, "backbone", None), getattr(model, "head", None)
    if not isinstance(backbone, nn.Module) or not isinstance(head, nn.Module):
        return None
    return None if any(p.requires_grad for p in backbone.parameters()) else (backbone, head)


def to_training(model: nn.Module) -> None:
    """Training mode; a frozen backbone stays in evaluation mode: no dropout, fixed batch statistics."""
    model.train()
    if (parts := frozen_parts(model)) is not None:
        parts[0].eval()


@torch.no_grad()
def features(backbone: nn.Module, split: Batches, amp: torch.autocast) -> Batches | None:
    """The backbone's outputs on a split; None where they do not fit the memory set aside for them."""
    backbone.eval()
    with amp:
        return split.mapped(backbone)
