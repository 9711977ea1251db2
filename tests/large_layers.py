"""What the tests of AlexNet and VGG16 share: both have millions of parameters, of which they build many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

LARGE = 10_000_000


def drawn_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the weights of a large layer the same million random numbers again and again, no two rows alike."""
    for name in ("normal_", "kaiming_uniform_"):
        monkeypatch.setattr(nn.init, name, _repeated(getattr(nn.init, name)))


def _repeated(first: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def draw(weight: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        if weight.numel() < LARGE:
            return first(weight, *given, **named)
        inputs = weight.shape[1]
        few = first(torch.empty(1 + 2**20 // inputs, inputs), *given, **named).flatten()[:-1]
        for part in weight.detach().view(-1).split(len(few)):
            part.copy_(few[: len(part)])
        return weight

    return draw
