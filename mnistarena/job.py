"""What a worker process is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistarena.components import Task

Send = Callable[[dict[str, Any]], None]
"""How a worker reports: `stage`, `step`, `row`, `measured`, `end`."""


@dataclass(frozen=True)
class Job:
    """Everything a worker needs, as plain data.

    `identity` is the trial's, `params` its model's as JSON; `task` is the dataset's, before transforms;
    `data` is a folder of .npy files; `metrics` are (label, name, params as JSON); `conditions` say device
    and threads; `temporary` is where the trial's temporary files go; `checkpoint_every` is in seconds.
    With `train` false, only the metrics are computed again, and no task is needed; with `pace`, a few steps
    are run to see how long the trial would take. `views` are the definitions of further views of the test
    images, predicted as well.
    """

    folder: Path
    identity: dict[str, Any]
    params: str
    task: Task | None
    data: Path
    metrics: tuple[tuple[str, str, str], ...]
    conditions: dict[str, Any]
    keep_model: bool
    temporary: Path
    checkpoint_every: float = 30.0
    train: bool = True
    pace: bool = False
    views: tuple[dict[str, Any], ...] = ()

    @property
    def bits_depend_on(self) -> dict[str, Any]:
        """The conditions that may change a figure: all but how many trials run side by side."""
        return {key: value for key, value in self.conditions.items() if key != "jobs"}
