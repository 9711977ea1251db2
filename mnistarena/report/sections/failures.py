"""Trials without a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.report.format import series
from mnistarena.store.results import StoredTrial
from mnistarena.text import plural

_STATUSES = {
    "failed": "failed",
    "timeout": "ran out of time",
    "interrupted": "interrupted",
    "pending": "not run yet",
}
"""A status after a number of trials."""


@dataclass(frozen=True)
class Failure:
    """A trial that has no result, and why."""

    label: str
    dataset: str
    _: KW_ONLY
    seed: int
    split: int | None
    status: str
    type: str
    message: str
    traceback: str


def failure(trial: StoredTrial) -> Failure:
    """Why a trial has no result."""
    error = trial.error or {}
    return Failure(
        trial.label,
        trial.dataset,
        seed=trial.seed,
        split=trial.split,
        status=trial.status,
        type=error.get("type", ""),
        message=error.get("message", ""),
        traceback=error.get("traceback", "").strip(),
    )


def answer(trials: Sequence[StoredTrial], lost: Sequence[str]) -> str:
    """How many trials have no result; `lost` are sentences on searches that chose no recipe."""
    return " ".join([_trials(trials, bool(lost)), *lost])


def _trials(trials: Sequence[StoredTrial], more: bool) -> str:
    bad = Counter(trial.status for trial in trials if not trial.done)
    if not bad and more:
        of = f"All {plural(len(trials), 'trial')} of" if len(trials) > 1 else "The trial of"
        return f"{of} the recipes that are known finished." if trials else "No recipe is known yet."
    if not bad:
        return f"Nothing: all {plural(len(trials), 'trial')} finished." if trials else "No trial was planned."
    verb = "has" if sum(bad.values()) == 1 else "have"
    return f"{sum(bad.values())} of {plural(len(trials), 'trial')} {verb} no result: {status_counts(trials)}."


def status_counts(trials: Sequence[StoredTrial]) -> str:
    """How many trials without a result there are of each status, such as "2 failed and 1 not run yet"."""
    bad = Counter(trial.status for trial in trials if not trial.done)
    return series(f"{number} {_STATUSES[status]}" for status, number in sorted(bad.items()))
