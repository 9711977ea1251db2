"""What changed between two runs: each recipe against itself, paired over the test images."""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence, gather
from mnistarena.stats import splits
from mnistarena.stats.crossed import Crossed, McNemar
from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.variance import shared_variance
from mnistarena.stats.verdicts import MARGIN, holm, judge
from mnistarena.store.results import StoredRun

Kind = Literal[
    "better", "worse", "equal", "undecided", "not compared", "identical", "model better", "model worse", "model alike",
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
    _: KW_ONLY
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


def changes(before: StoredRun, after: StoredRun, margin: float | None = None) -> tuple[Change, ...]:
    """Every recipe of either run; the Holm family is the recipes that both runs let be compared.

    `margin` is the second run's where none is given. Raises `StoreError` where stored predictions are damaged.
    """
    margin = float(after.plan.get("margin", MARGIN)) if margin is None else margin
    first, second = _recipes(before), _recipes(after)
    found: list[Change] = []
    for key in dict.fromkeys([*second, *first]):
        old, new = first.get(key), second.get(key)
        timed = _conditions(before, old) == _conditions(after, new)
        found.append(_change(key, old, new, timed))
    judged = [(at, one.difference) for at, one in enumerate(found) if one.difference and one.kind == "undecided"]
    shared = shared_variance([part for _, difference in judged for part in difference.components])
    family = [replace(difference, shared=shared) for _, difference in judged]
    for (at, _), one in zip(judged, judge(family, margin=margin), strict=True):
        found[at] = replace(found[at], kind=one.verdict, p_adjusted=one.p)
    tested = [(at, one.mcnemar) for at, one in enumerate(found) if one.mcnemar and one.kind == "model alike"]
    for (at, test), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        kind: Kind = "model alike"
        if p < ALPHA and abs(test.difference) > margin:
            kind = "model better" if test.difference > 0 else "model worse"
        found[at] = replace(found[at], kind=kind, p_adjusted=p)
    return tuple(found)


def _recipes(run: StoredRun) -> dict[tuple[str, str], RecipeEvidence]:
    return {
        (recipe.label, dataset["label"]): recipe for dataset in run.plan["datasets"] for recipe in gather(run, dataset)
    }


def _conditions(run: StoredRun, recipe: RecipeEvidence | None) -> set[str]:
    """The conditions under which a recipe's times were measured."""
    trials = recipe.done if recipe else ()
    return {json.dumps({**run.plan.get("conditions", {}), **trial.conditions}, sort_keys=True) for trial in trials}


def _change(key: tuple[str, str], old: RecipeEvidence | None, new: RecipeEvidence | None, timed: bool) -> Change:
    label, dataset = key
    if old is None or new is None:
        there = new or old
        accuracy = there.accuracy if there is not None and len(there.correct) else None
        if old is None:
            return Change(label, dataset, kind="new", after=accuracy, note="only in the second run")
        return Change(label, dataset, kind="gone", before=accuracy, note="only in the first run")
    means = [recipe.accuracy if len(recipe.correct) else None for recipe in (old, new)]
    seconds = [recipe.mean("train_seconds") for recipe in (old, new)]
    time = seconds[1] / seconds[0] if timed and seconds[0] and seconds[1] else None
    if not len(old.correct):
        return Change(
            label, dataset, kind="nothing", before=means[0], after=means[1], note="no result in the first run"
        )
    lost_before, lost = (len(recipe.trials) - len(recipe.done) for recipe in (old, new))
    if lost > lost_before or not len(new.correct):
        note = f"{lost} of {len(new.trials)} seeds have no result in the second run"
        return Change(label, dataset, kind="failing", before=means[0], after=means[1], time=time, note=note)
    note = ""
    if {trial.id for trial in old.done} == {trial.id for trial in new.done}:
        if np.array_equal(old.predicted, new.predicted):
            return Change(
                label, dataset, kind="identical", before=means[0], after=means[1], time=time, note="the same trials"
            )
        note = "the same trials, but other predictions: do conditions differ?"
    if not (np.array_equal(old.index, new.index) and np.array_equal(old.labels, new.labels)):
        return Change(
            label, dataset, kind="unpaired", before=means[0], after=means[1], note="the runs have other test images"
        )
    crossed = Crossed([new.correct, old.correct], [new.deterministic, old.deterministic])
    difference = _difference(old, new, crossed)
    if difference is not None:
        return Change(
            label,
            dataset,
            kind="undecided",
            before=means[0],
            after=means[1],
            difference=difference,
            time=time,
            note=note,
        )
    if new.layout is not None:
        return Change(
            label, dataset, kind="not compared", before=means[0], after=means[1], time=time, note="trials are missing"
        )
    one = "one seed: these two trained models, not the recipes"
    note = note or (one if old.complete and new.complete else "seeds are missing")
    return Change(
        label,
        dataset,
        kind="model alike",
        before=means[0],
        after=means[1],
        mcnemar=crossed.mcnemar(0, 1),
        time=time,
        note=note,
    )


def _difference(old: RecipeEvidence, new: RecipeEvidence, crossed: Crossed) -> Difference | None:
    """The second run's recipe minus the first's; None where one of them cannot be compared."""
    if not (old.comparable and new.comparable):
        return None
    if new.layout is None:
        return crossed.difference(0, 1)
    return splits.differences([(new.correct, old.correct)], new.layout)[0]
