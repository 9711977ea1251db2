"""Everything that a module keeps as tensors, and how it is put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

StateDict = dict[str, Any]
"""What a module or an optimizer of torch keeps, by name: tensors as a rule."""


def all_of(model: nn.Module) -> StateDict:
    """Parameters, buffers and extra state; also the buffers that a model leaves out of its state_dict."""
    return {**dict(model.named_buffers()), **model.state_dict()}


def auxiliary(model: nn.Module) -> list[nn.Module]:
    """The modules that `model.auxiliary` names: of use in training only, so neither counted nor stored."""
    return [model.get_submodule(name) for name in getattr(model, "auxiliary", ())]


def stored_state(model: nn.Module) -> StateDict:
    """The state dict without that of auxiliary modules."""
    left_out = tuple(f"{name}." for name in getattr(model, "auxiliary", ()))
    return {name: value for name, value in model.state_dict().items() if not name.startswith(left_out)}


def load_stored(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Set a model to a `stored_state`, its auxiliary modules left as they are; `RuntimeError` where it does not fit."""
    own = model.state_dict()
    model.load_state_dict({**{name: own[name] for name in own.keys() - stored_state(model).keys()}, **state})


def make_room(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Give each buffer the shape that it has in `state`: a model that trains itself may keep as much as it finds.

    A buffer that was registered as None, and has got a value since, is made too.
    """
    for path, module in model.named_modules():
        for name, buffer in module._buffers.items():
            value = state.get(f"{path}.{name}" if path else name)
            if isinstance(value, torch.Tensor) and (buffer is None or buffer.shape != value.shape):
                device = next((p.device for p in model.parameters()), value.device) if buffer is None else buffer.device
                module._buffers[name] = torch.empty_like(value, device=device)


def put_back(model: nn.Module, state: Mapping[str, Any]) -> None:
    """Set every tensor of a model to what `all_of` found; raises `ValueError` where it is of another model."""
    here = all_of(model)
    if set(here) != set(state):
        raise ValueError(f"it is of a model with other tensors: {sorted(set(here) ^ set(state))[:3]}")
    with torch.no_grad():
        for name, value in here.items():
            value.copy_(state[name])
