"""Trying each recipe of a plan, for the commands that do, with what is going on shown meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from mnistarena.environment import Conditions
from mnistarena.execution.capacity import choose_conditions
from mnistarena.execution.estimate import BUDGET, Estimate, PlanEstimate, estimate_plan
from mnistarena.execution.workers import Workers
from mnistarena.plan.contents import Plan
from mnistarena.plan.precision import settled
from mnistarena.plan.recipe import Recipe
from mnistarena.plugin.executor import ExecutorContext, Workload


def try_recipes(
    plan: Plan,
    context: ExecutorContext,
    console: Console,
    *,
    tell: Callable[[Recipe, Estimate], None] = lambda recipe, one: None,
    budget: float = BUDGET,
) -> tuple[Plan, PlanEstimate]:
    """A few steps of each recipe; `tell` is called with each. After `budget` seconds no further one is tried.

    The plan that is returned says what precision = "auto" is here.
    """
    workers = Workers()
    status = console.status("a few steps of each recipe …")

    def tried(recipe: Recipe, one: Estimate) -> None:
        status.update(recipe.name)
        tell(recipe, one)

    try:
        with status:
            conditions = choose_conditions(workers, _work(plan), context)
            plan = settled(plan, None, lambda: conditions)
            return plan, estimate_plan(plan, workers, conditions, tried, budget=budget)
    finally:
        workers.close()


def settled_here(plan: Plan, context: ExecutorContext) -> Plan:
    """The plan with what precision = "auto" is on this machine."""

    def ask() -> Conditions:
        workers = Workers()
        try:
            return choose_conditions(workers, _work(plan), context)
        finally:
            workers.close()

    return settled(plan, None, ask)


def _work(plan: Plan) -> Workload:
    return Workload(len(plan.trials()), plan.benchmark.timing == "exclusive")
