"""What a worker process is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistarena.components import Task


@dataclass(frozen=True)
class Job:
    """Everything a worker needs, as plain data.

    `identity` is the trial's, `params` its model's as JSON; `task` is the dataset's, before transforms;
    `data` is a folder of .npy files; `metrics` are (label, name, params as JSON). With `train` false, only
    the metrics are computed again.
    """

    folder: Path
    identity: dict[str, Any]
    params: str
    task: Task
    data: Path
    metrics: tuple[tuple[str, str, str], ...]
    device: str
    threads: int
    keep_model: bool
    train: bool = True
