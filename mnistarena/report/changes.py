"""What changed between two runs: each recipe against itself, paired over the test images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mnistarena import statistics
from mnistarena.report.evidence import Recipe, gather
from mnistarena.report.format import plain
from mnistarena.results import Run
from mnistarena.statistics import ALPHA, MARGIN, Crossed, Difference, McNemar

Kind = Literal[
    "better", "worse", "equal", "undecided", "identical", "model better", "model worse", "model alike",
    "failing", "unpaired", "new", "gone", "nothing",
]  # fmt: skip

REGRESSIONS: tuple[Kind, ...] = ("worse", "model worse", "failing")


@dataclass(frozen=True)
class Change:
    """One recipe in both runs; differences are the second run minus the first.

    `kind` is a verdict on the second run's recipe; "model …" where only single trained models could be compared;
    "identical" where the trials are the same; "failing" where seeds that finished before do not now. `time` is
    the ratio of training times, None where conditions differ.
    """

    label: str
    dataset: str
    kind: Kind
    before: float | None = None
    after: float | None = None
    difference: Difference | None = None
    mcnemar: McNemar | None = None
    p_adjusted: float | None = None
    time: float | None = None
    note: str = ""

    @property
    def regression(self) -> bool:
        """Whether the second run is worse here."""
        return self.kind in REGRESSIONS


def changes(before: Run, after: Run, margin: float | None = None) -> tuple[Change, ...]:
    """Every recipe of either run; the Holm family is the recipes that both runs let be compared.

    `margin` is the second run's where none is given. Raises `StoreError` where stored predictions are damaged.
    """
    margin = float(after.plan.get("margin", MARGIN)) if margin is None else margin
    first, second = _recipes(before), _recipes(after)
    found: list[Change] = []
    judged: list[tuple[int, Difference]] = []
    tested: list[tuple[int, McNemar]] = []
    for key in dict.fromkeys([*second, *first]):
        old, new = first.get(key), second.get(key)
        timed = _conditions(before, old) == _conditions(after, new)
        change = _change(key, old, new, timed)
        if change.difference is not None and change.kind == "undecided":
            judged.append((len(found), change.difference))
        elif change.mcnemar is not None and change.kind == "model alike":
            tested.append((len(found), change.mcnemar))
        found.append(change)
    differences = [difference for _, difference in judged]
    adjusted = statistics.holm([one.p_one_sided for one in differences])
    for (at, _), verdict, p in zip(judged, statistics.verdicts(differences, margin=margin), adjusted, strict=True):
        found[at] = _with(found[at], verdict, min(1.0, 2 * p))
    for (at, test), p in zip(tested, statistics.holm([one.p for _, one in tested]), strict=True):
        apart = p < ALPHA and abs(test.difference) > margin
        found[at] = _with(found[at], ("model better" if test.difference > 0 else "model worse") if apart else None, p)
    return tuple(found)


def _with(change: Change, kind: Kind | None, p: float) -> Change:
    return replace(change, kind=kind or change.kind, p_adjusted=p)


def _recipes(run: Run) -> dict[tuple[str, str], Recipe]:
    return {
        (recipe.label, dataset["label"]): recipe for dataset in run.plan["datasets"] for recipe in gather(run, dataset)
    }


def _conditions(run: Run, recipe: Recipe | None) -> set[str]:
    """Under which conditions a recipe's times were taken."""
    trials = recipe.done if recipe else ()
    return {plain({**run.plan.get("conditions", {}), **trial.conditions}) for trial in trials}


def _change(key: tuple[str, str], old: Recipe | None, new: Recipe | None, timed: bool) -> Change:
    label, dataset = key
    if old is None or new is None:
        there = new or old
        accuracy = there.accuracy if there is not None and len(there.correct) else None
        if old is None:
            return Change(label, dataset, "new", after=accuracy, note="only in the second run")
        return Change(label, dataset, "gone", before=accuracy, note="only in the first run")
    means = [recipe.accuracy if len(recipe.correct) else None for recipe in (old, new)]
    seconds = [recipe.mean("train_seconds") for recipe in (old, new)]
    time = seconds[1] / seconds[0] if timed and seconds[0] and seconds[1] else None
    if not len(old.correct):
        return Change(label, dataset, "nothing", means[0], means[1], note="no result in the first run")
    lost_before, lost = (len(recipe.trials) - len(recipe.done) for recipe in (old, new))
    if lost > lost_before or not len(new.correct):
        note = f"{lost} of {len(new.trials)} seeds have no result in the second run"
        return Change(label, dataset, "failing", means[0], means[1], time=time, note=note)
    note = ""
    if {trial.id for trial in old.done} == {trial.id for trial in new.done}:
        if np.array_equal(old.predicted, new.predicted):
            return Change(label, dataset, "identical", means[0], means[1], time=time, note="the same trials")
        note = "the same trials, but other predictions: do conditions differ?"
    if not (np.array_equal(old.index, new.index) and np.array_equal(old.labels, new.labels)):
        return Change(label, dataset, "unpaired", means[0], means[1], note="the runs have other test images")
    crossed = Crossed([new.correct, old.correct], [new.deterministic, old.deterministic])
    difference = crossed.difference(0, 1) if old.comparable and new.comparable else None
    if difference is not None:
        return Change(label, dataset, "undecided", means[0], means[1], difference, time=time, note=note)
    one = "one seed: these two trained models, not the recipes"
    note = note or (one if old.complete and new.complete else "seeds are missing")
    return Change(
        label, dataset, "model alike", means[0], means[1], mcnemar=crossed.mcnemar(0, 1), time=time, note=note
    )
