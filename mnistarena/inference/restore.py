"""A finished trial's model, ready to predict: read from what is stored, or a scikit-learn classifier fitted again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mnistarena.engine.random_state import streams_kept
from mnistarena.errors import ArenaError, StoreError
from mnistarena.inference.provenance import (
    identity_of,
    load_dataset,
    planned_dataset,
    planned_recipe,
    registry_for_run,
)
from mnistarena.plugin.components import Task
from mnistarena.plugin.messages import Identity
from mnistarena.plugin.registry import Registry
from mnistarena.store.records import DrawRecord
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.trial.trained import Trained, fit_arrays, load_weights, stored_classifier, untrained


@dataclass(frozen=True)
class Restored(Trained):
    """The trained model of a finished trial."""

    trial: StoredTrial


def restore(
    run: StoredRun,
    trial: StoredTrial,
    device: str | torch.device = "cpu",
    *,
    plugins: Sequence[object] = (),
    warn: Callable[[str], object] = warnings.warn,
) -> Restored:
    """The trained model of a finished trial of `run`.

    A scikit-learn classifier that is not stored is fitted again on its dataset. `plugins` are the single-file plugins
    that the run used. `warn` is told where the code of a plugin is not the one that the trial ran with, and where a
    stored classifier is fitted again after all, since it cannot be read safely.
    Raises `ArenaError` where the weights are missing or altered, or do not fit what is installed.
    """
    registry, device = registry_for_run(run, plugins), torch.device(device)
    identity = identity_of(trial)
    if "predictions" in identity:
        raise ArenaError(f"{trial.name}: its predictions were brought from outside, so there is no model to restore")
    try:
        changed = registry.changed_sources(identity)
        if changed:
            warn(f"the code of {', '.join(changed)} has changed since {trial.name} ran: its answers may differ")
        with streams_kept(torch.device("cpu")):
            found = untrained(
                identity,
                params=json.dumps(planned_recipe(run, trial)["params"]),
                task=_task(run, trial, identity),
                device=device,
                registry=registry,
            )
            if isinstance(found.model, nn.Module):
                load_weights(found, trial.folder, digests=trial.files, name=trial.name)
            else:
                stored = stored_classifier(found, trial.folder, digests=trial.files, name=trial.name, warn=warn)
                found = stored or _fit_again(found, run, trial, identity, registry)
    except (KeyError, TypeError, ValueError) as problem:
        raise ArenaError(
            f"{trial.name} cannot be restored by what is installed: {type(problem).__name__}: {problem}"
        ) from problem
    return Restored(
        found.task,
        found.chain,
        recipe=found.recipe,
        model=found.model,
        device=device,
        output=found.output,
        package=found.package,
        trial=trial,
    )


def _fit_again(found: Trained, run: StoredRun, trial: StoredTrial, identity: Identity, registry: Registry) -> Trained:
    loaded = load_dataset(run, trial.dataset, split=identity["dataset"], registry=registry)
    images, labels = loaded.dataset.train_images, loaded.dataset.train_labels
    rows, held = loaded.split.train, loaded.split.validation
    return fit_arrays(found, images[rows], labels[rows], images[held], labels[held], seed=identity["seed"])


def _task(run: StoredRun, trial: StoredTrial, identity: Identity) -> Task:
    """The task before any transform, from the plan alone: the dataset need not be on this machine."""
    entry = planned_dataset(run, trial.dataset)
    again = f"run the spec again with --out {run.path}: finished trials are kept, the plan is written anew"
    draws = entry.get("draws")
    used: Mapping[str, Any] = entry if draws is None else _draw_of(trial, draws)
    shape, mean, std = entry.get("image_shape"), used.get("mean"), used.get("std")
    if shape is None or mean is None or std is None:
        raise StoreError(f"the plan of {run.path} does not say the mean and std of its training images; {again}")
    planned = {
        "fingerprint": entry["fingerprint"],
        "validation": used.get("n_validation"),
        "split_seed": trial.seed if entry.get("split_seed") == "seed" else entry.get("split_seed"),
        "train_limit": entry.get("train_limit"),
        "test_limit": entry.get("test_limit"),
        "split": trial.split,
        "folds": entry.get("folds"),
    }
    if planned != {key: identity["dataset"].get(key) for key in planned}:
        raise StoreError(f"{trial.name} ran on another split than the plan of {run.path} describes; {again}")
    channels, height, width = shape
    names = tuple(entry["class_names"])
    return Task(
        (channels, height, width),
        len(names),
        class_names=names,
        n_train=used["n_train"],
        mean=tuple(mean),
        std=tuple(std),
        class_counts=tuple(used.get("class_counts", ())),
    )


def _draw_of(trial: StoredTrial, draws: Sequence[DrawRecord]) -> Mapping[str, Any]:
    """What the plan says of a trial's split; nothing where it is not there."""
    found = [one for one in draws if one.get("split") == trial.split and one.get("seed") in (None, trial.seed)]
    return found[0] if found else {}
