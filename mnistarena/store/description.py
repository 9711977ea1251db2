"""What a stored model is: enough to build it again for its weights, without its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mnistarena.errors import StoreError, first_line
from mnistarena.plugin.components import Task
from mnistarena.plugin.messages import Identity
from mnistarena.store.files import read_bytes


@dataclass(frozen=True)
class ModelDescription:
    """A trained torch module, apart from its weights; the same however often its trial is scored again.

    `task` is the dataset's, before any transform. Of the trial's `identity` there is what building it takes: the model
    with all its parameters, the transforms that are not random, the precision, the seed, and the model's source.
    """

    identity: Identity
    task: Task

    def to_bytes(self) -> bytes:
        """The description as a file holds it."""
        return _ADAPTER.dump_json(self, indent=2) + b"\n"


_ADAPTER = TypeAdapter(ModelDescription)


def read_description(path: Path) -> ModelDescription:
    """The description in a file; raises `StoreError` where it holds none."""
    try:
        return _ADAPTER.validate_json(read_bytes(path))
    except ValidationError as problem:
        raise StoreError(f"{path} does not describe a model: {first_line(problem)}") from problem
