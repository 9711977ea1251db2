"""An identity's transforms, looked up and built."""

from __future__ import annotations

import json
from typing import Any

from mnistarena.batches import Chain
from mnistarena.components import Task
from mnistarena.registry import Registry


def build_chain(transforms: list[dict[str, Any]], task: Task, registry: Registry) -> Chain:
    """The chain of transforms, each `{"name", "params"}`, for images of a task."""
    built = []
    for entry in transforms:
        definition = registry.get("transform", entry["name"]).definition
        built.append((definition, definition.params.model_validate_json(json.dumps(entry["params"]))))
    return Chain(built, task)
