"""What a figure was computed with, and what a trial of a search is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from mnistarena.plugin.settings import Settings


class MetricDefinition(TypedDict):
    """What a stored figure was computed with."""

    name: str
    params: Settings
    source: str


class SearchIdentity(TypedDict):
    """What a trial of a search is judged by, on validation images.

    `by` is "validation_loss", "validation_accuracy", or a metric's label; `stops` are pairs of an epoch and a value: it
    ends after that epoch if its figure is worse.
    """

    by: str
    metric: MetricDefinition | None
    higher_is_better: bool
    stops: list[list[float]]


def is_stopped(search: SearchIdentity, row: Mapping[str, Any]) -> bool:
    """Whether a trial ends after a row of its history: one of its stops is there, and the figure is worse."""
    value, sign = row.get(search["by"]), 1 if search["higher_is_better"] else -1
    worst = next((worst for epoch, worst in search["stops"] if epoch == row.get("epoch")), None)
    return worst is not None and value is not None and sign * value < sign * worst
