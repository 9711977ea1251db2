"""Everything that a run will do: metrics, views, datasets, recipes and trials, fully resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mnistarena.data.draws import Draw
from mnistarena.plan.brought import BroughtRecipe
from mnistarena.plan.identity import ENGINE
from mnistarena.plan.metric import Metric
from mnistarena.plan.recipe import LoadedDataset, PlannedDataset, Recipe, Transforms, Trial, transform_identities
from mnistarena.plan.search import Search
from mnistarena.plugin.discovery import CORE, core_digest
from mnistarena.plugin.messages import ViewDefinition
from mnistarena.plugin.registry import Component, Registry
from mnistarena.plugin.settings import Settings
from mnistarena.spec import schema, units
from mnistarena.spec.load import Spec
from mnistarena.spec.seeds import SeedsUntil
from mnistarena.stats.looks import Looks
from mnistarena.store.records import (
    AutoPrecision,
    LooksPlan,
    PlannedTrial,
    PlanRecord,
    PublishedRecord,
    RecipeRecord,
)
from mnistarena.store.search_records import ChosenRecord
from mnistarena.version import __version__


@dataclass(frozen=True)
class TestView:
    """A further view of the test images: a chain of transforms, at one `severity` where its parameter has several."""

    name: str
    parameter: str | None
    _: KW_ONLY
    severity: Any
    transforms: Transforms

    def definition(self) -> ViewDefinition:
        """What stored predictions of the view were made of; another definition means predicting it again."""
        return {
            "name": self.name,
            "parameter": self.parameter,
            "severity": self.severity,
            "transforms": transform_identities(self.transforms),
            "sources": [component.plugin.digest for component, _ in self.transforms],
        }


@dataclass(frozen=True)
class Outline:
    """What a spec asks for, as far as it can be known without downloading anything: `arena validate`.

    `labels` are those of the recipes, `trials` how many there are at most; `missing` are labels of datasets that are
    not on this machine.
    """

    labels: tuple[str, ...]
    datasets: tuple[PlannedDataset, ...]
    _: KW_ONLY
    trials: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a run will do. `labels` are those of all recipes of the spec, also of those that --only left out.

    `margin` is in the unit of the figure that decides; of a share 0.001 is 0.1 percentage points. `searches` choose
    further recipes; once that is done, these are among `recipes`, and `chosen` says what was chosen. `auto_precision`:
    by what precision = "auto" was decided; None before that, or where nothing asks.
    """

    spec: Spec
    benchmark: schema.Benchmark
    _: KW_ONLY
    metrics: tuple[Metric, ...]
    datasets: tuple[LoadedDataset, ...]
    recipes: tuple[Recipe, ...]
    labels: tuple[str, ...]
    registry: Registry
    views: tuple[TestView, ...] = ()
    margin: float = 0.001
    searches: tuple[Search, ...] = ()
    chosen: Mapping[tuple[str, str], Sequence[ChosenRecord]] = field(default_factory=dict)
    auto_precision: AutoPrecision | None = None
    published: tuple[PublishedRecord, ...] = ()

    def with_chosen(self, chosen: Mapping[tuple[str, str], Sequence[ChosenRecord]]) -> Plan:
        """The plan with the recipes that its searches chose, by label and dataset; one that found nothing has none."""
        found = [
            recipe
            for search in self.searches
            if chosen.get(search.key)
            for recipe in search.chosen(one["point"] for one in chosen[search.key])
        ]
        return replace(self, recipes=tuple(sorted([*self.recipes, *found], key=self._place)), chosen=chosen)

    @property
    def most_trials(self) -> int:
        """How many trials there are, those of searches with a budget of trials included."""
        searched = sum(search.table.repeats * (search.trials or search.table.at_once) for search in self.searches)
        return searched + len({trial.id for trial in self._trials})

    def _place(self, recipe: Recipe) -> tuple[int, int]:
        return self.labels.index(recipe.label), self.datasets.index(recipe.data)

    @property
    def run_labels(self) -> set[str]:
        """The labels of the recipes that run, those that are yet to be chosen included."""
        return {recipe.label for recipe in self.recipes} | {search.key[0] for search in self.searches}

    def trials(self) -> list[Trial]:
        """Every trial, in the spec's order."""
        return list(self._trials)

    @property
    def open_searches(self) -> dict[str, Search]:
        """The searches whose recipes are yet to be chosen, by the id of the trial that stands for theirs."""
        return {search.sample.id: search for search in ([] if self.chosen else self.searches)}

    def samples(self) -> list[Trial]:
        """Every trial, and one of each recipe that is yet to be chosen: what the run will be like."""
        return [*self._trials, *(search.sample for search in self.open_searches.values())]

    def in_turns(self) -> list[Trial]:
        """Every trial, in the order in which they run.

        With timing = "exclusive" in rounds of a seed, and split, of each recipe. What slows the machine for a while
        then slows all alike. Every other round goes backwards: what slows it more and more does not favour those that
        come first.
        """
        if self.benchmark.timing != "exclusive":
            return self.trials()
        rounds: dict[tuple[int, int], list[Trial]] = {}
        for trial in self._trials:
            rounds.setdefault((trial.recipe.seeds.index(trial.seed), trial.split or 0), []).append(trial)
        return [trial for n, at in enumerate(sorted(rounds)) for trial in (rounds[at][::-1] if n % 2 else rounds[at])]

    @cached_property
    def _trials(self) -> list[Trial]:
        return [self._at_look(trial) for recipe in self.recipes for trial in recipe.trials()]

    def _at_look(self, trial: Trial) -> Trial:
        """A trial with the first look that needs it."""
        if self.looks is None or trial.recipe.own_seeds:
            return trial
        return replace(trial, look=self.looks.number(trial.recipe.seeds.index(trial.seed)))

    def draws(self, data: LoadedDataset, trials: Iterable[Trial] | None = None) -> list[Draw]:
        """The ways in which these trials split a dataset, each once: by default all trials of the plan."""
        used = [t.draw for t in (self._trials if trials is None else trials) if t.recipe.data is data]
        return list({id(one): one for one in used}.values())

    @property
    def looks(self) -> Looks | None:
        """After how many seeds the run is looked at; None where their number is fixed."""
        seeds = self.benchmark.seeds
        return seeds.looks if isinstance(seeds, SeedsUntil) else None

    def describe(self) -> PlanRecord:
        """plan.json, without the conditions."""
        looks: LooksPlan | None = None
        if self.looks is not None:
            looks = {"until": "decided", "seeds": list(self.looks.seeds), "shares": list(self.looks.shares)}
        found: PlanRecord = {
            "name": self.benchmark.name,
            "spec_file": Path(self.spec.source.name).name,
            "engine": ENGINE,
            "baseline": self.benchmark.baseline,
            "decide": self.benchmark.decide,
            "margin": self.margin,
            "target": None if self.benchmark.target is None else units.fraction(self.benchmark.target),
            "timing": self.benchmark.timing,
            "looks": looks,
            "metrics": [metric.describe() for metric in self.metrics],
            "views": [view.definition() for view in self.views],
            "datasets": [d.describe([t for t in self._trials if t.recipe.data is d]) for d in self.datasets],
            "entries": self._entries(),
            "trials": [_planned(trial) for trial in self._trials],
            "plugins": [{"name": file.name, "digest": file.digest} for file in self.registry.files],
        }
        if self.auto_precision is not None:
            found["auto_precision"] = self.auto_precision
        if self.published:
            found["published"] = list(self.published)
        if self.searches:
            found["searches"] = [search.describe() for search in self.searches]
        return found

    def _entries(self) -> list[RecipeRecord]:
        """The recipes in plan.json, one a label and dataset; what is not chosen yet is as its table has it."""
        bases = {search.key: search.base for search in self.searches}
        found: dict[tuple[str, str], RecipeRecord] = {}
        for recipe in sorted([*self.recipes, *bases.values()], key=self._place):
            key = (recipe.label, recipe.data.label)
            if recipe is bases.get(key) and self.chosen.get(key):
                continue
            described = recipe.describe()
            if recipe is bases.get(key):
                described |= {"seeds": [], "chosen": []}
            elif key in bases:
                described["chosen"] = list(self.chosen[key])
            found[key] = described if key not in found else _joined(found[key], described)
        return list(found.values())

    def sources(self) -> dict[str, str]:
        """The digests of all code that decides a figure: this package's, and every plugin's in use."""
        plugins = (component.plugin for component in self.components())
        return {CORE: core_digest()} | {plugin.key: plugin.digest for plugin in plugins}

    def components(self) -> list[Component]:
        """Every component in use."""
        recipes = [r for r in self.recipes if not isinstance(r, BroughtRecipe)]
        recipes += [search.base for search in self.searches]
        used = [r.model for r in recipes] + [d.component for d in self.datasets]
        used += [m.component for m in self.metrics] + [c for r in recipes for c, _ in r.transforms]
        used += [c for r in recipes for c in r.ingredients]
        return used + [c for view in self.views for c, _ in view.transforms]

    def distributions(self) -> dict[str, str]:
        """Name → version of every distribution in use."""
        return {c.plugin.distribution: c.plugin.version for c in self.components()} | {CORE: __version__}


def _joined(first: RecipeRecord, further: RecipeRecord) -> RecipeRecord:
    """The entry of a recipe of which each seed has a search of its own; `first` describes those before."""
    chosen = first["chosen"]
    if "params" not in chosen[0]:
        chosen = [_described(chosen[0], first), *chosen[1:]]
    place = len(first["seeds"])
    chosen = [*chosen[:place], _described(chosen[place], further), *chosen[place + 1 :]]
    return {**first, "seeds": [*first["seeds"], *further["seeds"]], "chosen": chosen, "deterministic": False}


def _described(chosen: ChosenRecord, entry: RecipeRecord) -> ChosenRecord:
    """What was chosen, with the recipe that it makes."""
    return {
        **chosen,
        "params": entry["params"],
        "transforms": cast(list[Settings], entry["transforms"]),
        "training": cast(Settings, entry["training"]),
    }


def _planned(trial: Trial) -> PlannedTrial:
    """A trial in plan.json."""
    found: PlannedTrial = {
        "id": trial.id,
        "label": trial.recipe.label,
        "dataset": trial.recipe.data.label,
        "seed": trial.seed,
        "look": trial.look,
    }
    if trial.split is not None:
        found["split"] = trial.split
    return found
