"""The parts of a recipe that are components: looked up by name, their parameters read, built."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch

from mnistarena.errors import TrialError
from mnistarena.plugin.components import Task
from mnistarena.plugin.registry import Registry
from mnistarena.plugin.training import steps_of
from mnistarena.spec.schema import Training
from mnistarena.spec.table import ComponentEntry

Augment = Callable[[torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]


def part(registry: Registry, kind: str, entry: ComponentEntry) -> tuple[Any, Any]:
    """The definition of a component and its parameters."""
    definition = registry.get(kind, entry.name).definition
    return definition, definition.params.model_validate_json(json.dumps(entry.arguments))


class Schedule:
    """The learning rate's factor at each step: a linear warm-up, then the recipe's schedule."""

    def __init__(self, recipe: Training, total: int, per_epoch: int, registry: Registry) -> None:
        entry = recipe.schedule
        definition, params = part(registry, "schedule", entry)
        self.warmup = steps_of(entry.warmup_steps, per_epoch)
        self.skipped = 0 if definition.counts_warmup else self.warmup
        self.shape = definition.build(params, total - self.skipped, per_epoch)
        self.adaptive: bool = definition.needs_validation

    def factor(self, step: int) -> float:
        """The factor at a step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return float(self.shape(step - self.skipped))

    def after_epoch(self, loss: float | None, score: float) -> None:
        """Tell a schedule that looks at validation how an epoch went; raises `TrialError` where there is no loss."""
        if self.adaptive:
            if loss is None:
                raise TrialError("the schedule follows the validation loss, and the model gives no probabilities")
            self.shape.after_epoch(loss, score)

    def state(self) -> Any:
        """What a checkpoint keeps; None of a schedule that only counts steps."""
        return self.shape.state_dict() if self.adaptive else None

    def load(self, state: Any) -> None:
        """Go on from a checkpoint."""
        if self.adaptive:
            self.shape.load_state_dict(state)


def make_augmentation(recipe: Training, task: Task, registry: Registry) -> Augment:
    """The recipe's augmentations, one after the other; images and targets as they are where there are none."""
    steps: list[Augment] = []
    for entry in recipe.augmentation_entries:
        definition, params = part(registry, "augmentation", entry)
        steps.append(definition.build(params, task))

    def augment(
        images: torch.Tensor, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for step in steps:
            images, targets = step(images, targets, generator)
        return images, targets

    return augment
