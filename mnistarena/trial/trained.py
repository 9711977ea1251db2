"""A finished trial's model: built again, with its stored weights, or fitted again."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnistarena.data.arrays import read_array
from mnistarena.engine import prediction
from mnistarena.engine.batches import Batches
from mnistarena.engine.chain import Chain, build_chain
from mnistarena.engine.layout import place
from mnistarena.engine.model_state import load_stored, make_room
from mnistarena.engine.random_state import seed_everything
from mnistarena.engine.seeds import derive
from mnistarena.engine.step import in_float32
from mnistarena.errors import StoreError, TrialError
from mnistarena.plugin.components import ModelDef, Task
from mnistarena.plugin.messages import Identity
from mnistarena.plugin.predictions import Output, Outputs
from mnistarena.plugin.registry import Registry
from mnistarena.pretrained.teacher import TeacherParams
from mnistarena.pretrained.weights import without_weights
from mnistarena.spec.schema import Training
from mnistarena.store.description import ModelDescription
from mnistarena.store.trial_folder import CLASSIFIER, MODEL, TrialFolder
from mnistarena.trial.classifier_file import classifier_from
from mnistarena.trial.context import TrialContext
from mnistarena.trial.fitting import fit_classifier, flat, seed_classifier
from mnistarena.trial.model import build_model, makes_buffers


@dataclass(frozen=True)
class Trained:
    """A trained model. `task` is the dataset's, before `chain`, the trial's transforms; `recipe` its training.

    `model` is a torch module in evaluation mode, or a fitted scikit-learn classifier; `output` is what its plugin says
    that it returns. `package` is the module, or the package, of its plugin.
    """

    task: Task
    chain: Chain
    _: KW_ONLY
    recipe: Training
    model: Any
    device: torch.device
    output: Output | None
    package: str

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities `(n, n_classes)` of images uint8 `(n, C, H, W)`, before any transform: as of the test split.

        Raises `ValueError` where the images have another type or shape, `NoValue` where the model gives none.
        """
        return self.predict(images).probabilities

    def predict(self, images: NDArray[np.uint8]) -> Outputs:
        """What the model says of images uint8 `(n, C, H, W)`, before any transform.

        Raises `ValueError` where the images have another type or shape.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self.task.image_shape or not len(images):
            wanted = ", ".join(map(str, self.task.image_shape))
            raise ValueError(f"images of {images.dtype} {images.shape}; wanted uint8 (n, {wanted}), n at least 1")
        if not isinstance(self.model, nn.Module):
            features = flat(images, self.chain)
            return prediction.classifier_outputs(self.model, features, self.task.n_classes, self.output)
        batches = Batches(images, None, chain=self.chain, device=self.device, keep=False)
        amp = in_float32(self.device)
        output, n_classes = self.output or "logits", self.task.n_classes
        found, _ = prediction.predict(self.model, batches, n_classes, amp, output=output, extras_too=False)
        return prediction.answers(found, output, n_classes)


def describe(context: TrialContext) -> ModelDescription:
    """What the trained torch module of a trial is: what `untrained` takes to build it again for its weights."""
    job, registry = context.job, context.registry
    assert job.task is not None
    plugin = registry.get("model", context.definition.name).plugin
    params = without_weights(context.definition.params.model_validate_json(job.params))
    if isinstance(params, TeacherParams):
        params = params.model_copy(update={"teacher": ""})  # another path is no other model
    used = [t for t in job.identity["transforms"] if not registry.get("transform", t["name"]).definition.random]
    identity: Identity = {
        "model": {"name": context.definition.name, "params": params.model_dump(mode="json")},
        "transforms": used,
        "training": {"precision": context.recipe.precision},
        "sources": {plugin.key: plugin.digest},
        "seed": context.seed,
    }
    return ModelDescription(identity, job.task)


def untrained(identity: Identity, *, params: str, task: Task, device: torch.device, registry: Registry) -> Trained:
    """The model of a trial's identity before its training; `params` are its model's, as JSON.

    Initialised from the trial's seed, without trained weights to start from: those are replaced anyway.
    """
    chain = build_chain(identity["transforms"], task, registry)
    recipe = Training.model_validate_json(json.dumps(identity["training"]))
    component = registry.get("model", identity["model"]["name"])
    definition: ModelDef = component.definition
    seed_everything(derive(identity["seed"], "initialisation"))
    model = build_model(definition, without_weights(definition.params.model_validate_json(params)), chain.task)
    return Trained(
        task,
        chain,
        recipe=recipe,
        model=model,
        device=device,
        output=definition.output,
        package=getattr(component.plugin.module, "__name__", "").partition(".")[0],
    )


def load_weights(trained: Trained, folder: TrialFolder, *, digests: Mapping[str, str], name: str) -> None:
    """A trial's stored weights into its torch module; `StoreError` where there are none, or they do not fit."""
    from safetensors import SafetensorError

    if not folder.has_model():
        raise StoreError(
            f"{name} has no stored model: the spec says keep_models = false, or arena clean removed it; with "
            "keep_models = true, arena run SPEC --only LABEL --force trains it again"
        )
    try:
        load_bytes(trained, folder.model(digests))
    except (SafetensorError, RuntimeError) as problem:
        first = " ".join(str(problem).split("\n", 2)[:2])
        raise StoreError(f"the stored weights of {name} do not fit the model as installed: {first}") from problem


