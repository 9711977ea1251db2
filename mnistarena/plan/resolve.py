"""Spec × registry → plan: every name looked up, every parameter checked, every image shape computed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import cast

from mnistarena.errors import DataError
from mnistarena.plan.alone import PlannedModel, check_damaged, planned_metrics, planned_model
from mnistarena.plan.brought import brought_recipe, files_of
from mnistarena.plan.contents import Outline, Plan
from mnistarena.plan.deciding import planned_margin
from mnistarena.plan.grid import Source, Variant, variants
from mnistarena.plan.loading import Loader, unique_labels
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.metric import Metric
from mnistarena.plan.published import published
from mnistarena.plan.recipe import (
    LoadedDataset,
    PlannedDataset,
    Recipe,
    Transforms,
    one_seed_is_enough,
    transform_identities,
)
from mnistarena.plan.search import Search
from mnistarena.plan.searching import Searching
from mnistarena.plan.space import at, with_parameters
from mnistarena.plan.training import check_data
from mnistarena.plan.views import views_of
from mnistarena.plugin.components import Params, PrepareContext, Task
from mnistarena.plugin.executor import Resources
from mnistarena.plugin.registry import Component, Registry
from mnistarena.plugin.space import Point
from mnistarena.spec import schema, units
from mnistarena.spec.brought import BroughtTable
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import Problems
from mnistarena.spec.seeds import SeedsUntil
from mnistarena.text import did_you_mean, is_chosen


def resolve(spec: Spec, registry: Registry, *, only: Sequence[str] = ()) -> Plan:
    """Resolve a spec against what is installed; missing data is downloaded.

    `only` are patterns of labels. Raises `SpecError` with every problem at once.
    """
    return _Resolver(spec, registry, only=only, fetch=True).plan()


def outline(spec: Spec, registry: Registry, *, only: Sequence[str] = ()) -> Outline:
    """Check a spec against what is installed, without downloading data or preparing models.

    Image shapes of a dataset that is not on this machine stay unchecked. Raises `SpecError` with every problem.
    """
    return _Resolver(spec, registry, only=only, fetch=False).outline()


def datasets(spec: Spec, registry: Registry, *, split: bool = True) -> list[LoadedDataset]:
    """The datasets of a spec alone; missing data is downloaded. Raises `SpecError` with every problem of them.

    Without `split` one that the spec does not say how to split is no problem.
    """
    found = Loader(spec, Lookup(registry, spec.problems), fetch=True, split=split).datasets()
    spec.problems.stop()
    return [cast(LoadedDataset, entry) for entry in found]


class _Resolver:
    def __init__(self, spec: Spec, registry: Registry, *, only: Sequence[str], fetch: bool) -> None:
        self.spec, self.registry, self.only, self.fetch = spec, registry, only, fetch
        self.problems = spec.problems
        self.lookup = Lookup(registry, spec.problems)
        self.loader = Loader(spec, self.lookup, fetch=fetch)
        self.trials = 0
        self.searches: list[Search] = []

    def plan(self) -> Plan:
        metrics, datasets, labels = self.metrics(), self.loader.datasets(), self.labels()
        margin = planned_margin(self.spec, metrics)
        found = self.recipes(datasets, metrics)
        views = tuple(views_of(self.spec, self.lookup, datasets))
        shown = tuple(published(self.spec, datasets, labels, self.only))
        self.problems.stop()
        assert self.spec.benchmark is not None
        return Plan(
            self.spec,
            self.spec.benchmark,
            metrics=tuple(metrics),
            datasets=tuple(cast(LoadedDataset, entry) for entry in datasets),
            recipes=tuple(found),
            labels=tuple(labels),
            registry=self.registry,
            views=views,
            margin=margin,
            searches=tuple(self.searches),
            published=shown,
        )

    def outline(self) -> Outline:
        metrics = self.metrics()
        planned_margin(self.spec, metrics)
        datasets, labels = self.loader.datasets(), self.labels()
        self.recipes(datasets, metrics)
        list(views_of(self.spec, self.lookup, datasets))
        list(published(self.spec, datasets, labels, self.only))
        self.problems.stop()
        missing = tuple(entry.label for entry in datasets if not isinstance(entry, LoadedDataset))
        return Outline(tuple(labels), tuple(datasets), trials=self.trials, missing=missing)

    def is_chosen(self, label: str) -> bool:
        return is_chosen(label, self.only)

    def metrics(self) -> list[Metric]:
        """The benchmark's metrics; what else is wrong with tables that have a problem already is recorded first."""
        check_damaged(self.spec, self.lookup)
        entries = self.spec.benchmark.metrics if self.spec.benchmark else ()
        return planned_metrics(entries, ("benchmark",), self.lookup)

    # ---- Labels

    def labels(self) -> list[str]:
        """The labels of all recipes, checked against `baseline` and --only."""
        labelled = [(v.path, v.label) for v in self.variants()]
        labelled += [(path, table.label) for path, table in self.brought()]
        rests = [(one.path, one.table) for one in self.spec.damaged if isinstance(one.table, schema.ModelTable)]
        labelled += [(path, table.label) for path, table in rests if table.label is not None and not table.grid]
        labels = unique_labels(labelled, "model", self.problems)
        wanted = self.spec.benchmark.baseline if self.spec.benchmark else None
        # A label may stand in a table that has a problem.
        known = None not in self.spec.models and isinstance(self.spec.data.get("model", []), list)
        if wanted is not None and wanted not in labels and known:
            hint = did_you_mean(wanted, labels) or f"; labels: {', '.join(labels)}"
            self.problems.add(("benchmark", "baseline"), f'no model is labelled "{wanted}"{hint}')
        if self.only and labels and not any(map(self.is_chosen, labels)):
            self.problems.add((), f"--only {' '.join(self.only)} selects none of: {', '.join(labels)}")
        return labels

    def variants(self) -> list[Variant]:
        """Every `[[model]]` at every point of its grid."""
        tables = [(i, table) for i, table in enumerate(self.spec.models) if isinstance(table, schema.ModelTable)]
        return [v for i, table in tables for v in variants(table, ("model", i), self.problems)]

    def brought(self) -> list[tuple[KeyPath, BroughtTable]]:
        """Every `[[model]]` that was trained elsewhere."""
        tables = enumerate(self.spec.models)
        return [(("model", i), table) for i, table in tables if isinstance(table, BroughtTable)]

    # ---- Recipes

    def recipes(self, datasets: Sequence[PlannedDataset], metrics: Sequence[Metric]) -> list[Recipe]:
        """Every chosen model on every dataset. The others are checked too, but not prepared (weights …).

        Those whose parameters are searched are put into `searches`.
        """
        found, searching = [], Searching(self.spec, self.lookup, metrics)
        for variant in self.variants():
            chosen = self.is_chosen(variant.label)
            planned = searching.space(variant)
            if planned is not None and planned.space:
                searches = list(searching.searches(variant, planned, datasets, self.recipe_at))
                self.searches += searches if chosen else []
                self.trials += sum(search.expected(None) for search in searches if chosen)
                continue
            model = planned_model(variant, self.spec, self.lookup)
            found += [self.recipe(variant, model, data, chosen=chosen) for data in datasets]
        searching.finish()
        found += [self.brought_on(table, path, data) for path, table in self.brought() for data in datasets]
        return [recipe for recipe in found if recipe is not None and self.is_chosen(recipe.label)]

    def recipe_at(self, variant: Variant, data: PlannedDataset, source: Source) -> Callable[[Point], Recipe]:
        """What makes the recipe of a model at a point of its search; it raises `SpecError` where that cannot be."""
        alone = copy.copy(self)

        def recipe(point: Point) -> Recipe:
            alone.problems = Problems(self.spec.source, self.spec.data)
            alone.lookup = Lookup(self.registry, alone.problems)
            found_at = at(variant, point, source)
            model = planned_model(found_at, self.spec, alone.lookup)
            found = alone.recipe(found_at, model, data, chosen=True)
            alone.problems.stop()
            assert found is not None
            return found

        return recipe

    def recipe(
        self, variant: Variant, planned: PlannedModel | None, data: PlannedDataset, *, chosen: bool
    ) -> Recipe | None:
        """A model on a dataset; None where something is wrong with it, or the dataset is not loaded."""
        table, path = variant.table, variant.path
        transforms, task = self.transforms(variant, data)
        if planned is None or transforms is None:
            return None
        model, params, training = planned.model, planned.params, planned.training
        check_data(training, data, self.lookup)
        if task is not None and not self.fits(model, params, task, path, data.label):
            return None
        context = PrepareContext(self.spec.source.base_dir, download=self.fetch, registry=self.registry)
        if isinstance(data, LoadedDataset):
            context.dataset, context.task = data.first.identity, data.task
            context.transforms = transform_identities(transforms)
        if self.fetch and chosen and not self.problems.found:
            prepared = self.prepared(model, params, context, path)
            if prepared is None:
                return None
            params = prepared
        seeds = self.seeds(model, transforms, variant, data)
        self.trials += len(seeds) * len(data.table.numbers) if chosen else 0
        if not isinstance(data, LoadedDataset):
            return None
        return Recipe(
            variant.label,
            data,
            model=model,
            params=params,
            transforms=transforms,
            training=training.training,
            ingredients=training.components,
            seeds=seeds,
            own_seeds=table.seeds is not None,
            notes=tuple(context.notes),
            resources=_resources(table.resources),
            files=context.files,
            path=path,
        )

    def brought_on(self, table: BroughtTable, path: KeyPath, data: PlannedDataset) -> Recipe | None:
        """A model that was trained elsewhere on a dataset; None where that is not loaded, or something is wrong."""
        base, several = self.spec.source.base_dir, len(self.spec.datasets) > 1
        try:
            if not isinstance(data, LoadedDataset):
                self.trials += len(files_of(table, data.label, base, several=several))
                return None
            found = brought_recipe(table, data, path, base=base, several=several)
        except DataError as problem:
            self.problems.add((*path, "predictions"), str(problem))
            return None
        self.trials += len(found.seeds) if self.is_chosen(table.label) else 0
        return found

    def fits(self, model: Component, params: Params, task: Task, path: KeyPath, dataset: str) -> bool:
        """Whether the model's own `check` accepts the images."""
        check = model.definition.check
        if check is None:
            return True
        answer = self.lookup.call(model, "check", lambda: (check(params, task),), path)
        if answer is None:
            return False
        if answer[0]:
            self.problems.add(path, f'does not fit "{dataset}": {answer[0]}')
        return not answer[0]

    def prepared(self, model: Component, params: Params, context: PrepareContext, path: KeyPath) -> Params | None:
        """The parameters after the model's own `prepare`."""
        prepare = model.definition.prepare
        if prepare is None:
            return params
        return self.lookup.call(model, "prepare", lambda: cast(Params, prepare(params, context)), path, table="params")

    def seeds(
        self, model: Component, transforms: Transforms, variant: Variant, data: PlannedDataset
    ) -> tuple[int, ...]:
        """The recipe's seeds; one is enough where nothing depends on it."""
        table, path = variant.table, variant.path
        given = table.seeds or (self.spec.benchmark.seeds if self.spec.benchmark else (0,))
        seeds = tuple(range(given.most)) if isinstance(given, SeedsUntil) else tuple(given)
        if len(set(seeds)) != len(seeds):
            where: KeyPath = (*path, "seeds") if table.seeds else ("benchmark", "seeds")
            self.problems.add(where, f"a seed is given twice: {list(seeds)}")
        return seeds[:1] if one_seed_is_enough(model, transforms, data) else seeds

    def transforms(self, variant: Variant, data: PlannedDataset) -> tuple[Transforms | None, Task | None]:
        """A model's transforms with their parameters, and the task after them (None where that is not known)."""
        task = data.task if isinstance(data, LoadedDataset) else None
        entries = data.table.transforms
        where: KeyPath = ("dataset", self.spec.datasets.index(data.table), "transforms")
        if variant.table.transforms is not None:
            entries, where = variant.table.transforms, (*variant.path, "transforms")
        if variant.transforms:
            where = variant.where("transforms")
            entries = with_parameters(entries, variant.transforms, where, self.problems)
        return self.lookup.transforms(entries, where, task)


def _resources(table: schema.ResourcesTable) -> Resources:
    memory = None if table.memory is None else units.size(table.memory)
    return Resources(table.cpus, table.gpus, memory=memory)
