"""Datasets of a plan, recipes (a model with everything that makes it what it is, on one dataset), and their trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mnistarena.data.splits import Split
from mnistarena.plan.identity import ENGINE
from mnistarena.plugin.components import Dataset, Params, Task
from mnistarena.plugin.executor import Resources
from mnistarena.plugin.messages import ComponentIdentity, Identity, SplitIdentity
from mnistarena.plugin.registry import Component, named_in
from mnistarena.spec import schema, units
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.store.records import DatasetRecord, RecipeRecord, TrainingRecord, TransformRecord

Transforms = tuple[tuple[Component, Params], ...]
"""A chain of transforms, each with its parameters."""


def transform_identities(transforms: Transforms) -> list[ComponentIdentity]:
    """A chain as plain data."""
    return [{"name": c.name, "params": p.model_dump(mode="json")} for c, p in transforms]


@dataclass(frozen=True)
class PlannedDataset:
    """A dataset that a spec names; its data may not be on this machine."""

    label: str
    component: Component
    _: KW_ONLY
    params: Params
    table: schema.DatasetTable


@dataclass(frozen=True)
class LoadedDataset(PlannedDataset):
    """A dataset that was loaded, fingerprinted and split; `task` is what a model faces before any transform."""

    dataset: Dataset
    split: Split
    fingerprint: str
    task: Task

    @property
    def identity(self) -> SplitIdentity:
        """The arrays and their split, in the identity of each trial."""
        return {
            "fingerprint": self.fingerprint,
            "validation": len(self.split.validation),
            "split_seed": self.table.split_seed,
            "train_limit": self.table.train_limit,
            "test_limit": self.table.test_limit,
        }

    def describe(self) -> DatasetRecord:
        """The dataset in plan.json."""
        return {
            "label": self.label,
            "name": self.component.name,
            "params": self.params.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "n_train": len(self.split.train),
            "n_validation": len(self.split.validation),
            "n_test": len(self.split.test),
            "split_seed": self.table.split_seed,
            "train_limit": self.table.train_limit,
            "test_limit": self.table.test_limit,
            "class_names": list(self.dataset.class_names),
            "class_counts": list(self.task.class_counts),
            "image_shape": list(self.dataset.image_shape),
            "mean": list(self.task.mean),
            "std": list(self.task.std),
            "known_label_errors": list(self.dataset.known_label_errors),
            "licence": self.dataset.licence,
            "source": self.dataset.source,
        }


@dataclass(frozen=True)
class Recipe:
    """A model with everything that makes it what it is, on one dataset; its seeds are its trials.

    `ingredients` are the components that its training names: loss, schedule, optimizers, augmentations, monitor.
    `files` are those that the model's `build` reads beside its parameters, such as trained weights, by SHA-256.
    `path` is where the spec has its model. `own_seeds`: its table lists its seeds, so that all are for the first look.
    """

    label: str
    data: LoadedDataset
    _: KW_ONLY
    model: Component
    params: Params
    transforms: Transforms
    training: schema.Training
    seeds: tuple[int, ...]
    own_seeds: bool = False
    notes: tuple[str, ...] = ()
    ingredients: tuple[Component, ...] = ()
    resources: Resources = field(default_factory=Resources)
    files: Mapping[str, Path] = field(default_factory=dict)
    path: KeyPath = ()

    @property
    def name(self) -> str:
        """The recipe's name to show: label and dataset, and the model where the label does not begin with it."""
        model = "" if self.label.partition("[")[0] == self.model.name else f" (model {self.model.name})"
        return f"{self.label}{model} on {self.data.label}"

    def identity(self, seed: int) -> Identity:
        """What was asked for, fully resolved: equal identities under equal conditions give equal bits."""
        return {**self._identity, "seed": seed}

    @cached_property
    def _identity(self) -> Identity:
        named = named_in(self._used())
        ingredients = [component for component in self.ingredients if (component.kind, component.name) in named]
        components = (self.model, *(component for component, _ in self.transforms), *ingredients)
        used = [component.plugin for component in components]
        return {
            "engine": ENGINE,
            "model": {"name": self.model.name, "params": self.params.identity()},
            "dataset": self.data.identity,
            "transforms": transform_identities(self.transforms),
            "training": {key: value for key, value in self._used().items() if key != "time_limit"},
            "sources": {plugin.key: plugin.digest for plugin in used},
        }

    def _used(self) -> dict[str, Any]:
        """What of the training table the model uses, as plain data."""
        uses = self.model.definition.uses
        return self.training.model_dump(mode="json", include=None if uses is None else set(uses))

    @property
    def time_limit(self) -> float | None:
        """The hard time limit in seconds, or None."""
        return units.seconds(self.training.time_limit) if self.training.time_limit else None

    def describe(self) -> RecipeRecord:
        """The recipe in plan.json."""
        transforms = [{"name": t["name"], **t["params"]} for t in transform_identities(self.transforms)]
        return {
            "label": self.label,
            "dataset": self.data.label,
            "model": self.model.name,
            "summary": self.model.definition.summary,
            "params": self.params.model_dump(mode="json"),
            "transforms": cast(list[TransformRecord], transforms),
            "training": cast(TrainingRecord, self._used()),
            "notes": list(self.notes),
            "distribution": self.model.origin,
            "deterministic": self.model.definition.deterministic,
            "output": self.model.definition.output,
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed. `id` is the short name of its identity; `look` the first one that needs it."""

    recipe: Recipe
    seed: int
    _: KW_ONLY
    id: str
    identity: Identity = field(repr=False)
    look: int = 1

    @property
    def name(self) -> str:
        """The trial's name to show: label, dataset, seed."""
        return f"{self.recipe.label} on {self.recipe.data.label}, seed {self.seed}"
