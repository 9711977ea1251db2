"""The searches that a spec asks for: every space, budget and figure checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial

from mnistarena.errors import SpecError
from mnistarena.plan.alone import planned_model
from mnistarena.plan.grid import Source, Variant, axes_of
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.metric import Metric
from mnistarena.plan.recipe import LoadedDataset, PlannedDataset, Recipe, one_seed_is_enough
from mnistarena.plan.search import Search, is_measured_always, steps_of
from mnistarena.plan.space import at, corners, space_of
from mnistarena.plugin.components import Params
from mnistarena.plugin.registry import Component
from mnistarena.plugin.space import OneOf, Parameter, Point, Space
from mnistarena.spec.lines import Path as KeyPath
from mnistarena.spec.load import Spec
from mnistarena.spec.problems import Problems
from mnistarena.spec.search import SearchTable
from mnistarena.spec.seeds import SeedsUntil

EXAMPLE = "such as trials = 20"


@dataclass(frozen=True)
class PlannedSpace:
    """What a search of a model chooses among; `own`: its plugin says so; `grid`: the points are those of its grid."""

    space: Space
    _: KW_ONLY
    own: bool = False
    grid: bool = False


class Searching:
    """Finds the searches of a spec; problems are recorded at the key that is wrong."""

    def __init__(self, spec: Spec, lookup: Lookup, metrics: Sequence[Metric]) -> None:
        self.spec, self.lookup, self.problems, self.metrics = spec, lookup, lookup.problems, metrics
        self.table = spec.search or SearchTable()  # type: ignore[call-arg]
        self.used = False
        self.searcher: tuple[Component, Params] | None = None
        self.metric: Metric | None = None
        self.checked = False

    def space(self, variant: Variant) -> PlannedSpace | None:
        """What is chosen for a model, an empty space where nothing is; None where something is wrong with it."""
        table, path = variant.table, variant.path
        if table.choose is not None:
            if table.search:
                self.problems.add((*path, "search"), 'give "choose" with a grid, or "search", not both')
                return None
            space = tuple(
                Parameter(f"{section}.{key}", OneOf(tuple(values)))
                for section, key, values in axes_of(table, path, self.problems)
            )
            if not space:
                self.problems.add((*path, "choose"), '"choose" needs a grid to choose from')
            return self.sound(variant, PlannedSpace(space, grid=True), "grid") if space else None
        if table.search is False or (table.search is None and self.spec.search is None):
            return PlannedSpace(())
        if table.search is None:
            found = [c for c in self.lookup.registry.all("model") if c.name == table.name]
            space = found[0].definition.search if len(found) == 1 else ()
            return self.sound(variant, PlannedSpace(space, own=True), "search")
        if self.spec.search is None and "search" not in self.spec.data:
            self.problems.add(
                (*path, "search"), f"a search needs the table [search], which says what it may cost, {EXAMPLE}"
            )
            return None
        space = space_of(table.search, (*path, "search"), self.problems)
        return self.sound(variant, PlannedSpace(space), "search") if space else None

    def sound(self, variant: Variant, planned: PlannedSpace, source: Source) -> PlannedSpace | None:
        """The space, if the model can be planned at the ends of every range and at every value."""
        before = len(self.problems.found)
        for point in corners(planned.space) if planned.space else ():
            planned_model(at(variant, point, source), self.spec, self.lookup)
        self.used |= bool(planned.space)
        return planned if len(self.problems.found) == before else None

    # ---- Once for all searches

    def check(self) -> None:
        """Check the table [search] itself, once: what it looks at, and its searcher where that is said or needed."""
        if self.checked:
            return
        self.checked = True
        entry = self.table.searcher_entry
        if self.spec.search is not None:
            self.searcher = self.component("searcher", entry.name, entry.arguments, ("search", "searcher"))
        entry = self.table.by_entry
        if not is_measured_always(entry.name):
            known = {metric.label: metric for metric in self.metrics}
            if entry.name in known and not entry.arguments:
                self.metric = known[entry.name]
            elif found := self.component("metric", entry.name, entry.arguments, ("search", "by")):
                self.metric = Metric(entry.name, found[0], params=found[1])

    def component(self, kind: str, name: str, arguments: Point, path: KeyPath) -> tuple[Component, Params] | None:
        """A component with its parameters; None with what is wrong recorded."""
        found = self.lookup.component(kind, name, path)
        if found is None:
            return None
        params = self.problems.check(found.definition.params, arguments, path, noun="parameter")
        return None if params is None else (found, params)

    # ---- A search

    def searches(
        self,
        variant: Variant,
        planned: PlannedSpace,
        datasets: Sequence[PlannedDataset],
        recipe_of: Callable[[Variant, PlannedDataset, Source], Callable[[Point], Recipe]],
    ) -> Iterator[Search]:
        """The search of a model on every dataset; `recipe_of` says how to make the one at a point."""
        self.check()
        if planned.grid:
            trials: int | None = math.prod(len(p.domain.values) for p in planned.space if isinstance(p.domain, OneOf))
            searcher = self.component("searcher", "grid", {}, variant.path)
        else:
            trials, searcher = self.table.trials, self.searcher
            if trials is None and self.table.time is None and self.table.steps is None:
                self.problems.add(("search",), f"a search needs a budget, the same for every model, {EXAMPLE}")
        self.fits(variant)
        for data in datasets:
            if searcher is None or not self.has_validation(data) or not isinstance(data, LoadedDataset):
                continue
            recipe_at = recipe_of(variant, data, "grid" if planned.grid else "search")
            try:
                base = recipe_at(self.base_point(variant, planned))
                for point in corners(planned.space):
                    recipe_at(point)
            except SpecError as problem:
                self.problems.found |= dict.fromkeys(problem.problems, self.spec.source.line(variant.path))
                continue
            search = Search(
                base,
                self.table,
                space=planned.space,
                own=planned.own,
                searcher=searcher[0],
                params=searcher[1],
                metric=self.metric,
                trials=trials,
                seeds=self.seeds(variant, base),
                at=recipe_at,
            )
            started = self.lookup.call(searcher[0], "start", partial(search.start, 0), ("search", "searcher"))
            if self.affords_one(search) and started is not None:
                yield search

    def base_point(self, variant: Variant, planned: PlannedSpace) -> Point:
        """The point that stands for a search before anything is chosen: none, where the model's table is whole so."""
        alone = Lookup(self.lookup.registry, Problems(self.spec.source, self.spec.data))
        return {} if planned_model(variant, self.spec, alone) is not None else next(corners(planned.space))

    def fits(self, variant: Variant) -> None:
        """Record what of [search] has no meaning for a model."""
        model = self.lookup.component("model", variant.table.name, (*variant.path, "name"))
        uses = None if model is None else model.definition.uses
        if uses is None or {"epochs", "steps"} & set(uses):
            return
        whole = f'"{variant.label}", which is fitted at once'
        if self.table.pruner is not None:
            self.problems.add(("search", "pruner"), f"a pruner has no meaning for {whole}: it has no epochs")
        if self.table.steps is not None:
            self.problems.add(("search", "steps"), f"steps have no meaning for {whole}; give trials, or time")

    def has_validation(self, data: PlannedDataset) -> bool:
        """Whether a dataset has images to choose by; recorded where it has not."""
        path: KeyPath = ("dataset", self.spec.datasets.index(data.table))
        if data.table.pooled:
            self.problems.add(
                path,
                'a search looks at validation images, which are test images of another split with "folds" or "splits"; '
                "give the dataset one test split",
            )
            return False
        if isinstance(data, LoadedDataset) and not data.validates:
            self.problems.add(path, 'a search needs validation images; set "validation"')
            return False
        return True

    def affords_one(self, search: Search) -> bool:
        """Whether a budget of steps is enough for one trial; recorded where it is not."""
        needed = steps_of(search.base)
        if self.table.steps is None or search.trials is not None or self.table.steps >= needed:
            return True
        self.problems.add(
            ("search", "steps"), f'a trial of "{search.base.label}" takes {needed:,} steps; give at least as many'
        )
        return False

    def seeds(self, variant: Variant, base: Recipe) -> tuple[int, ...]:
        """The seeds of what is chosen."""
        given = variant.table.seeds or self.table.seeds
        repeats = self.table.repeats
        if self.table.seeds is not None and len(set(self.table.seeds)) != len(self.table.seeds):
            self.problems.add(("search", "seeds"), f"a seed is given twice: {self.table.seeds}")
        if repeats == 1:
            if variant.table.seeds is not None or self.table.seeds is None:
                return base.seeds
            return tuple(self.table.seeds[: 1 if one_seed_is_enough(base.model, base.transforms, base.data) else None])
        if given is None and self.spec.benchmark is not None and not isinstance(self.spec.benchmark.seeds, SeedsUntil):
            given = self.spec.benchmark.seeds
        if given is None or len(given) != repeats:
            there = "there may be more or fewer" if given is None else f"there are {len(given)}"
            self.problems.add(
                ("search", "repeats"), f"{repeats} repeats need {repeats} seeds, one for each search; {there}"
            )
        return tuple(given or ())

    def finish(self) -> None:
        """Record where [search] is for nothing."""
        if self.spec.search is not None and not self.used and not self.problems.found:
            self.problems.add(
                ("search",),
                'there is nothing to search: no model has a "search", and none brings a space of its own; see '
                "`arena show model NAME`",
            )
