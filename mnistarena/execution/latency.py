"""Which trials measure their model's latency: it is the same question for each seed of a recipe."""

from __future__ import annotations

from collections.abc import Iterable

from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.store.records import TrialRecord


class Latencies:
    """With `timing = "exclusive"` every trial measures, since repeated measurements are judged; else one of a recipe.

    That one is the first of the recipe that is started and has no finished trial before it that measured.
    """

    def __init__(self, plan: Plan) -> None:
        self.exclusive = plan.benchmark.timing == "exclusive"
        self.taken: set[tuple[str, str]] = set()

    def known(self, finished: Iterable[TrialRecord]) -> None:
        """Take note of trials that were finished before."""
        self.taken |= {(one["label"], one["dataset"]) for one in finished if _has_latency(one)}

    def take(self, trial: Trial) -> bool:
        """Whether a trial that is started now measures; the next one of its recipe then does not."""
        if self.exclusive:
            return True
        first = _recipe(trial) not in self.taken
        self.taken.add(_recipe(trial))
        return first

    def ended(self, trial: Trial, record: TrialRecord, *, measuring: bool) -> None:
        """A trial has ended; where it was to measure and could not, the next of its recipe does."""
        if measuring and not _has_latency(record):
            self.taken.discard(_recipe(trial))


def _recipe(trial: Trial) -> tuple[str, str]:
    return trial.recipe.label, trial.recipe.data.label


def _has_latency(record: TrialRecord) -> bool:
    return bool(record.get("measurements", {}).get("latency_ms"))
