"""A finished trial's model, ready to predict: its stored weights loaded, or a scikit-learn classifier fitted again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena import classifier, evaluation, module, origin, streams, training
from mnistarena.batches import Batches, Chain
from mnistarena.components import Task
from mnistarena.errors import ArenaError, StoreError, TrialError
from mnistarena.pretrained import without_weights
from mnistarena.registry import Registry, installed
from mnistarena.results import Run, TrialResult
from mnistarena.seeds import derive
from mnistarena.spec.schema import Training
from mnistarena.trial import build_chain


@dataclass(frozen=True)
class Restored:
    """A trained model. `task` is the dataset's, before `chain`, the trial's transforms; `recipe` its training.

    `model` is a torch module in evaluation mode, or a fitted scikit-learn classifier.
    """

    trial: TrialResult
    task: Task
    chain: Chain
    recipe: Training
    model: Any
    device: torch.device

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Of images uint8 `(n, C, H, W)`, before any transform: `(n, n_classes)`, as for the trial's test split.

        Raises `ValueError` where the images have another type or shape.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.task.image_shape or not len(images):
            wanted = ", ".join(map(str, self.task.image_shape))
            raise ValueError(f"images of {images.dtype} {images.shape}; wanted uint8 (n, {wanted}), n at least 1")
        if not isinstance(self.model, nn.Module):
            features = classifier.flat(images, self.chain)
            return evaluation.classifier_probabilities(self.model, features, self.task.n_classes)
        batches = Batches(images, None, self.chain, self.device, keep=False)
        amp = training.autocast(self.recipe, self.device)
        logits, _ = evaluation.predict(self.model, batches, self.task.n_classes, amp, extras_too=False)
        return evaluation.probabilities(logits)


def restore(
    run: Run,
    trial: TrialResult,
    device: str | torch.device = "cpu",
    *,
    refit: bool = True,
    warn: Callable[[str], object] = warnings.warn,
) -> Restored:
    """The trained model of a finished trial of `run`.

    A scikit-learn classifier, which is not stored, is fitted again on its dataset; with `refit` false that is
    a `TrialError`. `warn` is told where the code of a plugin is not what the trial ran with.
    Raises `ArenaError` where the weights are missing or altered, or do not fit what is installed.
    """
    registry, device = installed(), torch.device(device)
    asked = origin.identity(trial)
    try:
        changed = origin.changed_sources(asked, registry)
        if changed:
            warn(f"the code of {', '.join(changed)} has changed since {trial.name} ran: its answers may differ")
        recipe = Training.model_validate_json(json.dumps(asked["training"]))
        task = _task(run, trial, asked)
        with _own_streams():
            chain = build_chain(asked["transforms"], task, registry)
            model = _build(run, trial, asked, chain, registry)
            if isinstance(model, nn.Module):
                _load(model, trial)
                model.to(device).eval()
                module.to_channels_last(model)
            elif refit:
                _fit(model, run, trial, asked, chain, registry)
            else:
                raise TrialError(
                    f"{trial.name} is a scikit-learn classifier, not a torch module: no weights are stored"
                )
    except (KeyError, TypeError, ValueError) as problem:
        raise ArenaError(
            f"{trial.name} cannot be restored by what is installed: {type(problem).__name__}: {problem}"
        ) from problem
    return Restored(trial, task, chain, recipe, model, device)


def _task(run: Run, trial: TrialResult, asked: dict[str, Any]) -> Task:
    """The task before any transform, from the plan alone: the dataset need not be at hand."""
    entry = origin.planned_dataset(run, trial.dataset)
    again = f"run the spec again with --out {run.path}: finished trials are kept, the plan is written anew"
    if any(entry.get(key) is None for key in ("image_shape", "mean", "std")):
        raise StoreError(f"the plan of {run.path} does not say the mean and std of its training images; {again}")
    split = {"validation": entry["n_validation"], **{key: entry.get(key) for key in origin.SPLIT[1:]}}
    if any(asked["dataset"].get(key) != value for key, value in {**split, "fingerprint": entry["fingerprint"]}.items()):
        raise StoreError(f"{trial.name} ran on another split than the plan of {run.path} describes; {again}")
    channels, height, width = entry["image_shape"]
    return Task(
        image_shape=(channels, height, width),
        n_classes=len(entry["class_names"]),
        class_names=tuple(entry["class_names"]),
        n_train=entry["n_train"],
        mean=tuple(entry["mean"]),
        std=tuple(entry["std"]),
    )


def _build(run: Run, trial: TrialResult, asked: dict[str, Any], chain: Chain, registry: Registry) -> Any:
    """The untrained model, as the trial's seed starts it but for trained weights, which are replaced anyway."""
    definition = registry.get("model", asked["model"]["name"]).definition
    params = definition.params.model_validate_json(json.dumps(origin.planned(run, trial)["params"]))
    streams.seed_everything(derive(asked["seed"], "initialisation"))
    return definition.build(without_weights(params), chain.task)


def _load(model: nn.Module, trial: TrialResult) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load

    assert trial.folder is not None
    if trial.folder.digest_of_model() is None:
        raise StoreError(
            f"{trial.name} has no stored model: the spec says keep_models = false, or arena clean removed it; with "
            f'keep_models = true, arena run SPEC --only "{trial.label}" --force trains it again'
        )
    try:
        model.load_state_dict(load(trial.folder.model(trial.files)))
    except (SafetensorError, RuntimeError) as problem:
        first = " ".join(str(problem).split("\n", 2)[:2])
        raise StoreError(f"the stored weights of {trial.name} do not fit the model as installed: {first}") from problem


def _fit(model: Any, run: Run, trial: TrialResult, asked: dict[str, Any], chain: Chain, registry: Registry) -> None:
    entry = origin.load_dataset(run, trial.dataset, asked["dataset"], registry)
    assert entry.dataset is not None
    assert entry.split is not None
    rows = entry.split.train
    classifier.prepare(model, chain, asked["seed"])
    model.fit(classifier.flat(entry.dataset.train_images[rows], chain), entry.dataset.train_labels[rows])


@contextmanager
def _own_streams() -> Iterator[None]:
    """Seeds set inside leave the caller's random numbers as they were."""
    cpu = torch.device("cpu")
    before = streams.capture(cpu)
    try:
        yield
    finally:
        streams.restore(*before, cpu)
