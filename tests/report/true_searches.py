"""What is true of the sentences on searches and on grids."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from scipy import stats

from mnistarena.report.comparison import Comparison
from mnistarena.report.format import points
from mnistarena.report.sections.search_rows import Row
from mnistarena.report.view import ReportData

from .truths import matches

CHOSEN_TWICE = ("best epoch", "early stopping")


def searches(c: Comparison, view: ReportData) -> Iterator[str]:
    """Who was searched, who was not, what became of it, and what that makes of the verdicts."""
    if (found := c.search) is None:
        return
    said, notes = c.answers["search"], " ".join(found.notes)
    labels = {row.label for row in found.rows}
    told = re.findall(r"(?:^|\. )(?:Each of )?(.+?) has a budget of", said)
    if {one for part in told for one in re.split(r", | and ", part)} != labels:
        yield f"not who was searched: {said}"
    others = re.search(r"Not searched, so as the spec has (?:it|them): (.+?)\.", said)
    rest = {row.label for row in c.rows} - labels
    if not matches(others[1], rest) if others else rest:
        yield f"not who was not searched: {said}"
    several, chosen = any(row.search["repeats"] > 1 for row in found.rows), any(row.choices for row in found.rows)
    for sentence, wanted in (("Each seed has a search", several), ("Verdicts hold for the chosen", not several)):
        if (sentence in said) != (wanted and chosen):
            yield f"what verdicts are about: {said}"
        if (sentence in c.answers["certainty"]) != (wanted and chosen and any(pair.difference for pair in c.pairs)):
            yield f"what verdicts are about: {c.answers['certainty']}"
    yield from _lost(c, view)
    for row in found.rows:
        yield from _of_model(row, notes, lost=row.label in found.lost)
    if ("expected to look better" in notes) != any(row.gap is not None for row in found.rows):
        yield f"the best of several: {notes}"
    entries = [one for one in view.plan["entries"] if one["dataset"] == c.label and one.get("chosen")]
    used = [any(one.get("training", {}).get(key) for one in entries) for key in ("select", "patience")]
    if [text in notes for text in CHOSEN_TWICE] != used:
        yield f"what else used the validation images: {notes}"


def _lost(c: Comparison, view: ReportData) -> Iterator[str]:
    """The models without a recipe are named, with why, where a reader looks for them."""
    assert c.search is not None
    waiting = {one["label"] for one in view.plan["entries"] if one["dataset"] == c.label and one.get("chosen") == []}
    if set(c.search.lost) != waiting:
        yield f"not who has no recipe: {set(c.search.lost)}"
    for row in c.search.rows:
        why = c.search.lost.get(row.label, "")
        if why and f"The search of {row.label} {why}." not in view.failure_answer:
            yield f"unsaid: {row.label} {why}"
        if why and len(waiting) <= 3 and why not in c.headline:
            yield f"unsaid: {row.label} {why} in {c.headline}"
        states = [one.status for one in row.attempts]
        if re.search(r"all \d+ trials failed|only trial failed", why) and set(states) != {"failed"}:
            yield f"not all failed: {why}"
        if ("has not begun" in why) != (why != "" and not states):
            yield f"begun or not: {why}"
        if (counted := re.search(r"(\d+) failed \(", why)) and int(counted[1]) != states.count("failed"):
            yield f"not so many failed: {why}"
        if (counted := re.search(r"(\d+) (?:was|were) pruned", why)) and int(counted[1]) != states.count("pruned"):
            yield f"not so many pruned: {why}"


def _of_model(row: Row, notes: str, *, lost: bool) -> Iterator[str]:
    """The numbers of a model's row, and its notes."""
    states = [one.status for one in row.attempts]
    if [row.tried, row.failed, row.pruned] != [len(states), states.count("failed"), states.count("pruned")]:
        yield f"not so many trials: {row.label}"
    said = re.search(rf"(\d+) of (\d+) trials? of {re.escape(row.label)} failed", notes)
    if (said[1], said[2]) != (str(row.failed), str(row.tried)) if said else row.failed and not lost:
        yield f"how many failed: {notes}"
    if row.gap is not None and abs(row.gap - (row.validation or 0.0) + (row.test or 0.0)) > 1e-12:
        yield "the difference of validation and test"
    done = [one.value for one in row.attempts if one.status == "done" and one.value is not None]
    if row.search["repeats"] == 1 and done:
        best = max(done) if row.by.higher_is_better else min(done)
        if not np.isclose(row.budgets[-1].expected, best) or (row.choices and row.choices[0].value != best):
            yield f"{row.label}: all trials have not the best value"
    ends = {text for choice in row.choices for text in _ends(row, choice.number, choice.of)}
    told = re.search(rf"Of {re.escape(row.label)}, chosen at an end of what was searched: (.+?)\. A wider", notes)
    if {f"{name} ({end})" for name, end in ends} != (
        set(re.findall(r"(\S+ = \S+ \(the \w+\))", told[1])) if told else set()
    ):
        yield f"which values lie at an end: {notes}, not {ends}"


def _ends(row: Row, number: int, of: int) -> Iterator[tuple[str, str]]:
    """The chosen values in the outer hundredth of their ranges, with the end."""
    point = next(one.point for one in row.attempts if one.chosen and one.number == number)
    assert 1 <= number <= of
    for parameter in row.search["space"]:
        if parameter["name"] not in point or "low" not in parameter:
            continue
        low, high, value = parameter["low"], parameter["high"], point[parameter["name"]]
        scaled = np.log([low, value, high]) if parameter.get("log") else np.array([low, value, high])
        share = (scaled[1] - scaled[0]) / (scaled[2] - scaled[0])
        text = next(
            at.text for choice in row.choices for at in choice.settings if at.name == row.names[parameter["name"]]
        )
        if share <= 0.01 or share >= 0.99:
            yield text, "the lower" if share <= 0.01 else "the upper"


def factors(c: Comparison, view: ReportData) -> Iterator[str]:
    """What the best of a grid is worth, from the verdicts' own differences."""
    said = c.answers.get("factors", "")
    found = re.search(
        r"Of (\d+) recipes that were all equal, the best .*? stand (\S+?\u202fpp) .*? it stands (\S+?\u202fpp)", said
    )
    grids = {row.label for row in c.rows if row.label.startswith("m[")}
    pairs = [pair.difference for pair in c.pairs if {pair.a, pair.b} <= grids and pair.difference]
    if not found:
        if c.factors and len(pairs) > 2:
            yield "what the best of a grid is worth is not said"
        return
    n = int(found[1])
    x = np.linspace(-9, 9, 20001)
    expected = np.trapezoid(x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1), x)
    own = np.sqrt(np.mean([one.standard_error**2 for one in pairs]) / 2)
    means = [row.mean for row in c.rows if row.label in grids and row.mean is not None]
    if found[2] != points(expected * own) or found[3] != points(max(means) - np.mean(means)):
        yield f"not what the best is worth: {said}"
