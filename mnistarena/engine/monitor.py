"""The figure of the validation split that says which epoch is best."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mnistarena.engine.parts import part
from mnistarena.engine.prediction import Scores
from mnistarena.errors import NoValue, TrialError
from mnistarena.plugin.components import MetricDef
from mnistarena.plugin.predictions import Outputs, Predictions
from mnistarena.plugin.registry import Registry
from mnistarena.spec.schema import Training


class Monitor:
    """What `monitor` in [training] names: "accuracy", "loss", or a metric."""

    def __init__(self, recipe: Training, registry: Registry) -> None:
        self.name = recipe.monitor_entry.name
        self.metric: MetricDef | None = None
        if self.name not in ("accuracy", "loss"):
            self.metric, self.params = part(registry, "metric", recipe.monitor_entry)

    def figure(self, labels: NDArray[np.int64], outputs: Outputs) -> float:
        """The metric of labels `(n,)` and what the model says of them; raises `TrialError` where it has none."""
        assert self.metric is not None
        predictions = Predictions(
            labels,
            outputs.values,
            index=np.arange(len(labels)),
            output=outputs.output,
            n_classes=outputs.n_classes,
        )
        found: float | None
        try:
            found = self.metric.compute(predictions, self.params)
        except NoValue:
            found = None
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
        loss = scores["validation_loss"]  # a model without probabilities has none
        if self.name == "loss":
            if loss is None:
                raise TrialError('the model gives no probabilities, so it has no loss to monitor; monitor "accuracy"')
            return [-loss]
        value = scores["validation_accuracy"] if self.metric is None else scores["validation_monitor"]
        better = self.metric is None or self.metric.higher_is_better
        return [value if better else -value, 0.0 if loss is None else -loss]
