"""What changed between two runs, in words: the cells of its table, the verdict, and both as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.changes import Change, Kind
from mnistarena.report import format as text, wording
from mnistarena.report.markdown import escape_markdown, table
from mnistarena.text import plural

SAID: dict[Kind, str] = {
    "better": "better",
    "worse": "WORSE",
    "equal": "practically equal",
    "undecided": "undecided",
    "not compared": "not compared",
    "identical": "identical",
    "model better": "this model is better",
    "model worse": "this model is WORSE",
    "model alike": "models not told apart",
    "failing": "FAILING",
    "unpaired": "cannot be paired",
    "new": "new",
    "gone": "gone",
    "nothing": "no result",
}

TIMES = (
    "Training times: the intervals know how times vary within each run, not what was different between the two, "
    "which were not measured in turns; so there is no verdict."
)

MOST_ROWS = 8
"""How many recipes the Markdown shows, regressions first."""


@dataclass(frozen=True)
class Cells:
    """A change as text; what is not known of it is "–", or empty: `interval`, `p`, `note`, `time_interval`."""

    before: str
    after: str
    _: KW_ONLY
    difference: str
    interval: str
    p: str
    time: str
    time_interval: str


def cells(change: Change) -> Cells:
    """The figures of a change."""
    figure, found = change.figure, change.difference
    difference, interval = text.NONE, ""
    if found is not None:
        low, high = (wording.difference(end, figure).removesuffix("\u202fpp") for end in (found.low, found.high))
        difference, interval = wording.difference(found.estimate, figure), f"[{low}, {high}]"
    elif change.mcnemar is not None:
        difference = text.points(change.mcnemar.difference)
    elif change.before is not None and change.after is not None:
        difference = wording.difference(change.after - change.before, figure)
    before, after = (text.NONE if one is None else wording.value(one, figure) for one in (change.before, change.after))
    ratio = change.time_ratio
    time = change.time if ratio is None else ratio.estimate
    return Cells(
        before,
        after,
        difference=difference,
        interval=interval,
        p="" if change.p_adjusted is None else text.p_value(change.p_adjusted),
        time=text.NONE if time is None else f"{time:.2f}×",
        time_interval="" if ratio is None else f"[{ratio.low:.2f}, {ratio.high:.2f}]",
    )


def closing(found: Sequence[Change]) -> str:
    """The verdict on all recipes: regressions, and what is not decided or gone."""
    if not found:
        return "Neither run has a recipe."
    if all(change.kind == "identical" for change in found):
        return "Nothing changed: every recipe predicts the same in both runs."
    head = "No regression is seen."
    if regressions := [change.label for change in found if change.regression]:
        head = f"{plural(len(regressions), 'regression')}: {text.series(regressions)}."
    open_ = [change.label for change in found if change.kind in ("undecided", "model alike", "unpaired", "nothing")]
    gone = [change.label for change in found if change.kind == "gone"]
    said = [f"{what}: {text.series(labels)}." for what, labels in (("Not decided", open_), ("Gone", gone)) if labels]
    return " ".join([head, *said])


def tested(found: Sequence[Change], why: Sequence[str], within: str) -> list[str]:
    """The answer on non-inferiority, and a line for each recipe that fails it; `within` is the margin."""
    old = [change for change in found if change.kind != "new"]
    if not old:
        return ["Failed: the first run has no recipe, so nothing is compared."]
    lines = [f"- {name}: {sentence}" for name, sentence in zip(labels(found), why, strict=True) if sentence]
    if not lines:
        return [f"Passed: of {plural(len(old), 'recipe')}, each by its 95 % interval, none loses {within} or more."]
    are = "is" if len(lines) == 1 else "are"
    head = f"Failed: of {plural(len(old), 'recipe')} of the first run, {len(lines)} {are} not shown to lose less than"
    return [f"{head} {within}.", *lines]


def labels(found: Sequence[Change]) -> list[str]:
    """The name of each change; with its dataset where there are several."""
    several = len({change.dataset for change in found}) > 1
    return [f"{change.label} on {change.dataset}" if several else change.label for change in found]


def as_markdown(found: Sequence[Change], answer: str = "") -> str:
    """Fifteen lines at most: the verdict, with the `answer` on non-inferiority, and a table of the recipes."""
    order = sorted(range(len(found)), key=lambda at: (not found[at].regression, at))
    named = labels(found)
    rows = []
    for at in order[:MOST_ROWS]:
        change, shown = found[at], cells(found[at])
        verdict = ", ".join(filter(None, (SAID[change.kind], shown.p, change.note)))
        both = (f"{a} {b}".rstrip() for a, b in ((shown.difference, shown.interval), (shown.time, shown.time_interval)))
        difference, time = both
        rows.append((named[at], shown.before, shown.after, difference, verdict, time))
    lines = [f"**{escape_markdown(closing(found))}**", ""]
    if rows:
        lines += [*table(("Model", "A", "B", "B − A", "Verdict", "Training"), rows, "lrrrlr"), ""]
    if len(found) > MOST_ROWS:
        lines.append(f"{len(found) - MOST_ROWS} more recipes are left out here.")
    if answer:
        lines.append(str(escape_markdown(answer)))
    return "\n".join(lines).rstrip() + "\n"
