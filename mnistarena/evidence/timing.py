"""Recipes against one of them in time and memory, from trials that were measured in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.stats.ratios import Ratio, RatioVerdict, judge_ratios, paired
from mnistarena.store.results import StoredRun, StoredTrial


@dataclass(frozen=True)
class CostRatio:
    """A recipe's figure over that of the reference, `ratio` with its verdict; `reason` says why there is none."""

    label: str
    _: KW_ONLY
    ratio: Ratio | None = None
    verdict: RatioVerdict = "not compared"
    p: float | None = None
    reason: str = ""


def train_seconds(trial: StoredTrial) -> float | None:
    """Seconds of training; None of one that was interrupted and continued: it is not of one time."""
    return None if "resumed_at_step" in trial.measurements else trial.measurements.get("train_seconds")


def latency(trial: StoredTrial) -> float | None:
    """Milliseconds for one image."""
    return trial.measurements.get("latency_ms", {}).get("1", {}).get("p50")


def memory(trial: StoredTrial) -> float | None:
    """Bytes of the trial's process."""
    return trial.measurements.get("peak_memory_bytes")


def gpu_memory(trial: StoredTrial) -> float | None:
    """Bytes on the GPU."""
    return trial.measurements.get("peak_gpu_memory_bytes")


def refusal(run: StoredRun, mixed: Sequence[str] = ()) -> str:
    """Why times of a run are not judged; empty where they are. `mixed` are the conditions that differ."""
    if run.plan.get("timing") != "exclusive":
        return 'the spec does not ask for timing = "exclusive", so that other trials may have slowed them'
    if mixed:
        return "the trials ran under different conditions"
    alone = all(trial.conditions.get("jobs") == 1 for trial in run.trials if trial.done)
    return "" if alone else "not all trials ran one at a time"


def against(
    recipes: Sequence[RecipeEvidence], reference: str | None, figure: Callable[[StoredTrial], float | None]
) -> tuple[CostRatio, ...]:
    """Every other recipe's figure over the reference's; the family is those that can be compared.

    `recipes` are of one run that `refusal` has nothing against. Empty without a reference, or without a figure of it.
    """
    figures = {recipe.label: measured(recipe, figure) for recipe in recipes}
    base = figures.pop(reference, {}) if reference is not None else {}
    found = [_rounds(base, own) for own in figures.values() if base]
    ratios = [paired(*rounds) if isinstance(rounds, tuple) else None for rounds in found]
    return tuple(
        CostRatio(
            label,
            ratio=ratio,
            verdict=judged.verdict,
            p=judged.p,
            reason=rounds if isinstance(rounds, str) else "",
        )
        for label, rounds, ratio, judged in zip(figures, found, ratios, judge_ratios(ratios), strict=False)
    )


Measured = dict[tuple[int, int], tuple[StoredTrial, float]]
"""Trials with their figures, by seed and split, 0 where there is only one."""


def measured(recipe: RecipeEvidence, figure: Callable[[StoredTrial], float | None]) -> Measured:
    """A recipe's finished trials that have a figure, and the figure, by seed and split."""
    # A seed that repeats another's bits is a measurement of its own all the same.
    trials = [trial for trial in (*recipe.trials, *recipe.repeated) if trial.done]
    known = ((trial, figure(trial)) for trial in trials)
    return {(one.seed, one.split or 0): (one, value) for one, value in known if value is not None and value > 0}


def _rounds(base: Measured, own: Measured) -> tuple[list[float], list[float]] | str:
    """The figures of both in the rounds that do not overlap in time, or why there are no two of these."""
    both = sorted(base.keys() & own.keys())
    if not own:
        return "not measured"
    if min(len(base), len(own)) == 1:
        return "one measurement only"
    if all(base[at][0].id == own[at][0].id for at in both):
        return "the same trials" if both else "no seed in common"
    kept = _apart_in_time([_Round(at, own[at][0].started or "", base[at][0].started or "") for at in both])
    if len(kept) < 2:
        return "not measured in turns"
    if len({one.own >= one.base for one in kept} | {one.own > one.base for one in kept}) == 1:
        return "always measured in the same order"
    return [own[one.at][1] for one in kept], [base[one.at][1] for one in kept]


@dataclass(frozen=True)
class _Round:
    """A seed and split, and when the trials of a recipe and of the reference began, in ISO 8601: it sorts as text."""

    at: tuple[int, int]
    own: str
    base: str


def _apart_in_time(rounds: Sequence[_Round]) -> list[_Round]:
    """As many rounds as can be kept without two that overlap in time, by the one that ends first."""
    kept: list[_Round] = []
    end = ""
    for one in sorted(rounds, key=lambda one: (max(one.own, one.base), one.at)):
        first, last = sorted((one.own, one.base))
        if first and first >= end:
            kept.append(one)
            end = last
    return kept
