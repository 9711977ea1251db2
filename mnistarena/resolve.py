"""Spec × registry → plan: every name looked up, every parameter checked, every shape walked through."""

from __future__ import annotations

import fnmatch
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from mnistarena import data
from mnistarena.components import DataContext, Dataset, PrepareContext, Task
from mnistarena.errors import ArenaError, DataError, MissingDataError
from mnistarena.lookup import Lookup, blame
from mnistarena.plan import Data, Metric, Plan, Recipe
from mnistarena.registry import Component, Registry, did_you_mean
from mnistarena.resolve_views import views_of
from mnistarena.spec import optimizers, schema
from mnistarena.spec.load import Problems, Spec, merge
from mnistarena.spec.locate import Path as KeyPath

DEFAULT_EPOCHS = 5


def data_dir() -> Path:
    """Where datasets are cached."""
    return Path(platformdirs.user_cache_dir("mnistarena"))


def resolve(spec: Spec, registry: Registry, *, only: tuple[str, ...] = (), fetch: bool = True) -> Plan:
    """Resolve a spec against what is installed. Raises `SpecError` with every problem at once.

    With `fetch` false, nothing is downloaded and no model is prepared: what a dataset that is not on this
    machine would say about shapes stays unchecked. That is `arena validate`.
    """
    return _Resolver(spec, registry, only, fetch).plan()


