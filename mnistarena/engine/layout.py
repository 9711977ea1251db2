"""In which memory format a model's weights and images lie."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mnistarena.engine.chain import Chain
from mnistarena.engine.unchanged import unchanged


def place(model: nn.Module, chain: Chain, device: torch.device, note: Callable[[str], None] = lambda _: None) -> None:
    """Put a model on the device, in channels-last memory, where convolutions run faster.

    A model that works only on contiguous images, since it calls `view` on its feature maps, is left contiguous, and
    `chain` gives it such images; `note` is told.
    """
    model.to(device)
    set_format(model, torch.channels_last)
    chain.memory_format = torch.channels_last
    if _refusal(model, chain, device) is None:
        return
    set_format(model, torch.contiguous_format)
    chain.memory_format = torch.contiguous_format
    if _refusal(model, chain, device) is None:
        note("trained in contiguous memory: the model does not take channels-last images (it may call view)")
        return
    set_format(model, torch.channels_last)  # the reason is another one, which its own trial tells
    chain.memory_format = torch.channels_last


def set_format(model: nn.Module, memory_format: torch.memory_format) -> None:
    """Put convolutions' kernels into a memory format; other tensors stay as they are."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            # Not contiguous(): it leaves the strides of a one-channel kernel as they are, which count as both
            # formats, and torch then computes such a convolution in the slower one.
            parameter.data = parameter.data.to(memory_format=memory_format)


@torch.no_grad()
def _refusal(model: nn.Module, chain: Chain, device: torch.device) -> str | None:
    """What the model raises for images in the chain's memory format, in evaluation mode; None where it takes them."""
    images = torch.full((2, *chain.task.image_shape), 0.5, device=device).contiguous(memory_format=chain.memory_format)
    with unchanged(model, device):
        try:
            model.eval()(images)
        except RuntimeError as problem:
            return str(problem)
        except Exception:  # of another kind, which does not come from the memory format
            return None
    return None
