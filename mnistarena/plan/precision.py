"""What `precision = "auto"` is for each model, decided once for a run by the device's word and the model's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mnistarena.environment import Conditions
from mnistarena.plan.contents import Plan
from mnistarena.plan.lookup import Lookup
from mnistarena.plan.recipe import Recipe
from mnistarena.plan.search import Search
from mnistarena.plugin.space import Point
from mnistarena.store.records import AutoPrecision, PlanRecord

KEY = "training.precision"


def settled(plan: Plan, before: PlanRecord | None, ask: Callable[[], Conditions]) -> Plan:
    """The plan with "bf16" or "float32" in place of every "auto", and a note at each such recipe.

    So a trial's identity has the precision that it computes in: the same as where a spec names that precision. The
    device's word is that of the run's first start, `before`; else that of the conditions that `ask` gives, which is
    called only where a recipe leaves its precision open. Raises `SpecError` where a model's own word cannot be had.
    """
    by = before.get("auto_precision") if before else None
    if by is None:
        if not _asks(plan):
            return plan
        found = ask()
        kind = found["device"].partition(":")[0]
        by = {"device": kind, "device_name": found["device_name"], "bf16": found.get("bf16", False)}
    lookup = Lookup(plan.registry, plan.spec.problems)
    recipes = tuple(_decided(recipe, by, lookup) for recipe in plan.recipes)
    searches = tuple(_search(search, by, lookup) for search in plan.searches)
    return replace(plan, recipes=recipes, searches=searches, auto_precision=by)


def _asks(plan: Plan) -> bool:
    """Whether a recipe leaves its precision open, or a search tries that."""
    recipes = [*plan.recipes, *(search.base for search in plan.searches)]
    searched = any(parameter.name == KEY for search in plan.searches for parameter in search.space)
    return searched or any(map(_is_open, recipes))


def _search(search: Search, by: AutoPrecision, lookup: Lookup) -> Search:
    def at(point: Point) -> Recipe:
        return _decided(search.at(point), by, lookup)

    return replace(search, base=_decided(search.base, by, lookup), at=at)


def _is_open(recipe: Recipe) -> bool:
    uses = recipe.model.definition.uses
    return recipe.training.precision == "auto" and (uses is None or "precision" in uses)


def _decided(recipe: Recipe, by: AutoPrecision, lookup: Lookup) -> Recipe:
    if not _is_open(recipe):
        return recipe
    chosen, because = "float32", f"{by['device_name']} does not compute in bf16 itself"
    if by["bf16"]:
        chosen, because = "bf16", f"{by['device_name']} computes in it itself"
        if not _gains(recipe, by["device"], lookup):
            chosen, because = "float32", f'the model "{recipe.model.name}", as it is here, gains nothing by bf16'
    training = recipe.training.model_copy(update={"precision": chosen})
    return replace(recipe, training=training, notes=(*recipe.notes, f'precision "auto" is {chosen}: {because}'))


def _gains(recipe: Recipe, device: str, lookup: Lookup) -> bool:
    """The model's own word."""
    word = recipe.model.definition.bf16
    if word is None:
        return True
    answer = lookup.call(recipe.model, "bf16", lambda: bool(word(recipe.params, device)), recipe.path)
    lookup.problems.stop()
    return bool(answer)
