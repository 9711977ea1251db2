"""What a plan will cost: each recipe's time and memory, from a few steps of it on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistarena import shared
from mnistarena.files import unique_slug
from mnistarena.job import Job, Task
from mnistarena.plan import Plan, Recipe, Trial
from mnistarena.supervise import Supervisor
from mnistarena.worker import Workers

LIMIT = 120.0
"""Seconds after which the look at a recipe is given up: then it is slow, and that is said."""

BUDGET = 300.0
"""Seconds after which no further recipe is looked at."""

HOURS = 2 * 3600.0
"""A plan, or a trial, of so many seconds deserves a warning."""

STARTING = 0.5
"""Seconds that a worker takes to start and to store what it found."""


@dataclass(frozen=True)
class Estimate:
    """One trial of a recipe: `seconds` from start to end, `memory` in bytes; or the `problem` that came up."""

    seconds: float | None = None
    memory: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Outlook:
    """A plan's estimates by trial id, under the conditions it would run in."""

    conditions: dict[str, Any]
    trials: Mapping[str, Estimate]

    @property
    def seconds(self) -> float:
        """The whole run's time: the trials share out among the places there are."""
        times = [one.seconds for one in self.trials.values() if one.seconds is not None]
        return max([sum(times) / self.conditions["jobs"], *times], default=0.0)

    @property
    def memory(self) -> int:
        """The largest trials side by side, in bytes."""
        sizes = sorted((one.memory for one in self.trials.values() if one.memory is not None), reverse=True)
        return sum(sizes[: self.conditions["jobs"]])

    @property
    def unknown(self) -> int:
        """Trials without an estimate."""
        return sum(one.seconds is None for one in self.trials.values())


def estimate(
    plan: Plan, workers: Workers, conditions: dict[str, Any], looked: Callable[[Recipe, Estimate], None]
) -> Outlook:
    """Look at one trial of each recipe in a worker of its own, as many at a time as the run would have.

    `looked` hears of each. What fails or takes too long is in its estimate; nothing is raised.
    """
    by_recipe: dict[str, list[Trial]] = {}
    for trial in plan.trials():
        by_recipe.setdefault(f"{trial.recipe.label}\n{trial.recipe.data.label}", []).append(trial)
    found: dict[str, Estimate] = {}
    with tempfile.TemporaryDirectory(prefix="arena-plan-") as name:
        folder = Path(name)
        for entry in plan.datasets:
            shared.write(entry, folder / "data" / unique_slug(entry.label))

        def tasks() -> Iterator[Task]:
            until = time.monotonic() + BUDGET
            for number, trials in enumerate(by_recipe.values()):
                if time.monotonic() < until:
                    yield _task(trials[0], folder, number, conditions)

        for task, result in Supervisor(workers, conditions["jobs"]).results(tasks()):
            one = _estimate(result)
            first: Trial = task.key
            looked(first.recipe, one)
            for trial in by_recipe[f"{first.recipe.label}\n{first.recipe.data.label}"]:
                found[trial.id] = one
    late = Estimate(problem=f"not looked at: the recipes before it took {BUDGET:.0f} s")
    return Outlook(conditions, {trial.id: found.get(trial.id, late) for trial in plan.trials()})


def _task(trial: Trial, folder: Path, number: int, conditions: dict[str, Any]) -> Task:
    own = folder / str(number)
    own.mkdir()
    recipe = trial.recipe
    job = Job(
        folder=own,
        identity=trial.identity,
        params=recipe.params.model_dump_json(),
        task=recipe.data.task,
        data=folder / "data" / unique_slug(recipe.data.label),
        metrics=(),
        conditions=conditions,
        keep_model=False,
        temporary=own / "tmp",
        pace=True,
    )
    return Task(trial, job, LIMIT)


def _estimate(result: dict[str, Any]) -> Estimate:
    if result["status"] == "done":
        pace = result["pace"]
        return Estimate(STARTING + float(pace["seconds"]), int(pace["memory_bytes"]))
    if result["status"] == "timeout":
        return Estimate(problem=f"not known after {LIMIT:.0f} s: a few steps alone take longer")
    return Estimate(problem=str((result.get("error") or {}).get("message", "stopped")).strip().partition("\n")[0])


def advice(outlook: Outlook, plan: Plan) -> list[str]:
    """What to change where a run takes hours, or more memory than there is; empty where it does not."""
    from mnistarena import environment

    said = []
    if outlook.seconds > HOURS:
        cost: dict[str, float] = {}
        for trial in plan.trials():
            cost[trial.recipe.label] = cost.get(trial.recipe.label, 0.0) + (outlook.trials[trial.id].seconds or 0.0)
        dear = max(cost, key=lambda label: cost[label])
        share = cost[dear] / sum(cost.values())
        gpu = "" if outlook.conditions["device"] != "cpu" else ", or a GPU (--device cuda)"
        said.append(
            f'this takes hours, {share:.0%} of it for "{dear}". Shorter: fewer seeds, smaller images ("resize"), '
            f'training = {{ steps = … }} instead of epochs, "train_limit" in the dataset{gpu}; '
            "--only leaves models out for now, and a run can be interrupted and continued at any time"
        )
    free = environment.memory_available()
    if outlook.conditions["device"] == "cpu" and outlook.memory > free:
        said.append(
            f"{outlook.conditions['jobs']} at a time would need {outlook.memory / 2**30:.1f} GiB of memory, "
            f"{free / 2**30:.1f} GiB are free: use --jobs 1, or a smaller batch_size"
        )
    return said
