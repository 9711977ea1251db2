"""Why a change between two runs is not shown to be no regression, and what would show it."""

from __future__ import annotations

from mnistarena.evidence.changes import Change
from mnistarena.report import format as text, wording
from mnistarena.stats.intervals import Difference
from mnistarena.stats.power import Need

_REASONS = {
    "gone": "the second run does not have it; add it to the spec of the second run and run that again",
    "nothing": "it has no result in the first run; run that again until it has",
    "failing": "{note}; its report says why: mend that and run it again",
    "unpaired": "{note}, so no image can be paired; give both runs the same dataset, test_limit and split_seed",
}


def shortfall(change: Change, margin: float) -> str:
    """One sentence: why the second run is not shown to lose less than the margin; empty where it is, or of no concern.

    `margin` is in the figure's own unit, as in `changes`.
    """
    if change.no_worse is not False:
        return ""
    if change.difference is not None:
        return f"{_measured(change, change.difference, margin)}."
    if change.kind in _REASONS:
        return f"{_REASONS[change.kind].format(note=change.note)}."
    if change.kind == "not compared" and change.note.startswith("no "):
        return f"{change.note}; run both with that metric."
    if "seeds are missing" in change.note:
        return "seeds without a result belong to the recipe, so it is not compared; run both runs until all are done."
    return (
        "single trained models cannot show it, unless they predict the same; run it with more seeds in both runs, "
        "such as five."
    )


def _measured(change: Change, difference: Difference, margin: float) -> str:
    """What the difference says, and what would show that there is no loss."""
    figure, within = change.figure, wording.margin(margin, change.figure)
    estimate = wording.difference(difference.estimate, figure)
    loss = -difference.estimate if figure.higher_is_better else difference.estimate
    if loss >= margin:
        said = f"the difference is {estimate}, a loss of {within} or more"
        return said if change.kind == "worse" else f"{said}; more seeds help only if the true loss is smaller"
    return (
        f"a loss of {within} or more is not ruled out: the difference is {estimate}, its 95 % interval "
        f"{wording.difference(difference.low, figure)} to {wording.difference(difference.high, figure)} "
        f"({text.p_value(change.p_no_worse or 0.0)}); {_needed(change.need)}"
    )


def _needed(need: Need | None) -> str:
    if need is not None and need.pooled and need.images is not None:
        return f"about {text.rounded_up(need.images)} images in all would show it, if the true difference is that"
    if need is not None and need.seeds is not None:
        return f"about {need.seeds:,} seeds of each would show it, if the true difference is that"
    if need is not None and need.images is not None:
        return f"no number of seeds would show it, but about {text.rounded_up(need.images)} test images would"
    return "a larger margin would be needed"
