"""A finished trial's model, ready to predict: its stored weights loaded, or a scikit-learn classifier fitted again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena import classifier, evaluation, module, origin, streams, training
from mnistarena.batches import Batches, Chain
from mnistarena.chains import build_chain
from mnistarena.components import Task
from mnistarena.errors import ArenaError, StoreError, TrialError
from mnistarena.pretrained import without_weights
from mnistarena.registry import Registry, installed
from mnistarena.results import Run, TrialResult
from mnistarena.seeds import derive
from mnistarena.spec.schema import Training
from mnistarena.trialfolder import TrialFolder


@dataclass(frozen=True)
class Trained:
    """A trained model. `task` is the dataset's, before `chain`, the trial's transforms; `recipe` its training.

    `model` is a torch module in evaluation mode, or a fitted scikit-learn classifier.
    """

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


@dataclass(frozen=True)
class Restored(Trained):
    """The trained model of a finished trial."""

    trial: TrialResult


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
        params = json.dumps(origin.planned(run, trial)["params"])
        with _own_streams():
            found = untrained(asked, params, _task(run, trial, asked), device, registry)
            if isinstance(found.model, nn.Module):
                assert trial.folder is not None
                load(found, trial.folder, trial.files, trial.name)
            elif refit:
                entry = origin.load_dataset(run, trial.dataset, asked["dataset"], registry)
                assert entry.dataset is not None
                assert entry.split is not None
                rows = entry.split.train
                fit(found, entry.dataset.train_images[rows], entry.dataset.train_labels[rows], asked["seed"])
            else:
                raise TrialError(
                    f"{trial.name} is a scikit-learn classifier, not a torch module: no weights are stored"
                )
    except (KeyError, TypeError, ValueError) as problem:
        raise ArenaError(
            f"{trial.name} cannot be restored by what is installed: {type(problem).__name__}: {problem}"
        ) from problem
    return Restored(found.task, found.chain, found.recipe, found.model, device, trial)


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


def untrained(
    identity: Mapping[str, Any], params: str, task: Task, device: torch.device, registry: Registry
) -> Trained:
    """The model of a trial's identity before its training; `params` are its model's, as JSON.

    As the trial's seed starts it, but for trained weights to start from: those are replaced anyway.
    """
    chain = build_chain(identity["transforms"], task, registry)
    recipe = Training.model_validate_json(json.dumps(identity["training"]))
    definition = registry.get("model", identity["model"]["name"]).definition
    streams.seed_everything(derive(identity["seed"], "initialisation"))
    model = definition.build(without_weights(definition.params.model_validate_json(params)), chain.task)
    return Trained(task, chain, recipe, model, device)


def load(trained: Trained, folder: TrialFolder, digests: Mapping[str, str], name: str) -> None:
    """A trial's stored weights into its torch module; `StoreError` where there are none, or they do not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load as read

    if folder.digest_of_model() is None:
        raise StoreError(
            f"{name} has no stored model: the spec says keep_models = false, or arena clean removed it; with "
            "keep_models = true, arena run SPEC --only LABEL --force trains it again"
        )
    try:
        trained.model.load_state_dict(read(folder.model(digests)))
    except (SafetensorError, RuntimeError) as problem:
        first = " ".join(str(problem).split("\n", 2)[:2])
        raise StoreError(f"the stored weights of {name} do not fit the model as installed: {first}") from problem
    trained.model.to(trained.device).eval()
    module.to_channels_last(trained.model)


def fit(trained: Trained, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int) -> None:
    """Fit a scikit-learn classifier on the training split, as its trial did."""
    classifier.prepare(trained.model, trained.chain, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there was to warn of is in the trial's own log
        trained.model.fit(classifier.flat(images, trained.chain), labels)


@contextmanager
def _own_streams() -> Iterator[None]:
    """Seeds set inside leave the caller's random numbers as they were."""
    cpu = torch.device("cpu")
    before = streams.capture(cpu)
    try:
        yield
    finally:
        streams.restore(*before, cpu)
