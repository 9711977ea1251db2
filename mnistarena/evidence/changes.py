"""What changed between two runs: each recipe against itself, paired over the test images."""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import numpy as np

from mnistarena.evidence import timing
from mnistarena.evidence.figure import ACCURACY, Figure, deciding, margin_of
from mnistarena.evidence.pairs import bounded, difference_of
from mnistarena.evidence.recipe import RecipeEvidence, gather
from mnistarena.stats.crossed import McNemar, mcnemar
from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.no_worse import no_worse
from mnistarena.stats.power import Need
from mnistarena.stats.ratios import Ratio, apart
from mnistarena.stats.variance import shared_variance
from mnistarena.stats.verdicts import holm, judge
from mnistarena.store.results import StoredRun
from mnistarena.store.trial_folder import PREDICTIONS

Kind = Literal[
    "better", "worse", "equal", "undecided", "not compared", "identical", "model better", "model worse", "model alike",
    "failing", "unpaired", "new", "gone", "nothing",
]  # fmt: skip

REGRESSIONS: tuple[Kind, ...] = ("worse", "model worse", "failing")


@dataclass(frozen=True)
class Change:
    """One recipe in both runs; differences are the second run minus the first.

    `kind` is a verdict on the second run's recipe; "model …" where only single trained models could be compared;
    "identical" where the trials are the same, or each seed's predictions to the bit; "failing" where seeds that
    finished before do not now. `time` is the ratio of training times, None where conditions differ; `time_ratio` has
    an interval where both runs had `timing = "exclusive"`, of the variation within each run only, so without verdict.

    `no_worse` says whether the second run is shown to lose less than the margin, None of a recipe that is new.
    `p_no_worse` is that of a loss of the margin or more, twice the one-sided p, not adjusted: all recipes must pass.
    `need` is what would show no loss, if the estimate were the truth; None where it is shown, or where the estimate is
    a loss of the margin or more.
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
    time_ratio: Ratio | None = None
    note: str = ""
    figure: Figure = ACCURACY
    no_worse: bool | None = False
    p_no_worse: float | None = None
    need: Need | None = None

    @property
    def regression(self) -> bool:
        """Whether the second run is worse here."""
        return self.kind in REGRESSIONS


def changes(before: StoredRun, after: StoredRun, margin: float | None = None) -> tuple[Change, ...]:
    """Every recipe of either run; the Holm family is the recipes that both runs let be compared.

    They are compared by the figure that decides in the second run. `margin` is that run's where none is given.
    Raises `StoreError` where stored predictions are damaged.
    """
    figure = deciding(after.plan)
    margin = margin_of(after.plan, figure) if margin is None else margin
    first, second = _recipes(before, figure), _recipes(after, figure)
    unlike = _unlike(before, after, figure)
    found: list[Change] = []
    for key in dict.fromkeys([*second, *first]):
        old, new = first.get(key), second.get(key)
        timed = _conditions(before, old) == _conditions(after, new)
        alone = timed and not timing.refusal(before) and not timing.refusal(after)
        ratio = _time_ratio(old, new) if alone and old and new else None
        if old and unlike:
            old = replace(old, decided=replace(old.decided, contributions=None, interval=None, reason=unlike))
        found.append(replace(_change(key, old, new, timed), time_ratio=ratio, figure=figure))
    judged = [(at, one.difference) for at, one in enumerate(found) if one.difference and one.kind == "undecided"]
    # Splits say how unlike training samples are, not how seeds of the other recipes vary.
    seeded = [difference for _, difference in judged if difference.splits == 1]
    shared = shared_variance([part for difference in seeded for part in difference.components])
    family = [replace(one, shared=shared) if one.splits == 1 else one for _, one in judged]
    verdicts = judge(family, margin=margin, higher_is_better=figure.higher_is_better)
    for (at, _), one in zip(judged, verdicts, strict=True):
        found[at] = replace(found[at], kind=one.verdict, p_adjusted=one.p)
    tested = [(at, one.mcnemar) for at, one in enumerate(found) if one.mcnemar and one.kind == "model alike"]
    for (at, test), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        kind: Kind = "model alike"
        if p < ALPHA and abs(test.difference) > margin:
            kind = "model better" if test.difference > 0 else "model worse"
        found[at] = replace(found[at], kind=kind, p_adjusted=p)
    return tuple(_tested(one, margin) for one in found)


def _tested(change: Change, margin: float) -> Change:
    """The change with the test of non-inferiority: that the second run loses less than the margin.

    At α/2 on one side, by itself: "no recipe loses the margin" is an intersection–union test, and passes where one
    does with probability α/2 at most.
    """
    pair = change.difference
    if pair is None:
        known = {"new": None, "identical": True}
        return replace(change, no_worse=known.get(change.kind, False))
    found = no_worse(pair if change.figure.higher_is_better else pair.turned(), margin)
    return replace(change, no_worse=found.shown, p_no_worse=found.p, need=found.need)


def _recipes(run: StoredRun, figure: Figure) -> dict[tuple[str, str], RecipeEvidence]:
    return {
        (recipe.label, dataset["label"]): recipe
        for dataset in run.plan["datasets"]
        for recipe in gather(run, dataset, figure)
    }


def _unlike(before: StoredRun, after: StoredRun, figure: Figure) -> str:
    """Why the figure of the first run is not that of the second, though it is called the same; else empty."""
    known = []
    for run in (before, after):
        metric = next((one for one in run.plan.get("metrics", ()) if one["label"] == figure.label), None)
        known.append(metric and (metric.get("name", metric["label"]), metric.get("params", {})))
    if figure == ACCURACY or None in known or known[0] == known[1]:
        return ""
    return "it is another metric there, or has other parameters"


def _conditions(run: StoredRun, recipe: RecipeEvidence | None) -> set[str]:
    """The conditions under which a recipe's times were measured."""
    trials = recipe.done if recipe else ()
    return {json.dumps({**run.plan.get("conditions", {}), **trial.conditions}, sort_keys=True) for trial in trials}


