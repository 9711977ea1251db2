"""What a plugin may bring to a training: optimizers, losses, schedules of the learning rate, augmentations.

Torch is never imported here: descriptors are cheap, the heavy imports belong into `build`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from mnistarena.plugin.components import Params, Task

if TYPE_CHECKING:
    import torch

    Batch = tuple[torch.Tensor, torch.Tensor]
    Augment = Callable[[torch.Tensor, torch.Tensor, torch.Generator], Batch]

Group = dict[str, Any]
"""A group of parameters as torch's optimizers take it: `params`, and the arguments that are its own."""
Groups = list[Group]

_LENGTH = re.compile(r"(\d+(?:\.\d+)?) *(epoch|step)s?")


def _length(value: int | str) -> int | str:
    if isinstance(value, str) and not _LENGTH.fullmatch(value):
        raise ValueError('must be a number of steps, such as 500, or a text such as "500 steps" or "1 epoch"')
    if isinstance(value, int) and value < 0:
        raise ValueError("must be 0 or more steps")
    return value


Length = Annotated[int | str, AfterValidator(_length)]
"""A stretch of a training, as a spec writes it: a number of steps, "500 steps", "1 epoch" or "0.5 epochs"."""


def steps_of(length: int | str, steps_per_epoch: int) -> int:
    """A length in steps, rounded to whole ones: of "1 epoch", `steps_per_epoch`."""
    if isinstance(length, int):
        return length
    found = _LENGTH.fullmatch(length)
    assert found is not None
    return round(float(found[1]) * (steps_per_epoch if found[2] == "epoch" else 1))


@dataclass(frozen=True)
class OptimizerDef:
    """An optimizer that a spec can name, beside those of torch.optim.

    `build(params, groups)` returns a `torch.optim.Optimizer` over `groups`, dicts with "params", a list of parameters,
    and whatever a group of the spec sets in place of the optimizer's own arguments, such as "weight_decay". Each of
    its `param_groups` needs an "lr", which the schedule moves.

    `closure=True`: its `step(closure)` calls `closure()` as often as it likes, which computes the loss of the same
    batch and its gradients anew, with the same random draws each time. An optimizer with methods `train()` and
    `eval()` is in the first mode for steps and checkpoints, in the second for validation and at the end. What its
    state and its groups hold must be tensors, numbers, booleans, texts, None, or lists and dicts of them: a checkpoint
    keeps nothing else.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, Groups], torch.optim.Optimizer]
    closure: bool = False


@dataclass(frozen=True)
class LossDef:
    """A loss that a spec can name.

    `build(params, task)` returns a callable `(outputs, targets) -> loss`: outputs are logits `(N, n_classes)`, targets
    the classes, int64 `(N,)`, and the loss a scalar, the mean over the images. `soft_targets=True`: targets may also be
    float `(N, n_classes)`, rows that sum to 1, as augmentations such as mixup make them. `class_weights=True`: the
    callable also takes a keyword `weights`, float `(n_classes,)`, what the loss of an image of each class counts.
    A parameter called `label_smoothing` is also set by the key of that name in [training].
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, Task], Callable[..., torch.Tensor]]
    soft_targets: bool = False
    class_weights: bool = False


@dataclass(frozen=True)
class ScheduleDef:
    """A schedule of the learning rate that a spec can name.

    `build(params, total_steps, steps_per_epoch)` returns a callable `step -> factor`, the factor of the optimizer's
    learning rate at a step, counted from 0. Every schedule may begin with a linear warm-up, and its steps are those
    after it: `total_steps` too. `counts_warmup=True`: they are counted from the training's first step.

    `needs_validation=True`: the callable also has `after_epoch(loss, score)`, which gets the validation loss and the
    monitored figure (higher is better) of each epoch, `state_dict()` of plain data as JSON has it, and
    `load_state_dict(state)`.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, int, int], Callable[[int], float]]
    counts_warmup: bool = False
    needs_validation: bool = False


@dataclass(frozen=True)
class AugmentationDef:
    """An augmentation of training batches with their labels that a spec can name.

    `build(params, task)` returns a callable `(images, targets, generator) -> (images, targets)`, called for each
    training batch after all transforms. Images are float `(N, C, H, W)` on the device; targets int64 `(N,)`, or float
    `(N, n_classes)` where an augmentation before it mixed classes. It draws from `generator` alone, and returns new
    images of the same shape. `soft_targets=True`: it returns float targets `(N, n_classes)`, rows that sum to 1.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    build: Callable[[Any, Task], Augment]
    soft_targets: bool = False
