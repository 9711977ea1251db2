"""Metrics of a trial's predictions, and its predictions on further views of the test images."""

from __future__ import annotations

import numpy as np

from mnistarena.data.arrays import read_array
from mnistarena.engine.chain import build_chain
from mnistarena.engine.prediction import Predict
from mnistarena.engine.seeds import derive
from mnistarena.engine.views import view_images
from mnistarena.errors import TrialError
from mnistarena.plugin.components import MetricDef, Params, Predictions
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import Send, StageBegan
from mnistarena.plugin.registry import Component, Registry
from mnistarena.store.trial_folder import TrialFolder

CHANGED = "has changed since this run was planned; start the run again, in a new Python process"


class MetricError(TrialError):
    """A metric or a view that failed: the predictions are stored, only scoring must be done again."""


def score(job: Job, predictions: Predictions, registry: Registry) -> dict[str, float | None]:
    """Every metric of the plan, from the stored predictions."""
    values: dict[str, float | None] = {}
    for metric in job.metrics:
        definition: MetricDef = _planned(registry.get("metric", metric.name), metric.source).definition
        params = definition.params.model_validate_json(metric.params)
        values[metric.label] = compute(metric.label, definition, predictions=predictions, params=params)
    return values


def _planned(component: Component, source: str | None) -> Component:
    """The component, if its plugin's code is still what the run was planned with; else `MetricError`."""
    if source is not None and component.plugin.digest != source:
        raise MetricError(f'the code of the {component.kind} "{component.name}" {CHANGED}')
    return component


def compute(label: str, metric: MetricDef, *, predictions: Predictions, params: Params) -> float | None:
    """A metric's value, None where it has no meaning for the model; raises `MetricError` that names the metric."""
    try:
        found = metric.compute(predictions, params)
        if found is None:
            return None
        value = float(found)
    except Exception as problem:
        raise MetricError(f'the metric "{label}" failed: {type(problem).__name__}: {problem}') from problem
    if not np.isfinite(value):
        raise MetricError(f'the metric "{label}" is {value}')
    return value


def predict_views(job: Job, predict: Predict, registry: Registry, send: Send) -> None:
    """Predict the further views of the test images, and store the predicted classes."""
    predicted = []
    assert job.task is not None
    for view in job.views:
        send(StageBegan(view["name"]))
        for transform, source in zip(view["transforms"], view["sources"], strict=True):
            _planned(registry.get("transform", transform["name"]), source)
        chain = build_chain(view["transforms"], job.task, registry)
        try:
            images = view_images(read_array(job.data, "test_images"), chain, derive(0, "view", view["name"]))
            predicted.append(predict(images).argmax(axis=1))
        except Exception as problem:
            raise MetricError(f'the view "{view["name"]}" failed: {type(problem).__name__}: {problem}') from problem
    TrialFolder(job.folder).write_views(predicted)
