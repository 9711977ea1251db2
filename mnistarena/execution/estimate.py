"""What a plan will cost: each recipe's time and memory, from a few steps of it on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path

from mnistarena import environment
from mnistarena.environment import Conditions
from mnistarena.execution.cores import Cores
from mnistarena.execution.faults import fault
from mnistarena.execution.latency import Latencies
from mnistarena.execution.submissions import Submissions
from mnistarena.execution.supervisor import run_here
from mnistarena.execution.workers import Workers
from mnistarena.plan.brought import BroughtRecipe
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Recipe, Trial
from mnistarena.plugin.executor import Submission
from mnistarena.plugin.messages import ESTIMATING, Event, Result, StageBegan
from mnistarena.text import byte_size

LIMIT = 120.0
"""Seconds that a recipe may be tried for, or its own time limit where that is shorter."""

BUDGET = 300.0
"""Seconds after which no further recipe is tried."""

HOURS = 2 * 3600.0
"""Seconds of a plan, or of a recipe's trials, from which on the user is warned."""

STARTING = 0.5
"""Seconds that a worker takes to start and to store its results."""


@dataclass(frozen=True)
class Estimate:
    """One trial of a recipe: `seconds` from start to end, `memory` in bytes.

    `latency` are those of its seconds in which the latency is measured. They are missing where there is a `problem`,
    which every trial of the recipe would fail of, or where they are `unknown` for another reason. `notes` are what is
    odd about the model.
    """

    seconds: float | None = None
    memory: int | None = None
    _: KW_ONLY
    latency: float = 0.0
    problem: str | None = None
    unknown: str | None = None
    notes: tuple[str, ...] = ()

    def without_latency(self) -> Estimate:
        """The same trial where it does not measure its latency."""
        return self if self.seconds is None else replace(self, seconds=self.seconds - self.latency, latency=0.0)


