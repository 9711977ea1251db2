"""A trial's place in a search."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from mnistarena.plan.metric import Metric
from mnistarena.plugin.search_identity import SearchIdentity


@dataclass(frozen=True)
class SearchPlace:
    """Where a trial stands in a search, and what it is judged by, on validation images; numbers are from 0.

    `by` is "validation_loss", "validation_accuracy", or the label of `metric`.
    `stops` are the epochs after which it ends if its figure is worse than a value.
    """

    repeat: int
    number: int
    _: KW_ONLY
    by: str
    higher_is_better: bool
    metric: Metric | None = None
    stops: tuple[tuple[int, float], ...] = ()

    def __str__(self) -> str:
        again = f", repeat {self.repeat + 1}" if self.repeat else ""
        return f"search trial {self.number + 1}{again}"

    @property
    def identity(self) -> SearchIdentity:
        """What of it a trial's result depends on."""
        return {
            "by": self.by,
            "metric": None if self.metric is None else self.metric.definition(),
            "higher_is_better": self.higher_is_better,
            "stops": [list(stop) for stop in self.stops],
        }
