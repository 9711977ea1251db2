"""One trial from start to end: build the model, train it, predict the test images, measure, score."""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import numpy as np
import torch
from torch import nn

from mnistarena.engine.chain import build_chain
from mnistarena.engine.packing import Unusable
from mnistarena.engine.prediction import Outcome, Predict
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.seeds import derive
from mnistarena.errors import ArenaError, TrialError, first_line
from mnistarena.plugin.executor import Job
from mnistarena.plugin.messages import Event, Measured, Measurements, Result, Send, StageBegan
from mnistarena.plugin.predictions import Predictions
from mnistarena.plugin.registry import Registry, installed
from mnistarena.pretrained.weights import brought
from mnistarena.spec.schema import Training
from mnistarena.store.trial_folder import DESCRIPTION, MODEL, TrialFolder
from mnistarena.trial.classifier import run_classifier
from mnistarena.trial.context import TrialContext
from mnistarena.trial.estimate import classifier_cost, network_cost
from mnistarena.trial.model import build_model
from mnistarena.trial.network import run_network
from mnistarena.trial.scoring import CHANGED, ChangedCodeError, no_views, predict_views, score
from mnistarena.trial.search import judge
from mnistarena.trial.trained import (
    Trained,
    describe,
    file_of,
    fit,
    load_bytes,
    load_weights,
    stored_classifier,
    untrained,
)

ALIKE, ALIKE_IMAGES = 1e-3, 8
"""How far the outputs of a stored model may be from those of the trained one, and on how many images."""


def run_trial(job: Job, send: Send, notes: list[str]) -> Result:
    """Do what a job asks: a whole trial, the scores of a finished one, or an estimate of what it would cost.

    What is to be said of the trial is added to `notes`, so that it is known where the trial fails, too.
    """
    registry = installed(job.plugins, first=job.identity.get("sources", ()))
    if job.mode == "score":
        return _score_again(job, registry, send)
    assert job.task is not None
    _refuse_changed_code(job, registry)
    brought.update(job.files)
    stages = _Stages(send)
    context = TrialContext(
        job,
        stages.send,
        registry=registry,
        chain=build_chain(job.identity["transforms"], job.task, registry),
        recipe=Training.model_validate_json(json.dumps(job.identity["training"])),
        device=set_up(job),
        notes=notes,
    )
    model = _build(context)
    if job.mode == "estimate":
        cost = network_cost(context, model) if isinstance(model, nn.Module) else classifier_cost(context, model)
        return {"status": "done", "cost": cost}
    outcome = _train(context, model)
    if "search" in job.identity:
        return judge(context, outcome, _finish(outcome.measurements, stages))
    # The predictions first: whatever fails or is ended after them costs no training.
    _store_predictions(context, outcome)
    context.send(Measured(_finish(outcome.measurements, stages), tuple(context.notes)))
    _store_model(context, outcome, file_of(model))
    context.begin("measuring")
    measurements = _finish({**outcome.measurements, **_costs(context, outcome)}, stages)
    context.send(Measured(measurements, tuple(context.notes)))
    context.begin("scoring")
    scored = score(job, context.folder.predictions(), registry)
    view_problems = predict_views(job, outcome.predict, registry, context.send)
    return {**scored, "view_problems": view_problems, "measurements": measurements}


def set_up(job: Job) -> torch.device:
    """Set the threads of this process, and return its device."""
    from threadpoolctl import threadpool_limits

    threads = job.conditions["threads"]
    torch.set_num_threads(threads)
    threadpool_limits(threads)
    device = torch.device(job.conditions["device"])
    choose_kernels(device)
    return device


def choose_kernels(device: torch.device) -> None:
    """On a CUDA device: float32 products and convolutions may be TF32, and cuDNN times its kernels to choose one."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True


def _refuse_changed_code(job: Job, registry: Registry) -> None:
    """Raise `TrialError` where the code of the model or a transform is not what the trial's identity says."""
    if changed := registry.changed_sources(job.identity):
        raise TrialError(f"the code of {', '.join(changed)} {CHANGED}")


def _build(context: TrialContext) -> Any:
    """The model as its plugin builds it, the random streams seeded as for every trial of this seed."""
    definition = context.definition
    params = definition.params.model_validate_json(context.job.params)
    seed_everything(derive(context.seed, "initialisation"))
    return build_model(definition, params, context.chain.task)


def _train(context: TrialContext, model: Any) -> Outcome:
    """Train a model of either family, from its checkpoint where there is a usable one."""
    if not isinstance(model, nn.Module):
        return run_classifier(context, model)
    try:
        return run_network(context, model)
    except Unusable as problem:
        print(f"the checkpoint cannot be used, the training starts again: {problem}")
        context.folder.checkpoint.remove()
        return run_network(context, _build(context))


