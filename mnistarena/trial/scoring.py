"""Metrics of a trial's predictions, and its predictions on further views of the test images.

Nothing that fails here makes the trial fail: its predictions are stored, so only that figure or that view is missing.
"""

from __future__ import annotations

import traceback

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.arrays import read_array, read_groups
from mnistarena.engine.chain import build_chain
from mnistarena.engine.prediction import Predict
from mnistarena.engine.seeds import derive
from mnistarena.engine.views import small_picture, view_images
from mnistarena.errors import NoValue, TrialError
from mnistarena.plugin.components import MetricDef
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import REASON_CHARACTERS, MetricRequest, Result, Send, StageBegan, view_title
from mnistarena.plugin.predictions import Predictions
from mnistarena.plugin.registry import Component, Registry
from mnistarena.stats import contributions
from mnistarena.store.contributions import Contribution
from mnistarena.store.trial_folder import TrialFolder

CHANGED = "has changed since this run was planned; start the run again, in a new Python process"


class ChangedCodeError(TrialError):
    """Code that is not what the run was planned with: the predictions are stored, only scoring must be done again."""


def score(job: Job, predictions: Predictions, registry: Registry) -> Result:
    """Every metric of the plan, from the stored predictions; why one is missing, where it is.

    What each image contributes to them is stored. Raises `ChangedCodeError`.
    """
    found = figures(job, predictions, registry)
    found["interval_problems"] = {}
    contributed: dict[str, Contribution] = {}
    for metric in job.metrics:
        value = found["metrics"][metric.label]
        if value is None:
            continue
        try:
            contributed[metric.label] = _contribution(
                metric, value, job=job, predictions=predictions, registry=registry
            )
        except Exception as problem:
            traceback.print_exc()
            found["interval_problems"][metric.label] = _reason(problem)
    TrialFolder(job.folder).contributions.write(contributed)
    return found


def figures(job: Job, predictions: Predictions, registry: Registry) -> Result:
    """Every metric that a job asks for; why one is missing, where it is. Raises `ChangedCodeError`."""
    found: Result = {"status": "done", "metrics": {}, "metric_problems": {}, "no_values": {}}
    for metric in job.metrics:
        value = None
        try:
            value = _value(metric, predictions, registry)
        except ChangedCodeError:
            raise
        except NoValue as reason:
            found["no_values"][metric.label] = str(reason)[:REASON_CHARACTERS]
        except Exception as problem:
            traceback.print_exc()
            found["metric_problems"][metric.label] = _reason(problem)
        found["metrics"][metric.label] = value
    return found


def _contribution(
    metric: MetricRequest, value: float, *, job: Job, predictions: Predictions, registry: Registry
) -> Contribution:
    """What each image contributes to a metric whose value is known; raises what the metric raises."""
    definition: MetricDef = registry.get("metric", metric.name).definition
    params = definition.params.model_validate_json(metric.params)
    if definition.per_image is not None:
        values = np.asarray(definition.per_image(predictions, params))
        problem = contributions.problem(values, value, len(predictions.labels))
        if problem:
            raise TrialError(f"per_image {problem}")
        return Contribution(values if values.dtype == np.bool_ else values.astype(np.float64))
    block = contributions.blocks(len(predictions.labels), read_groups(job.data, "test"))

    def without(rows: NDArray[np.int64]) -> float:
        found = definition.compute(predictions.of(rows), params)
        if found is None or not np.isfinite(found):
            raise TrialError(f"it is {found} of {len(rows)} of the {len(block)} images")
        return float(found)

    return Contribution(contributions.jackknife(value, without, block), block)


def _value(metric: MetricRequest, predictions: Predictions, registry: Registry) -> float | None:
    """A metric's value, None where it has no meaning for the model; raises what the metric raises."""
    definition: MetricDef = _planned(registry.get("metric", metric.name), metric.source).definition
    found = definition.compute(predictions, definition.params.model_validate_json(metric.params))
    if found is None:
        return None
    value = float(found)
    if not np.isfinite(value):
        raise TrialError(f"it is {value}")
    return value


def _planned(component: Component, source: str | None) -> Component:
    """The component, if its plugin's code is still what the run was planned with; else `ChangedCodeError`."""
    if source is not None and component.plugin.digest != source:
        raise ChangedCodeError(f'the code of the {component.kind} "{component.name}" {CHANGED}')
    return component


def predict_views(job: Job, predict: Predict, registry: Registry, send: Send) -> dict[str, str]:
    """Predict the further views of the test images, and store the predicted classes; why some are missing, by title.

    The first test image is stored too, small, as it is and in each view. Raises `ChangedCodeError`.
    """
    predicted, problems = [], {}
    pictures = [small_picture(read_array(job.data, "test_images")[0])]
    assert job.task is not None
    for view in job.views:
        send(StageBegan(view["name"]))
        try:
            for transform, source in zip(view["transforms"], view["sources"], strict=True):
                _planned(registry.get("transform", transform["name"]), source)
            chain = build_chain(view["transforms"], job.task, registry)
            images = view_images(read_array(job.data, "test_images"), chain, derive(0, "view", view["name"]))
            predicted.append(predict(images).predicted)
            pictures.append(small_picture(images[0]))
        except ChangedCodeError:
            raise
        except Exception as problem:
            traceback.print_exc()
            problems[view_title(view)] = _reason(problem)
    TrialFolder(job.folder).write_views(predicted, pictures)
    return problems


def no_views(job: Job, problem: Exception) -> dict[str, str]:
    """The reason why every view is missing: the trained model cannot be had."""
    TrialFolder(job.folder).write_views((), ())
    return dict.fromkeys(map(view_title, job.views), _reason(problem))


def _reason(problem: Exception) -> str:
    """An exception in a line."""
    text = str(problem) if isinstance(problem, TrialError) else f"{type(problem).__name__}: {problem}"
    return " ".join(text.split())[:REASON_CHARACTERS]
