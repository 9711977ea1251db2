"""What a run will do: datasets, recipes and trials, fully resolved, each trial with its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mnistarena import data
from mnistarena.components import Dataset, Task
from mnistarena.plugins import CORE, source_digest
from mnistarena.registry import Component, Registry
from mnistarena.spec import schema
from mnistarena.spec.load import Spec
from mnistarena.version import __version__

ENGINE = "2"
"""Part of every identity: it changes when the engine would compute other numbers from the same spec."""


@dataclass(frozen=True)
class Metric:
    """A metric under the label its figures carry."""

    label: str
    component: Component
    params: Any

    def definition(self) -> dict[str, Any]:
        """What a stored figure was computed with; another definition means computing it again."""
        return {
            "name": self.component.name,
            "params": self.params.model_dump(mode="json"),
            "source": self.component.plugin.digest,
        }


@dataclass(frozen=True)
class View:
    """A further view of the test images: a chain of transforms, at one `severity` where its parameter has several."""

    name: str
    parameter: str | None
    severity: Any
    transforms: tuple[tuple[Component, Any], ...]

    def definition(self) -> dict[str, Any]:
        """What stored predictions of the view were made of; another definition means predicting it again."""
        return {
            "name": self.name,
            "parameter": self.parameter,
            "severity": self.severity,
            "transforms": [{"name": c.name, "params": p.model_dump(mode="json")} for c, p in self.transforms],
            "sources": [c.plugin.digest for c, _ in self.transforms],
        }


@dataclass(frozen=True)
class Data:
    """A dataset of the plan: loaded, fingerprinted and split. `dataset` is None where it is not at hand."""

    label: str
    component: Component
    params: Any
    table: schema.DatasetTable
    dataset: Dataset | None = None
    split: data.Split | None = None
    fingerprint: str = ""
    task: Task | None = None

    def describe(self) -> dict[str, Any]:
        """For plan.json."""
        assert self.dataset is not None
        assert self.split is not None
        assert self.task is not None
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
            "image_shape": list(self.dataset.image_shape),
            "mean": list(self.task.mean),
            "std": list(self.task.std),
            "known_label_errors": list(self.dataset.known_label_errors),
            "licence": self.dataset.licence,
            "source": self.dataset.source,
        }


@dataclass(frozen=True)
class Recipe:
    """A model with everything that makes it what it is, on one dataset; its seeds are its trials."""

    label: str
    data: Data
    model: Component
    params: Any
    transforms: tuple[tuple[Component, Any], ...]
    training: schema.Training
    seeds: tuple[int, ...]
    notes: tuple[str, ...] = ()
    resources: schema.Resources = field(default_factory=schema.Resources)
    files: Mapping[str, Path] = field(default_factory=dict)
    """What its `build` reads beside its parameters, such as trained weights, by SHA-256."""

    def identity(self, seed: int) -> dict[str, Any]:
        """What was asked for, fully resolved: equal identities under equal conditions give equal bits."""
        return {**self._identity, "seed": seed}

    @cached_property
    def _identity(self) -> dict[str, Any]:
        used = [self.model.plugin, *(component.plugin for component, _ in self.transforms)]
        table = self.data.table
        return {
            "engine": ENGINE,
            "model": {"name": self.model.name, "params": self.params.identity()},
            "dataset": {
                "fingerprint": self.data.fingerprint,
                "validation": table.validation,
                "split_seed": table.split_seed,
                "train_limit": table.train_limit,
                "test_limit": table.test_limit,
            },
            "transforms": self.transform_list(),
            "training": self.training.model_dump(mode="json", exclude={"time_limit"}),
            "sources": {f"{p.distribution}:{p.name}": p.digest for p in used},
        }

    def transform_list(self) -> list[dict[str, Any]]:
        """The chain as plain data."""
        return [{"name": c.name, "params": p.model_dump(mode="json")} for c, p in self.transforms]

    @property
    def time_limit(self) -> float | None:
        """The hard guard in seconds, or None."""
        return schema.seconds(self.training.time_limit) if self.training.time_limit else None

    def describe(self) -> dict[str, Any]:
        """For plan.json."""
        return {
            "label": self.label,
            "dataset": self.data.label,
            "model": self.model.name,
            "summary": self.model.definition.summary,
            "params": self.params.model_dump(mode="json"),
            "transforms": [{"name": t["name"], **t["params"]} for t in self.transform_list()],
            "training": self.training.model_dump(mode="json"),
            "notes": list(self.notes),
            "distribution": self.model.origin,
            "deterministic": self.model.definition.deterministic,
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class Trial:
    """One recipe with one seed. `id` is 16 hex digits of the identity's SHA-256."""

    recipe: Recipe
    seed: int
    id: str
    identity: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """For people: label, dataset, seed."""
        return f"{self.recipe.label} on {self.recipe.data.label}, seed {self.seed}"


