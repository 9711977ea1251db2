"""Datasets of a plan, recipes (a model with everything that makes it what it is, on one dataset), and their trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, astuple, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.borders import Borders
from mnistarena.data.draws import Draw, draw, own_share, pooled
from mnistarena.data.large import take
from mnistarena.data.splits import Indices, SplitRule
from mnistarena.engine.seeds import derive
from mnistarena.plan.identity import ENGINE, identify
from mnistarena.plan.search_place import SearchPlace
from mnistarena.plugin.components import Dataset, Params, Task
from mnistarena.plugin.executor import Resources
from mnistarena.plugin.messages import ComponentIdentity, Identity
from mnistarena.plugin.registry import Component, named_in
from mnistarena.plugin.settings import Settings
from mnistarena.spec import schema, units
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.store.records import DatasetRecord, DrawRecord, RecipeRecord, TrainingRecord, TransformRecord
from mnistarena.text import drawn

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
    """A dataset that was loaded and fingerprinted. Each trial uses one way of splitting it, a `Draw`."""

    dataset: Dataset
    fingerprint: str
    _draws: dict[SplitRule, Draw] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def whole(self) -> Dataset:
        """What is split: the dataset, or all of its images together."""
        return pooled(self.dataset) if self.table.pooled else self.dataset

    def draw(self, seed: int, split: int | None) -> Draw:
        """The split that a trial uses. Raises `DataError` where there are too few images for it."""
        rule = self.table.rule(seed, split)
        if self.table.splits is not None and rule.test_share is None:
            rule = replace(rule, test_share=own_share(self.dataset))
        if rule not in self._draws:
            self._draws[rule] = draw(self.whole, rule, self.fingerprint)
        return self._draws[rule]

    @property
    def validates(self) -> bool:
        """Whether images are set aside for validation."""
        return len(self.first.split.validation) > 0

    @property
    def first(self) -> Draw:
        """The split that stands for all of them where models are checked: the only one, or that of seed or split 0."""
        return self.draw(0, self.table.numbers[0])

    @property
    def task(self) -> Task:
        """What a model faces before any transform."""
        return self.first.task

    def test_split(self, rows: Indices) -> dict[str, NDArray[Any]]:
        """Test images as the run folder keeps them; `rows` are all that any trial tests on."""
        dataset = self.whole
        found: dict[str, NDArray[Any]] = {
            "images": take(dataset.test_images, rows),
            "labels": dataset.test_labels[rows],
            "index": rows,
        }
        if dataset.test_groups is not None:
            found["groups"] = dataset.test_groups[rows]
        if dataset.test_names is not None:
            found["names"] = np.array([dataset.test_names[row] for row in rows], dtype=str)
        return found

    def describe(self, trials: Sequence[Trial]) -> DatasetRecord:
        """The dataset in plan.json; `trials` are all that use it."""
        draws = {(t.drawn_by, t.split): t.draw for t in trials} if self.table.several else {}
        first = next(iter(draws.values()), self.first)
        groups = self.whole.test_groups
        tested = test_rows([*draws.values()] or [first])
        described = {
            "label": self.label,
            "name": self.component.name,
            "params": self.params.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            **_sizes(first),
            "test_groups": 0 if groups is None else len(np.unique(groups[tested])),
            "split_seed": self.table.split_seed,
            "train_limit": self.table.train_limit,
            "test_limit": self.table.test_limit,
            "test": self.table.test,
            "class_names": list(self.dataset.class_names),
            "image_shape": list(self.dataset.image_shape),
            "border": list(astuple(Borders.of(self.dataset.train_images))),
            "known_label_errors": list(self.whole.known_label_errors),
            "licence": self.dataset.licence,
            "source": self.dataset.source,
        }
        if self.table.pooled:
            described["n_images"] = len(self.whole.train_labels)
        if draws:
            described["n_test"] = len(test_rows(draws.values()))
            described |= {"folds": self.table.folds, "splits": self.table.splits}
            described["draws"] = [{"seed": seed, "split": split, **_sizes(d)} for (seed, split), d in draws.items()]
        return cast(DatasetRecord, described)


def test_rows(draws: Iterable[Draw]) -> Indices:
    """The rows of all images that are tested in any of these splits of one dataset."""
    found: Indices = np.unique(np.concatenate([one.split.test for one in draws]))
    return found


def _sizes(found: Draw) -> DrawRecord:
    return {
        "n_train": len(found.split.train),
        "n_validation": len(found.split.validation),
        "n_test": len(found.split.test),
        "class_counts": list(found.task.class_counts),
        "mean": list(found.task.mean),
        "std": list(found.task.std),
    }


def one_seed_is_enough(model: Component, transforms: Transforms, data: PlannedDataset) -> bool:
    """Whether nothing of a training depends on its seed."""
    random = any(component.definition.random for component, _ in transforms) or data.table.split_seed == "seed"
    return model.definition.deterministic and not random


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

    def trials(self) -> Iterator[Trial]:
        """One a seed, or one a seed and split."""
        for seed in self.seeds:
            for split in self.data.table.numbers:
                yield Trial(self, seed, split=split)

    def identity(self, seed: int, split: int | None) -> Identity:
        """What was asked for, fully resolved: equal identities under equal conditions give equal bits.

        In each split of several a seed gives other random numbers, so that the luck of seeds in one says nothing of
        that in another.
        """
        own = seed if split is None else derive(seed, "split", split) % 2**31
        return {**self._identity, "dataset": self.data.draw(seed, split).identity, "seed": own}

    @cached_property
    def _identity(self) -> Identity:
        named = named_in(self._used())
        ingredients = [component for component in self.ingredients if (component.kind, component.name) in named]
        components = (self.model, *(component for component, _ in self.transforms), *ingredients)
        used = [component.plugin for component in components]
        return {
            "engine": ENGINE,
            "model": {"name": self.model.name, "params": self.params.identity()},
            "transforms": transform_identities(self.transforms),
            "training": {key: value for key, value in self._used().items() if key != "time_limit"},
            "sources": {plugin.key: plugin.digest for plugin in used},
        }

    def _used(self) -> Settings:
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
            "caveat": self.model.definition.caveat,
            "params": self.params.model_dump(mode="json"),
            "transforms": cast(list[TransformRecord], transforms),
            "training": cast(TrainingRecord, self._used()),
            "notes": list(self.notes),
            "distribution": self.model.origin,
            "deterministic": self.model.definition.deterministic and self.data.table.split_seed != "seed",
            "output": self.model.definition.output,
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed, on one of the splits where its dataset has several numbers of them.

    `look` is the first look at the results that needs it; 1 where the number of seeds is fixed. `search` is its place
    among the trials of a search, which never see the test images.
    """

    recipe: Recipe
    seed: int
    _: KW_ONLY
    split: int | None = None
    look: int = 1
    search: SearchPlace | None = None

    @cached_property
    def identity(self) -> Identity:
        """What was asked for, fully resolved."""
        found = self.recipe.identity(self.seed, self.split)
        return found if self.search is None else {**found, "search": self.search.identity}

    @cached_property
    def id(self) -> str:
        """The short name of its identity."""
        return identify(self.identity)

    @property
    def draw(self) -> Draw:
        """The split of its dataset."""
        return self.recipe.data.draw(self.seed, self.split)

    @property
    def drawn_by(self) -> int | None:
        """The seed that draws its training images; None where they do not depend on it."""
        return self.seed if self.recipe.data.table.split_seed == "seed" else None

    @property
    def name(self) -> str:
        """The trial's name to show: label, dataset, seed, split."""
        what = drawn(self.seed, self.split) if self.search is None else str(self.search)
        return f"{self.recipe.label} on {self.recipe.data.label}, {what}"
