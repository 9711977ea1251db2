"""The figure of the validation split that says which epoch is best."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mnistarena.engine.parts import part
from mnistarena.engine.prediction import Scores
from mnistarena.errors import TrialError
from mnistarena.plugin.components import MetricDef, Predictions
from mnistarena.plugin.registry import Registry
from mnistarena.spec.schema import Training


class Monitor:
    """What `monitor` in [training] names: "accuracy", "loss", or a metric."""

    def __init__(self, recipe: Training, registry: Registry) -> None:
        self.name = recipe.monitor_entry.name
        self.metric: MetricDef | None = None
        if self.name not in ("accuracy", "loss"):
            self.metric, self.params = part(registry, "metric", recipe.monitor_entry)

    def figure(self, labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
        """The metric of labels `(n,)` and probabilities `(n, n_classes)`; raises `TrialError` where it has none."""
        assert self.metric is not None
        index = np.arange(len(labels))
        found = self.metric.compute(Predictions(labels, probabilities, index=index), self.params)
        if found is None or not math.isfinite(found):
            raise TrialError(
                f'the metric "{self.name}" is {found} on the validation images, so that no epoch is best by it; '
                'monitor "accuracy" or "loss"'
            )
        return float(found)

    def score(self, scores: Scores) -> list[float] | None:
        """Scores of an epoch as a list that is greater the better it is; None where nothing was validated."""
        if "validation_loss" not in scores:
            return None
        loss = scores["validation_loss"]
        if self.name == "loss":
            return [-loss]
        if self.metric is None:
            return [scores["validation_accuracy"], -loss]
        value = scores["validation_monitor"]
        return [value if self.metric.higher_is_better else -value, -loss]