def identify(identity: dict[str, Any]) -> str:
    """An identity's short name."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """Everything a run will do."""

    spec: Spec
    benchmark: schema.Benchmark
    metrics: tuple[Metric, ...]
    datasets: tuple[Data, ...]
    recipes: tuple[Recipe, ...]
    labels: tuple[str, ...]
    """The labels of all recipes of the spec, also of those that --only left out."""
    registry: Registry
    views: tuple[View, ...] = ()

    def trials(self) -> list[Trial]:
        """Every trial, in the spec's order."""
        return list(self._trials)

    @cached_property
    def _trials(self) -> list[Trial]:
        found = []
        for recipe in self.recipes:
            for seed in recipe.seeds:
                identity = recipe.identity(seed)
                found.append(Trial(recipe, seed, identify(identity), identity))
        return found

    def describe(self) -> dict[str, Any]:
        """plan.json, without conditions."""
        return {
            "name": self.benchmark.name,
            "spec_file": Path(self.spec.source.name).name,
            "engine": ENGINE,
            "baseline": self.benchmark.baseline,
            "margin": schema.share(self.benchmark.margin),
            "target": None if self.benchmark.target is None else schema.fraction(self.benchmark.target),
            "timing": self.benchmark.timing,
            "metrics": [
                {
                    "label": m.label,
                    "higher_is_better": m.component.definition.higher_is_better,
                    "summary": m.component.definition.summary,
                    **m.definition(),
                }
                for m in self.metrics
            ],
            "views": [view.definition() for view in self.views],
            "datasets": [d.describe() for d in self.datasets],
            "entries": [r.describe() for r in self.recipes],
            "trials": [
                {"id": t.id, "label": t.recipe.label, "dataset": t.recipe.data.label, "seed": t.seed}
                for t in self.trials()
            ],
        }

    def sources(self) -> dict[str, str]:
        """The digests of all code that decides a figure: this package's, and every plugin's in use."""
        return {CORE: source_digest(str(Path(__file__).with_name("__init__.py")))} | {
            f"{p.distribution}:{p.name}": p.digest for p in (component.plugin for component in self.components())
        }

    def components(self) -> list[Component]:
        """Every component in use."""
        used = [r.model for r in self.recipes] + [d.component for d in self.datasets]
        used += [m.component for m in self.metrics] + [c for r in self.recipes for c, _ in r.transforms]
        return used + [c for view in self.views for c, _ in view.transforms]

    def distributions(self) -> dict[str, str]:
        """Name → version of every distribution in use."""
        return {c.plugin.distribution: c.plugin.version for c in self.components()} | {CORE: __version__}


def carry_over(described: dict[str, Any], before: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """With --only, models of the spec that were left out keep what an earlier start planned for them."""
    planned = {entry["label"] for entry in described["entries"]}
    datasets = {entry["label"]: entry["fingerprint"] for entry in described["datasets"]}
    same_data = {
        entry["label"] for entry in before.get("datasets", []) if datasets.get(entry["label"]) == entry["fingerprint"]
    }

    def kept(entry: dict[str, Any]) -> bool:
        return entry["label"] in labels and entry["label"] not in planned and entry["dataset"] in same_data

    merged = dict(described)
    for key in ("entries", "trials"):
        together = described[key] + [entry for entry in before.get(key, []) if kept(entry)]
        merged[key] = sorted(together, key=lambda entry: labels.index(entry["label"]))
    return merged