def _time_ratio(old: RecipeEvidence, new: RecipeEvidence) -> Ratio | None:
    """The training time of the second run over that of the first; None of the same measurements."""
    after, before = ([value for _, value in timing.measured(one, timing.train_seconds).values()] for one in (new, old))
    return apart(after, before) if after != before else None


def _compared(old: RecipeEvidence, new: RecipeEvidence) -> tuple[bool, str]:
    """Whether nothing has changed, and what is to be said of it."""
    first, second = (
        {(trial.seed, trial.split): trial.files.get(PREDICTIONS) for trial in recipe.done} for recipe in (old, new)
    )
    if {trial.id for trial in old.done} == {trial.id for trial in new.done}:
        # The same classes may have other probabilities, and so another figure that is not the accuracy.
        ours, theirs = new.decided.contributions, old.decided.contributions
        figures = first == second if ours is None or theirs is None else np.array_equal(ours, theirs)
        if figures and np.array_equal(old.predicted, new.predicted):
            return True, "the same trials"
        return False, "the same trials, but other predictions: do conditions differ?"
    alike = first == second and None not in first.values()
    return alike, "other trials, the same predictions" if alike else ""


def _change(key: tuple[str, str], old: RecipeEvidence | None, new: RecipeEvidence | None, timed: bool) -> Change:
    label, dataset = key
    if old is None or new is None:
        there = new or old
        mean = there.decided.mean if there is not None and there.decided.known else None
        if old is None:
            return Change(label, dataset, kind="new", after=mean, note="only in the second run")
        return Change(label, dataset, kind="gone", before=mean, note="only in the first run")
    means = [recipe.decided.mean if recipe.decided.known else None for recipe in (old, new)]
    seconds = [recipe.mean("train_seconds") for recipe in (old, new)]
    time = seconds[1] / seconds[0] if timed and seconds[0] and seconds[1] else None
    if not len(old.correct):
        return Change(
            label, dataset, kind="nothing", before=means[0], after=means[1], note="no result in the first run"
        )
    lost_before, lost = (len(recipe.trials) - len(recipe.done) for recipe in (old, new))
    if lost > lost_before or not len(new.correct):
        what = "seeds" if all(trial.split is None for trial in new.trials) else "trials"
        note = f"{lost} of {len(new.trials)} {what} {'has' if lost == 1 else 'have'} no result in the second run"
        if not new.trials:
            note = "its search has chosen nothing in the second run"
        return Change(label, dataset, kind="failing", before=means[0], after=means[1], time=time, note=note)
    same, note = _compared(old, new)
    if same:
        return Change(label, dataset, kind="identical", before=means[0], after=means[1], time=time, note=note)
    if not (np.array_equal(old.index, new.index) and np.array_equal(old.labels, new.labels)):
        return Change(
            label, dataset, kind="unpaired", before=means[0], after=means[1], note="the runs have other test images"
        )
    unknown = [(run, recipe) for run, recipe in (("first", old), ("second", new)) if not recipe.decided.known]
    if unknown:
        run, recipe = unknown[0]
        note = f"no {recipe.decided.figure.label} in the {run} run: {recipe.decided.reason}"
        return Change(label, dataset, kind="not compared", before=means[0], after=means[1], time=time, note=note)
    difference = difference_of(new, old)
    if difference is not None:
        return Change(
            label,
            dataset,
            kind="undecided",
            before=means[0],
            after=means[1],
            difference=bounded(difference, new.decided.figure),
            time=time,
            note=note,
        )
    one = "one seed: these two trained models, not the recipes"
    note = note or (one if old.complete and new.complete else "seeds are missing")
    single = new.layout is None and new.decided.contributions is new.correct
    return Change(
        label,
        dataset,
        kind="model alike" if single else "not compared",
        before=means[0],
        after=means[1],
        mcnemar=mcnemar(new.correct[0], old.correct[0], new.groups) if single else None,
        time=time,
        note=note,
    )
