"""The optimizers of a training, and their parameter groups."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mnistarena.engine.parts import part
from mnistarena.errors import TrialError
from mnistarena.plugin.registry import Registry, built_in
from mnistarena.plugin.training import Group, Groups
from mnistarena.spec import optimizers as of_torch
from mnistarena.spec.schema import Optimizer, Training
from mnistarena.text import few

Setting = tuple[int | None, float, bool]
"""What a parameter's group is made of: the entry of `groups`, the factor of its rate, whether it is not decayed."""


class Optimizers:
    """The optimizers of one training, as one: as a rule there is a single one.

    `closure` says that a step evaluates the loss itself, as often as it likes.
    """

    def __init__(self, members: Sequence[torch.optim.Optimizer], *, closure: bool = False) -> None:
        self.members, self.closure = list(members), closure

    @property
    def param_groups(self) -> Groups:
        """The groups of all."""
        return [group for member in self.members for group in member.param_groups]

    @property
    def state(self) -> dict[Any, Any]:
        """The state of all, by parameter."""
        return {key: value for member in self.members for key, value in member.state.items()}

    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """One step of each; only with `closure` where that is needed."""
        for member in self.members:
            if closure is None:
                member.step()
            else:
                member.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for member in self.members:
            member.zero_grad(set_to_none)

    def switch(self, *, training: bool) -> None:
        """Call `train()` or `eval()` of optimizers that have it, as those without a schedule do."""
        for member in self.members:
            switch = getattr(member, "train" if training else "eval", None)
            if callable(switch):
                switch()


def make_optimizer(
    model: nn.Module, recipe: Training, device: torch.device, registry: Registry | None = None
) -> Optimizers:
    """The recipe's optimizers over the trainable parameters, fused where torch has that.

    Raises `TrialError` where there is nothing to train, a name or pattern of the recipe fits no parameter, or an
    optimizer refuses its arguments.
    """
    registry = registry or built_in()
    by_optimizer: dict[int | None, list[tuple[Group, float]]] = {}
    for (index, factor, undecayed), parameters in parameter_groups(model, recipe).items():
        entry = None if index is None else recipe.groups[index]
        settings = {"weight_decay": 0.0} if undecayed else {}
        settings |= {} if entry is None else entry.arguments
        own = index if entry is not None and entry.optimizer is not None else None
        by_optimizer.setdefault(own, []).append(({"params": parameters, **settings}, factor))
    made = []
    closure = False
    for own, groups in by_optimizer.items():
        table = recipe.optimizer if own is None else recipe.groups[own].optimizer
        assert table is not None
        if table.name.lower() in of_torch.MATRICES_ONLY:
            _refuse_others(model, table.name, [group for group, _ in groups])
        made.append(_build(table, [group for group, _ in groups], device, registry))
        closure = closure or needs_closure(table.name, registry)
        for group, (_, factor) in zip(made[-1].param_groups, groups, strict=True):
            if factor != 1:
                group["lr"] = group["lr"] * factor
    return Optimizers(made, closure=closure)


def needs_closure(name: str, registry: Registry) -> bool:
    """Whether an optimizer evaluates the loss itself."""
    if name.lower() in of_torch.optimizers():
        return name.lower() in of_torch.WITH_CLOSURE
    return bool(registry.get("optimizer", name).definition.closure)


def _build(table: Optimizer, groups: Groups, device: torch.device, registry: Registry) -> torch.optim.Optimizer:
    """An optimizer of torch.optim, or a plugin's, over its groups."""
    name, arguments = table.name.lower(), table.arguments
    if name not in of_torch.optimizers():
        definition, params = part(registry, "optimizer", table)
        made: torch.optim.Optimizer = definition.build(params, groups)
        return made
    optimizer = getattr(torch.optim, of_torch.optimizers()[name][0])
    if name in {"adam", "adamw", "sgd", "adagrad"} and device.type in ("cpu", "cuda"):
        arguments = {"fused": True, **arguments}
    if name in ("adam", "adamw") and device.type == "cuda" and "capturable" not in arguments:
        # So that a recorded step reads the rate, which the schedule moves, from the device.
        arguments = {**arguments, "lr": _on_device(arguments.get("lr", 0.001), device), "capturable": True}
        groups = [{**g, "lr": _on_device(g["lr"], device)} if "lr" in g else g for g in groups]
    try:
        found: torch.optim.Optimizer = optimizer(groups, **arguments)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TrialError(f"torch.optim.{optimizer.__name__} refuses {arguments}: {problem}") from problem
    return found


def _refuse_others(model: nn.Module, optimizer: str, groups: Groups) -> None:
    """Raise `TrialError` where a parameter of an optimizer that takes only matrices is none."""
    own = {id(parameter) for group in groups for parameter in group["params"]}
    others = [name for name, parameter in model.named_parameters() if id(parameter) in own and parameter.dim() != 2]
    if others:
        raise TrialError(
            f'the optimizer "{optimizer}" takes only parameters of two dimensions, which {few(others)} '
            f"{'is' if len(others) == 1 else 'are'} not; give others to another optimizer, by patterns of their names: "
            f'groups = [{{ match = "{others[0]}", optimizer = {{ name = "adamw", lr = 0.001 }} }}]'
        )


def _on_device(rate: float, device: torch.device) -> torch.Tensor:
    return torch.tensor(float(rate), device=device)


def parameter_groups(model: nn.Module, recipe: Training) -> dict[Setting, list[nn.Parameter]]:
    """The trainable parameters by what is set for them; those with the recipe's own settings come first.

    A factor of `lr_factors` is of a module or parameter by its name; the innermost one counts. 0 leaves it as it is.
    Of `groups`, the first entry whose pattern matches a name counts.
    """
    groups: dict[Setting, list[nn.Parameter]] = {(None, 1.0, False): []}
    factors = recipe.lr_factors
    used, names, trained = set(), [], []
    for name, parameter in model.named_parameters():
        names.append(name)
        found = [key for key in factors if name == key or name.startswith(f"{key}.")]
        used.update(found)
        if parameter.requires_grad:
            trained.append(name)
            index = next((i for i, g in enumerate(recipe.groups) if fnmatch.fnmatchcase(name, g.match)), None)
            small = parameter.dim() <= 1 or name.rpartition(".")[2] == "bias"
            setting = (index, factors[max(found, key=len)] if found else 1.0, recipe.decayed == "weights" and small)
            groups.setdefault(setting, []).append(parameter)
    _refuse_unused(factors, used, names, (group.match for group in recipe.groups), trained)
    groups = {setting: parameters for setting, parameters in groups.items() if parameters}
    if not groups:
        raise TrialError("the model has no trainable parameter")
    return groups


def _refuse_unused(
    factors: Mapping[str, float], used: set[str], names: list[str], patterns: Iterable[str], trained: list[str]
) -> None:
    """Raise `TrialError` where a name of `lr_factors` or a pattern of `groups` fits nothing that is trained."""
    if unknown := sorted(set(factors) - used):
        parts = list(dict.fromkeys(name.partition(".")[0] for name in names))
        raise TrialError(
            f'lr_factors: no parameter that is trained belongs to "{unknown[0]}"; the model has {", ".join(parts)}'
        )
    for pattern in patterns:
        if not fnmatch.filter(trained, pattern):
            raise TrialError(f'groups: no parameter that is trained matches "{pattern}"; the model has {few(trained)}')
