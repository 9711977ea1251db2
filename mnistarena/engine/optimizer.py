"""The optimizer of a training, and its parameter groups."""

from __future__ import annotations

import torch
from torch import nn

from mnistarena.errors import TrialError
from mnistarena.spec.schema import Training


def make_optimizer(model: nn.Module, recipe: Training, device: torch.device) -> torch.optim.Optimizer:
    """The recipe's optimizer over the trainable parameters, fused where torch has that for it."""
    by_name = {name.lower(): value for name, value in vars(torch.optim).items() if isinstance(value, type)}
    optimizer = by_name[recipe.optimizer.name.lower()]
    groups = parameter_groups(model, recipe.lr_factors)
    arguments = recipe.optimizer.arguments
    fused = {"adam", "adamw", "sgd", "adagrad"}
    if recipe.optimizer.name.lower() in fused and device.type in ("cpu", "cuda"):
        arguments = {"fused": True, **arguments}
    if recipe.optimizer.name.lower() in ("adam", "adamw") and device.type == "cuda" and "capturable" not in arguments:
        # So that a recorded step reads the rate, which the schedule moves, from the device.
        rate = torch.tensor(float(arguments.get("lr", 0.001)), device=device)
        arguments = {**arguments, "lr": rate, "capturable": True}
    try:
        made = optimizer([{"params": parameters} for parameters in groups.values()], **arguments)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TrialError(f"torch.optim.{optimizer.__name__} refuses {arguments}: {problem}") from problem
    for group, rate_factor in zip(made.param_groups, groups, strict=True):
        if rate_factor != 1:
            group["lr"] = group["lr"] * rate_factor
    return made


def parameter_groups(model: nn.Module, factors: dict[str, float]) -> dict[float, list[nn.Parameter]]:
    """The trainable parameters by the factor of their learning rate; the recipe's own rate comes first.

    A factor is of a module or parameter by its name; the innermost one counts. 0 leaves it as it is.
    """
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    used, names = set(), []
    for name, parameter in model.named_parameters():
        names.append(name)
        found = [key for key in factors if name == key or name.startswith(f"{key}.")]
        used.update(found)
        if parameter.requires_grad:
            groups.setdefault(factors[max(found, key=len)] if found else 1.0, []).append(parameter)
    unknown = sorted(set(factors) - used)
    if unknown:
        parts = list(dict.fromkeys(name.partition(".")[0] for name in names))
        raise TrialError(
            f'lr_factors: no parameter that is trained belongs to "{unknown[0]}"; the model has {", ".join(parts)}'
        )
    groups = {factor: parameters for factor, parameters in groups.items() if parameters}
    if not groups:
        raise TrialError("the model has no trainable parameter")
    return groups
