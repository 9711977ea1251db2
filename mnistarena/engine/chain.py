"""A chain of transforms: looked up, built, applied to batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from mnistarena.plugin.components import Task, TransformDef
from mnistarena.plugin.messages import ComponentIdentity
from mnistarena.plugin.registry import Registry

Apply = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


class Chain:
    """A built chain of transforms: its deterministic beginning, `head`, then the rest, `tail`.

    Images enter as uint8 `(N, C, H, W)` and become float in [0, 1] before the first transform. `given` is the task
    before the chain, `task` the one after it. `memory_format` is how batches lie when they leave; see engine/layout.py.
    """

    memory_format = torch.channels_last

    def __init__(self, transforms: Sequence[tuple[TransformDef, Any]], task: Task) -> None:
        self.given = task
        self.steps: list[tuple[Apply, bool]] = []
        for definition, params in transforms:
            self.steps.append((definition.build(params, task), definition.random))
            if definition.shape is not None:
                task = task.with_shape(definition.shape(params, task.image_shape))
        self.task = task
        random = [i for i, (_, is_random) in enumerate(self.steps) if is_random]
        self.head = [apply for apply, _ in self.steps[: random[0] if random else len(self.steps)]]
        self.tail = self.steps[len(self.head) :]
        self.random = bool(random)

    def apply_head(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """uint8 images to float, through the transforms before the first random one."""
        images = images.to(torch.float32).div_(255)
        for apply in self.head:
            images = apply(images, generator)
        return images

    def apply_tail(self, images: torch.Tensor, generator: torch.Generator, training: bool) -> torch.Tensor:
        """The rest of the chain; random transforms only while training."""
        for apply, is_random in self.tail:
            if training or not is_random:
                images = apply(images, generator)
        return images


def build_chain(transforms: Sequence[ComponentIdentity], task: Task, registry: Registry) -> Chain:
    """The chain of transforms, each by its name and parameters, for images of a task."""
    built = []
    for entry in transforms:
        definition = registry.get("transform", entry["name"]).definition
        built.append((definition, definition.params.model_validate_json(json.dumps(entry["params"]))))
    return Chain(built, task)