class _Resolver:
    def __init__(self, spec: Spec, registry: Registry, only: tuple[str, ...], fetch: bool) -> None:
        self.spec, self.registry, self.only, self.fetch = spec, registry, only, fetch
        self.problems: Problems = spec.problems
        self.lookup = Lookup(registry, spec.problems)
        self.loaded: dict[str, tuple[Dataset, str]] = {}

    def plan(self) -> Plan:
        metrics = self.metrics()
        datasets = self.datasets()
        variants = [v for i, table in enumerate(self.spec.models) if table for v in self.variants(i, table)]
        labels = self.unique_labels([(v.path, v.label) for v in variants], "model")
        self.baseline(labels)
        chosen = [v for v in variants if self.is_chosen(v.label)]
        if self.only and not chosen and variants:
            self.problems.add((), f"--only {' '.join(self.only)} selects none of: {', '.join(labels)}")
        # Parameters are checked for all models; preparing (weights …) only for those that will run.
        recipes = [r for v in variants for d in datasets for r in self.recipe(v, d, prepare=v in chosen)]
        views = tuple(views_of(self.spec, self.lookup, datasets))
        self.problems.stop()
        assert self.spec.benchmark is not None
        kept = tuple(r for r in recipes if self.is_chosen(r.label))
        return Plan(
            self.spec,
            self.spec.benchmark,
            tuple(metrics),
            tuple(datasets),
            kept,
            tuple(labels),
            self.registry,
            views,
        )

    def is_chosen(self, label: str) -> bool:
        return not self.only or any(label == p or fnmatch.fnmatchcase(label, p) for p in self.only)

    def metrics(self) -> list[Metric]:
        found: list[Metric] = []
        for i, entry in enumerate(self.spec.benchmark.metrics if self.spec.benchmark else ()):
            path: KeyPath = ("benchmark", "metrics", i)
            name, arguments = (entry, {}) if isinstance(entry, str) else (entry.name, entry.arguments)
            label = arguments.pop("label", name)
            component = self.lookup.component("metric", name, path)
            if component is None:
                continue
            params = self.problems.check(component.definition.params, arguments, path, noun="parameter")
            if label in [m.label for m in found]:
                self.problems.add(path, f'two metrics are labelled "{label}"; give one a "label" of its own')
            elif params is not None:
                found.append(Metric(label, component, params))
        return found

    def datasets(self) -> list[Data]:
        found, labelled = [], []
        for i, table in enumerate(self.spec.datasets):
            if table is None:
                continue
            path: KeyPath = ("dataset", i)
            labelled.append((path, table.label or table.name))
            component = self.lookup.component("dataset", table.name, (*path, "name"))
            if component is None:
                continue
            params = self.problems.check(component.definition.params, table.params, (*path, "params"), noun="parameter")
            if params is None:
                continue
            found.append(self.load(Data(table.label or table.name, component, params, table), path))
            if self.spec.benchmark is not None and self.spec.benchmark.target is not None and not table.validation:
                self.problems.add(path, 'the benchmark\'s "target" needs validation images; set "validation"')
        self.unique_labels(labelled, "dataset")
        return found

    def load(self, entry: Data, path: KeyPath) -> Data:
        table = entry.table
        try:
            dataset, fingerprint = self.load_once(entry)
            parts = data.split(
                dataset,
                validation=table.validation,
                split_seed=table.split_seed,
                train_limit=table.train_limit,
                test_limit=table.test_limit,
            )
        except MissingDataError as problem:
            if self.fetch:
                self.problems.add(path, str(problem))
            return entry
        except DataError as problem:
            self.problems.add(path, str(problem))
            return entry
        except Exception as problem:
            self.problems.add(path, blame(entry.component, "load", problem))
            return entry
        return Data(
            entry.label,
            entry.component,
            entry.params,
            table,
            dataset,
            parts,
            fingerprint,
            data.task(dataset, parts),
        )

    def load_once(self, entry: Data) -> tuple[Dataset, str]:
        key = f"{entry.component.name} {entry.params.model_dump_json()}"
        if key not in self.loaded:
            context = DataContext(data_dir(), self.fetch, self.spec.source.base_dir)
            dataset = data.check(entry.component.definition.load(entry.params, context), entry.component.name)
            self.loaded[key] = (dataset, data.fingerprint(dataset))
        return self.loaded[key]

    def unique_labels(self, labelled: list[tuple[KeyPath, str]], kind: str) -> list[str]:
        seen: list[str] = []
        for path, label in labelled:
            if label in seen:
                self.problems.add(path, f'two {kind}s are labelled "{label}"; give one a "label" of its own')
            else:
                seen.append(label)
        return seen

    def baseline(self, labels: list[str]) -> None:
        wanted = self.spec.benchmark.baseline if self.spec.benchmark else None
        if wanted is not None and wanted not in labels:
            hint = did_you_mean(wanted, labels) or f"; labels: {', '.join(labels)}"
            self.problems.add(("benchmark", "baseline"), f'no model is labelled "{wanted}"{hint}')

    def variants(self, index: int, table: schema.ModelTable) -> Iterator[_Variant]:
        path: KeyPath = ("model", index)
        axes: list[tuple[str, str, list[Any]]] = []
        for section, keys in table.grid.items():
            if section not in ("params", "training") or not isinstance(keys, dict):
                self.problems.add(
                    (*path, "grid", section),
                    f'unknown grid axis "{section}"; write params.NAME = […] or training.KEY = […]',
                )
                continue
            for key, values in keys.items():
                if not isinstance(values, list) or not values:
                    self.problems.add(
                        (*path, "grid", section, key),
                        f'"grid.{section}.{key}" must be a list of values to try',
                    )
                else:
                    axes.append((section, key, values))
        label = table.label or table.name
        for values in itertools.product(*(axis[2] for axis in axes)):
            changes: dict[str, dict[str, Any]] = {"params": {}, "training": {}}
            for (section, key, _), value in zip(axes, values, strict=True):
                changes[section][key] = value
            point = ",".join(f"{a[1]}={_short(v)}" for a, v in zip(axes, values, strict=True))
            yield _Variant(path, f"{label}[{point}]" if axes else label, table, changes)

    def recipe(self, variant: _Variant, entry: Data, prepare: bool) -> Iterator[Recipe]:
        table, path = variant.table, variant.path
        model = self.lookup.component("model", table.name, (*path, "name"))
        training = self.training(variant)
        chain, task = self.chain(table, path, entry)
        if model is None:
            return
        params = self.problems.check(
            model.definition.params,
            {**table.params, **variant.changes["params"]},
            _under(path, table.grid, "params"),
            noun="parameter",
        )
        if params is None or training is None or chain is None:
            return
        if training.select == "best" and not entry.table.validation:
            self.problems.add(
                (*path, "training"),
                f'select = "best" needs validation images; set "validation" in the dataset "{entry.label}"',
            )
        if task is not None and model.definition.check is not None:
            try:
                misfit = model.definition.check(params, task)
            except Exception as problem:
                self.problems.add(path, blame(model, "check", problem))
                return
            if misfit:
                self.problems.add(path, f'does not fit "{entry.label}": {misfit}')
                return
        context = PrepareContext(self.spec.source.base_dir, download=self.fetch)
        if self.fetch and prepare and model.definition.prepare is not None and not self.problems.found:
            try:
                params = model.definition.prepare(params, context)
            except ArenaError as problem:
                self.problems.add((*path, "params"), str(problem))
                return
            except Exception as problem:
                self.problems.add(path, blame(model, "prepare", problem))
                return
        seeds = tuple(table.seeds or (self.spec.benchmark.seeds if self.spec.benchmark else (0,)))
        if len(set(seeds)) != len(seeds):
            where: KeyPath = (*path, "seeds") if table.seeds else ("benchmark", "seeds")
            self.problems.add(where, f"a seed is given twice: {list(seeds)}")
        if model.definition.deterministic and not any(c.definition.random for c, _ in chain):
            seeds = seeds[:1]
        yield Recipe(
            variant.label,
            entry,
            model,
            params,
            tuple(chain),
            training,
            seeds,
            tuple(context.notes),
            table.resources,
            context.files,
        )

    def training(self, variant: _Variant) -> schema.Training | None:
        default = self.spec.data.get("training", {})
        changes = merge(variant.table.training, variant.changes["training"])
        merged = merge(default if isinstance(default, dict) else {}, changes)
        if "epochs" not in merged and "steps" not in merged:
            merged["epochs"] = DEFAULT_EPOCHS
        path = _under(variant.path, variant.table.grid, "training")
        if not changes:
            path = ("training",)
        training = self.problems.check(schema.Training, merged, path)
        if training is not None:
            optimizer = training.optimizer
            for key, message in optimizers.problems(optimizer.name, optimizer.arguments):
                own = "optimizer" in changes
                self.problems.add((*(path if own else ("training",)), "optimizer", key), message)
        return training

    def chain(
        self, table: schema.ModelTable, path: KeyPath, entry: Data
    ) -> tuple[list[tuple[Component, Any]] | None, Task | None]:
        """A model's transforms with their parameters, and the task after them (None where that is not known)."""
        if table.transforms is not None:
            return self.lookup.transforms(table.transforms, (*path, "transforms"), entry.task)
        where: KeyPath = ("dataset", self.spec.datasets.index(entry.table), "transforms")
        return self.lookup.transforms(entry.table.transforms, where, entry.task)


@dataclass(frozen=True)
class _Variant:
    """A `[[model]]` at one point of its grid."""

    path: KeyPath
    label: str
    table: schema.ModelTable
    changes: dict[str, dict[str, Any]]


def _under(path: KeyPath, grid: dict[str, Any], section: str) -> KeyPath:
    """Where a model's `params` or `training` are written: in the grid where it varies them."""
    return (*path, "grid", section) if section in grid else (*path, section)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text.replace('"', "")