@dataclass(frozen=True)
class PlanEstimate:
    """A plan's estimates by trial id, under the conditions it would run in.

    `times` says how many trials there will be of those that stand for the ones of a search.
    """

    conditions: Conditions
    trials: Mapping[str, Estimate]
    times: Mapping[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The whole run's time, where it needs all of its trials."""
        return self.time(self.trials)

    def time(self, ids: Iterable[str]) -> float:
        """The time of these trials: as many side by side as the conditions say."""
        known = {key: seconds for key in ids if (seconds := self.trials[key].seconds) is not None}
        whole = sum(seconds * self.times.get(key, 1) for key, seconds in known.items())
        return max([whole / self.conditions["jobs"], *known.values()], default=0.0)

    @property
    def memory(self) -> int:
        """The largest trials side by side, in bytes."""
        sizes = sorted((one.memory for one in self.trials.values() if one.memory is not None), reverse=True)
        return sum(sizes[: self.conditions["jobs"]])

    @property
    def unknown(self) -> int:
        """Trials without an estimate."""
        return sum(one.seconds is None for one in self.trials.values())


def estimate_plan(
    plan: Plan,
    workers: Workers,
    conditions: Conditions,
    tried: Callable[[Recipe, Estimate], None],
    *,
    budget: float = BUDGET,
) -> PlanEstimate:
    """Try one trial of each recipe in a worker of its own, as many at a time as the run would have.

    `tried` is told of each. A recipe that fails or takes too long says so in its estimate; nothing is raised. After
    `budget` seconds no further one is tried.
    """
    by_recipe: dict[tuple[str, str], list[Trial]] = {}
    found: dict[str, Estimate] = {}
    for trial in plan.samples():
        if isinstance(trial.recipe, BroughtRecipe):  # nothing to try: it is only scored
            found[trial.id] = Estimate(STARTING)
        else:
            by_recipe.setdefault((trial.recipe.label, trial.recipe.data.label), []).append(trial)
    cores = Cores()
    with tempfile.TemporaryDirectory(prefix="arena-plan-") as name:
        made = Submissions(plan, Path(name), conditions=conditions, plugins=plan.registry.files)
        made.write_datasets(trials[0] for trials in by_recipe.values())
        alike: dict[str, list[Trial]] = {}  # two labels may stand for one identity
        for trials in by_recipe.values():
            alike.setdefault(trials[0].id, []).extend(trials)

        def submissions() -> Iterator[Submission]:
            until = time.monotonic() + budget
            for key, trials in alike.items():
                if time.monotonic() < until:
                    (made.scratch / key).mkdir()
                    seconds = _limit(trials[0].recipe)
                    yield replace(made.of(trials[0], made.scratch / key, "estimate"), seconds=seconds)

        stages: dict[str, str] = {}

        def tell(key: str, event: Event) -> None:
            if isinstance(event, StageBegan):
                stages[key] = event.stage

        for submission, result in run_here(workers, conditions["jobs"], submissions(), tell=tell, cores=cores):
            trials = alike[submission.key]
            one = _estimate(result, trials[0].recipe, stages.get(submission.key))
            for recipe in {id(trial.recipe): trial.recipe for trial in trials}.values():
                tried(recipe, one)
            found |= {trial.id: one for trial in trials}
    late = Estimate(unknown=f"not tried: the recipes before it took {budget:.0f} s")
    latencies = Latencies(plan)
    estimates = {}
    for trial in plan.samples():
        one = found.get(trial.id, late)
        measures = trial.search is None and latencies.take(trial)
        estimates[trial.id] = one if measures else one.without_latency()
    times = {key: search.expected(estimates[key].seconds) for key, search in plan.open_searches.items()}
    return PlanEstimate(conditions, estimates, times)


def _limit(recipe: Recipe) -> float:
    """Seconds that a recipe may be tried for."""
    return min(LIMIT, recipe.time_limit or LIMIT)


def _estimate(result: Result, recipe: Recipe, stage: str | None) -> Estimate:
    """What a worker found out; `stage` is the last one that it began, and None before the preflight has passed."""
    cost, limit = result.get("cost", {}), _limit(recipe)
    notes = tuple(cost.get("notes", ()))
    if "seconds" in cost:
        latency = cost.get("latency_seconds", 0.0)
        return Estimate(STARTING + cost["seconds"], cost["memory_bytes"], latency=latency, notes=notes)
    if cost:
        return Estimate(unknown=cost["unknown"], notes=notes)
    if result["status"] == "timeout" and stage is not None:
        return Estimate(unknown=f"not known after {limit:g} s: a few steps alone take longer")
    sentence = fault(result, recipe, limit)
    # Later steps than the first are taken by a short schedule of their own: what they do, a trial need not do.
    return Estimate(unknown=sentence) if stage == ESTIMATING else Estimate(problem=sentence)


def advice(estimate: PlanEstimate, plan: Plan) -> list[str]:
    """What to change where a run takes hours, or more memory than there is; empty where it does not."""
    found = []
    if estimate.seconds > HOURS:
        cost: dict[str, float] = {}
        for trial in plan.samples():
            seconds = (estimate.trials[trial.id].seconds or 0.0) * estimate.times.get(trial.id, 1)
            cost[trial.recipe.label] = cost.get(trial.recipe.label, 0.0) + seconds
        dearest = max(cost, key=lambda label: cost[label])
        share = cost[dearest] / sum(cost.values())
        gpu = "" if estimate.conditions["device"] != "cpu" else ", or a GPU (--device cuda)"
        found.append(
            f'this takes hours, {share:.0%} of it for "{dearest}". Shorter: fewer seeds, smaller images ("resize"), '
            f'training = {{ steps = … }} instead of epochs, "train_limit" in the dataset{gpu}; '
            "--only leaves models out for now, and a run can be interrupted and continued at any time"
        )
    free, jobs = environment.memory_available(), estimate.conditions["jobs"]
    if estimate.conditions["device"] == "cpu" and estimate.memory > free:
        found.append(
            f"{jobs} at a time would need {byte_size(estimate.memory)} of memory, "
            f"{byte_size(free)} are free: use --jobs 1, or a smaller batch_size"
        )
    return found
