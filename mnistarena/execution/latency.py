"""Which trials measure their model's latency: it is the same question for each seed of a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.messages import Identity
from mnistarena.store.records import TrialRecord


class Latencies:
    """With `timing = "exclusive"` every trial measures, since repeated measurements are judged; else one of a recipe.

    That one is the first of the recipe that is started and has no finished trial before it that measured.
    """

    def __init__(self, plan: Plan) -> None:
        self.exclusive = plan.benchmark.timing == "exclusive"
        self.taken: set[str] = set()

    def known(self, finished: Iterable[TrialRecord]) -> None:
        """Take note of trials that were finished before."""
        self.taken |= {
            _recipe(one["label"], one["dataset"], one.get("identity", {})) for one in finished if _has_latency(one)
        }

    def take(self, trial: Trial) -> bool:
        """Whether a trial that is started now measures; the next one of its recipe then does not."""
        if self.exclusive:
            return True
        recipe = _of(trial)
        first = recipe not in self.taken
        self.taken.add(recipe)
        return first

    def ended(self, trial: Trial, record: TrialRecord, *, measuring: bool) -> None:
        """A trial has ended; where it was to measure and could not, the next of its recipe does."""
        if measuring and not _has_latency(record):
            self.taken.discard(_of(trial))


def _of(trial: Trial) -> str:
    return _recipe(trial.recipe.label, trial.recipe.data.label, trial.identity)


def _recipe(label: str, dataset: str, identity: Identity) -> str:
    # Of a recipe that several searches chose, each has a model of its own.
    return json.dumps([label, dataset, identity.get("model"), identity.get("transforms")], sort_keys=True)


def _has_latency(record: TrialRecord) -> bool:
    return bool(record.get("measurements", {}).get("latency_ms"))
