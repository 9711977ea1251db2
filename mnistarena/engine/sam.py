"""Sharpness-aware minimization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class SAM(torch.optim.SGD):
    """SGD with the gradient taken where the loss is highest within `rho`, to first order (Foret et al. 2021)."""

    def __init__(self, params: Any, *, rho: float, **arguments: Any) -> None:
        super().__init__(params, **arguments)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; `closure` computes the loss and its gradients anew, and is called twice."""
        assert closure is not None
        with torch.enable_grad():
            loss = closure()
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        before = [p.clone() for p in moved]
        gradients = [p.grad for p in moved]
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        for parameter, gradient in zip(moved, gradients, strict=True):
            parameter.add_(gradient * (self.rho / (norm + 1e-12)))
        with torch.enable_grad():
            closure()
        for parameter, value in zip(moved, before, strict=True):
            parameter.copy_(value)
        super().step()
        return loss