def _store_predictions(context: TrialContext, outcome: Outcome) -> None:
    # The labels of the test split are read only now, when there is nothing left to choose.
    predictions = Predictions(
        context.array("test_labels"),
        outcome.outputs.values,
        index=context.array("test_index"),
        extras=outcome.extras,
        output=outcome.outputs.output,
        n_classes=outcome.outputs.n_classes,
    )
    context.folder.write_predictions(predictions)


def _store_model(context: TrialContext, outcome: Outcome, name: str) -> None:
    """Store the trained model, where the spec asks for it and it can be stored; else the trial says why not."""
    if not context.job.keep_model or outcome.weights is None:
        return
    try:
        weights = outcome.weights()
        context.folder.write_model(weights, name)
        if name == MODEL:
            context.folder.write_model(describe(context).to_bytes(), DESCRIPTION)
        _check_restored(context, weights, outcome.predict)
    except Exception as problem:  # a state that no file can hold, a model's own function, a full disk
        context.folder.remove_model()
        kind = "" if isinstance(problem, ArenaError) else f"{type(problem).__name__}: "
        context.note(f"the trained model is not stored: {kind}{first_line(problem)}")


def _check_restored(context: TrialContext, stored: bytes, predict: Predict) -> None:
    """Raise `ArenaError` unless the model, read back from what is stored, predicts what the trained one does."""
    job = context.job
    assert job.task is not None
    images = context.array("test_images")[:ALIKE_IMAGES]
    wanted = predict(images).values
    if not np.array_equal(wanted, predict(images).values):  # its predictions are random
        return
    built = untrained(job.identity, params=job.params, task=job.task, device=context.device, registry=context.registry)
    loaded = load_bytes(built, stored)
    if np.allclose(loaded.predict(images).values, wanted, rtol=ALIKE, atol=ALIKE):
        return
    if not isinstance(built.model, nn.Module):
        raise TrialError("read back from its file it answers otherwise")
    raise TrialError(
        "built anew with the stored weights it answers otherwise, so it keeps something that it learned outside "
        "its parameters and buffers; use register_buffer"
    )


def _costs(context: TrialContext, outcome: Outcome) -> Measurements:
    """What measuring the trained model found; where it raises, the trial says so and goes without."""
    try:
        return outcome.costs()
    except Exception as problem:
        context.note(f"not measured to its end: {type(problem).__name__}: {first_line(problem)}")
        return {}


def _finish(measurements: Measurements, stages: _Stages) -> Measurements:
    """The measurements with the trial's whole time, what an interrupted training had used before included."""
    measurements = measurements.copy()
    earlier = measurements.pop("earlier_seconds", 0.0)
    return {
        **measurements,
        "wall_seconds": earlier + time.perf_counter() - stages.began,
        "stage_seconds": stages.seconds(),
    }


def _score_again(job: Job, registry: Registry, send: Send) -> Result:
    """Metrics of the stored predictions, and further views, predicted by the trained model."""
    folder = TrialFolder(job.folder)
    scored = score(job, folder.predictions(), registry)
    if job.views:
        try:
            predict = _trained(job, folder, registry)
        except ChangedCodeError:
            raise
        except Exception as problem:
            traceback.print_exc()
            return {**scored, "view_problems": no_views(job, problem)}
        scored["view_problems"] = predict_views(job, predict, registry, send)
    return scored


def _trained(job: Job, folder: TrialFolder, registry: Registry) -> Predict:
    """The finished trial's model, ready to predict: its stored weights, or fitted again."""
    assert job.task is not None
    if "predictions" in job.identity:
        raise TrialError("its predictions were brought from outside: there is no model that can predict views")
    if changed := registry.changed_sources(job.identity):
        raise ChangedCodeError(f"the code of {', '.join(changed)} {CHANGED}")
    found: Trained = untrained(job.identity, params=job.params, task=job.task, device=set_up(job), registry=registry)
    record = folder.read()
    digests = record["files"] if record else {}
    if isinstance(found.model, nn.Module):
        load_weights(found, folder, digests=digests, name=folder.path.name)
        return found.predict
    stored = stored_classifier(found, folder, digests=digests, name=folder.path.name, warn=print)
    return (stored or fit(found, job.data, job.identity["seed"])).predict


class _Stages:
    """Passes events on, and keeps how long each stage of the trial took in this process."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = time.perf_counter()
        self._marks = [("starting", self.began)]

    def send(self, event: Event) -> None:
        if isinstance(event, StageBegan):
            self._marks.append((event.stage, time.perf_counter()))
        self._send(event)

    def seconds(self) -> dict[str, float]:
        ends = [mark for _, mark in self._marks[1:]] + [time.perf_counter()]
        return {stage: end - mark for (stage, mark), end in zip(self._marks, ends, strict=True)}
