"""Trying each recipe of a plan, for the commands that do, with what is going on shown meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from mnistarena.execution.capacity import choose_conditions
from mnistarena.execution.estimate import BUDGET, Estimate, PlanEstimate, estimate_plan
from mnistarena.execution.workers import Workers
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Recipe
from mnistarena.plugin.executor import ExecutorContext, Workload


def try_recipes(
    plan: Plan,
    context: ExecutorContext,
    console: Console,
    *,
    tell: Callable[[Recipe, Estimate], None] = lambda recipe, one: None,
    budget: float = BUDGET,
) -> PlanEstimate:
    """A few steps of each recipe; `tell` is called with each. After `budget` seconds no further one is tried."""
    workers = Workers()
    work = Workload(len(plan.trials()), plan.benchmark.timing == "exclusive")
    status = console.status("a few steps of each recipe …")

    def tried(recipe: Recipe, one: Estimate) -> None:
        status.update(recipe.name)
        tell(recipe, one)

    try:
        with status:
            return estimate_plan(plan, workers, choose_conditions(workers, work, context), tried, budget=budget)
    finally:
        workers.close()
