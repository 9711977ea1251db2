"""A trial of a search: judged on the validation images, and nothing of it is stored but its figures and its history."""

from __future__ import annotations

import numpy as np

from mnistarena.engine.prediction import Outcome
from mnistarena.plugin.messages import Measurements, Result
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats.calibration import log_loss
from mnistarena.trial.context import TrialContext
from mnistarena.trial.scoring import figures


def judge(context: TrialContext, outcome: Outcome, measurements: Measurements) -> Result:
    """The figures of the validation images, which the model predicted in the end."""
    labels = np.array(context.array("validation_labels"))
    predictions = Predictions(
        labels,
        outcome.outputs.values,
        index=np.arange(len(labels)),
        extras=outcome.extras,
        output=outcome.outputs.output,
        n_classes=outcome.outputs.n_classes,
    )
    found = figures(context.job, predictions, context.registry)
    # A model that trains itself may have reported neither.
    if measurements.get("validation_accuracy") is None:
        measurements["validation_accuracy"] = float((predictions.predicted == labels).mean())
    if measurements.get("validation_loss") is None and predictions.output == "probabilities":
        measurements["validation_loss"] = log_loss(predictions.probabilities, labels)
    found["measurements"] = measurements
    return found