def stored_classifier(
    trained: Trained, folder: TrialFolder, *, digests: Mapping[str, str], name: str, warn: Callable[[str], object]
) -> Trained | None:
    """The fitted classifier that a trial stored; None where it has none, or none to be used, which `warn` is told.

    Raises `StoreError` where the file was altered.
    """
    if CLASSIFIER not in digests or not folder.has_model(CLASSIFIER):
        return None
    try:
        return load_bytes(trained, folder.model(digests, CLASSIFIER))
    except TrialError as problem:
        warn(f"the stored model of {name} is not used: {problem}")
        return None


def file_of(model: object) -> str:
    """The name of the file that holds such a model once it is trained."""
    return MODEL if isinstance(model, nn.Module) else CLASSIFIER


def load_bytes(trained: Trained, stored: bytes) -> Trained:
    """A trained model from what is stored of it; `TrialError` where a classifier cannot be read.

    A state dict in safetensors' format goes into the torch module, which is in evaluation mode and on its device then;
    a classifier takes the place of the one that was built.
    """
    from safetensors.torch import load

    if not isinstance(trained.model, nn.Module):
        features = math.prod(trained.chain.task.image_shape)
        return replace(trained, model=classifier_from(stored, package=trained.package, features=features))
    state = load(stored)
    if makes_buffers(trained.model):
        make_room(trained.model, state)
    load_stored(trained.model, state)
    place(trained.model, trained.chain, trained.device)
    trained.model.eval()
    return trained


def fit(trained: Trained, data: Path, seed: int) -> Trained:
    """The scikit-learn classifier fitted on the splits in folder `data`, as its trial did."""
    splits = [
        np.array(read_array(data, f"{s}_{name}")) for s in ("train", "validation") for name in ("images", "labels")
    ]
    return fit_arrays(trained, *splits, seed=seed)


def fit_arrays(
    trained: Trained,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    held_images: NDArray[np.uint8],
    held_labels: NDArray[np.int64],
    *,
    seed: int,
) -> Trained:
    """The scikit-learn classifier fitted as its trial did: training and validation images `(n, C, H, W)`, labels."""
    seed_classifier(trained.model, trained.chain, seed)
    features = flat(images, trained.chain)
    held = flat(held_images, trained.chain) if len(held_labels) else features[:0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trial's own log has these warnings
        return replace(trained, model=fit_classifier(trained.model, features, labels, held=(held, held_labels)))
