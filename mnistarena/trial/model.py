"""What a plugin's `build` returns, made ready for a trial: recognised, or refused in a sentence."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mnistarena.engine.own_methods import METHODS
from mnistarena.errors import TrialError
from mnistarena.plugin.components import ModelDef, Task


def build_model(definition: ModelDef, params: Any, task: Task) -> Any:
    """The model that `build` makes for a task: a torch module, or a scikit-learn classifier.

    A lazy module's parameters are made by a forward pass. Raises `TrialError` where the model is neither, or follows
    the protocol of another framework, whose training would be left out in silence.
    """
    built = definition.build(params, task)
    name = definition.name
    if isinstance(built, nn.Module):
        if not trains_itself(built):
            _refuse_other_protocol(built, name)
        elif unused := [method for method in METHODS if hasattr(built, method)]:
            raise TrialError(f"{name} has fit(training), and nothing calls its {' and '.join(unused)} then")
        _refuse_unknown_auxiliary(built, name)
        _make_lazy_parameters(built, task)
        return built
    if trains_itself(built):
        raise TrialError(
            f"{name} has fit(training), but is no torch.nn.Module: make its class one, with its predictions in "
            "forward(images), and register_buffer for what it learns, which is then stored and restored"
        )
    if is_classifier(built):
        return built
    raise TrialError(
        f"build of {name} returned {type(built).__name__}: neither a torch.nn.Module "
        "nor a scikit-learn classifier with fit and predict_proba, decision_function or predict"
    )


def is_classifier(model: Any) -> bool:
    """Whether a model has `fit`, and one of the methods that answer; some have those only after `fit`."""
    answering = ("predict_proba", "decision_function", "predict")
    return hasattr(model, "fit") and any(hasattr(model, name) for name in answering)


def trains_itself(model: object) -> bool:
    """Whether a model has a `fit(training)` of its own; a scikit-learn classifier's takes features and labels."""
    fit = getattr(model, "fit", None)
    if not callable(fit):
        return False
    try:
        parameters = inspect.signature(fit).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len([p for p in positional if p.default is p.empty]) == 1 and not any(p.name in "yY" for p in positional)


def makes_buffers(model: nn.Module) -> bool:
    """Whether a module may give its buffers their shapes in its training only."""
    return trains_itself(model) or hasattr(model, "on_start")


def _refuse_unknown_auxiliary(model: nn.Module, name: str) -> None:
    named = getattr(model, "auxiliary", ())
    known = [path for path, _ in model.named_modules() if path]
    unknown = [one for one in named if one not in known] if not isinstance(named, str) else [named]
    if unknown:
        raise TrialError(
            f"{name}: auxiliary is a list of names of modules of the model, and {unknown[0]!r} is none; it has "
            f"{', '.join(known[:10])}"
        )


def _refuse_other_protocol(model: nn.Module, name: str) -> None:
    theirs = hasattr(model, "training_step") and hasattr(model, "configure_optimizers")
    if theirs and not hasattr(model, "training_loss"):
        raise TrialError(
            f"{name} is a Lightning module: its training_step and configure_optimizers would not be used. Give it "
            "fit(training), which runs its own Trainer, or training_loss(images, labels)"
        )


@torch.no_grad()
def _make_lazy_parameters(model: nn.Module, task: Task) -> None:
    if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
        was_training = model.training
        model.eval()(torch.zeros(2, *task.image_shape))
        model.train(was_training)
