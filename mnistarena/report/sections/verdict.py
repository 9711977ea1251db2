"""The verdict in words: the headline, a sentence a recipe, and what would decide an undecided pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mnistarena.evidence.pairs import VERBS, Pair
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import format
from mnistarena.report.format import p_value, percent, points, series
from mnistarena.stats import power
from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.power import Need
from mnistarena.text import plural


@dataclass(frozen=True)
class VerdictLine:
    """One sentence of the verdict; `kind` is a verdict, or "checkpoint" for two trained models."""

    kind: str
    text: str


def reference(ranked: Sequence[RecipeEvidence], baseline: str | None) -> str | None:
    """The recipe that the leaderboard compares with: the baseline where it has results, else the highest mean."""
    ready = [recipe.label for recipe in ranked if len(recipe.correct)]
    return baseline if baseline in ready else ready[0] if ready else None


def _with(recipe: RecipeEvidence, pairs: Sequence[Pair], other: str) -> Pair | None:
    return next((p.seen_from(recipe.label) for p in pairs if {p.a, p.b} == {recipe.label, other}), None)


def _delta(difference: Difference, p_adjusted: float | None) -> str:
    p = f", {p_value(p_adjusted)}" if p_adjusted is not None else ""
    ends = f"{points(difference.low)} to {points(difference.high)}"
    return f"{points(difference.estimate)} (95 % interval {ends}{p})"


def headline(ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair]) -> str:
    """The verdict in a sentence: the leader, or the group that cannot be told apart, over all pairs."""
    ready = [recipe for recipe in ranked if len(recipe.correct)]
    if not ready:
        return "No trial has finished yet, so there is nothing to compare."
    best, score = ready[0], percent(ready[0].accuracy)
    if len(ready) == 1:
        return f"{best.label} classifies {score} of the test images correctly; there is nothing to compare it with."
    found = {other.label: pair for other in ready[1:] if (pair := _with(best, pairs, other.label))}
    if not any(recipe.comparable for recipe in ready):
        close = [label for label, pair in found.items() if pair.p_adjusted is None or pair.p_adjusted >= ALPHA]
        apart = f", though not by enough to tell it from {series(close)}" if close else ""
        return (
            f"Of these {len(ready)} trained models, {best.label} is right most often ({score}){apart}; "
            "one seed each says nothing about the recipes behind them."
        )
    kinds: dict[str, list[str]] = defaultdict(list)
    for label, pair in found.items():
        kinds[pair.verdict].append(label)
    if len(kinds["better"]) == len(ready) - 1:
        rest = f"each of the {len(ready) - 1} others" if len(ready) > 2 else ready[1].label
        return f"{best.label} is the most accurate, at {score}: better than {rest}."
    tied = [label for label in found if label in (*kinds["equal"], *kinds["undecided"])]
    open_ = [f"{series(tied)} cannot be told apart from it on this evidence"] if kinds["undecided"] else []
    open_ += [f"{series(kinds['not compared'])} cannot be compared with it"] if kinds["not compared"] else []
    if open_:
        return f"No single winner: {best.label} has the highest mean accuracy, {score}, but {', and '.join(open_)}."
    return f"Tied first, at {score}: {best.label} and {series(tied)} are practically equal."


_MANY = 8
"""Findings of one kind beyond this many become one sentence; the leaderboard has them all."""


def findings(
    ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair], against: str | None, margin: float
) -> tuple[VerdictLine, ...]:
    """What is known of every recipe against the reference, and what would decide an undecided pair."""
    family_size = sum(pair.difference is not None for pair in pairs)
    ready = [recipe for recipe in ranked if len(recipe.correct) and recipe.label != against]
    found: list[tuple[str, VerdictLine]] = []
    for recipe in ready:
        pair = _with(recipe, pairs, against or "")
        if pair is not None:
            found.append((recipe.label, _finding(pair, family_size, margin)))
    said = []
    for kind in dict.fromkeys(finding.kind for _, finding in found):
        group = [(label, finding) for label, finding in found if finding.kind == kind]
        if len(group) > _MANY:
            names = series((label for label, _ in group), _MANY)
            said.append(VerdictLine(kind, f"{len(group)} recipes are {VERBS[kind]} {against}: {names}."))
        else:
            said += [finding for _, finding in group]
    unseen = [recipe.label for recipe in ranked if not len(recipe.correct)]
    if unseen:
        said.append(VerdictLine("undecided", f"No result: {series(unseen)}."))
    return tuple(said)


def _finding(pair: Pair, family_size: int, margin: float) -> VerdictLine:
    if pair.difference is not None:
        more = ""
        if pair.verdict == "undecided":
            more = f" {needed(power.need(pair.difference, family=family_size, margin=margin), margin)}"
        delta = _delta(pair.difference, pair.p_adjusted)
        return VerdictLine(pair.verdict, f"{pair.a} is {VERBS[pair.verdict]} {pair.b}: {delta}.{more}")
    m = pair.mcnemar
    if m is None:
        return VerdictLine(pair.verdict, f"{pair.a} and {pair.b} cannot be paired: {pair.reason}.")
    p = p_value(m.p if pair.p_adjusted is None else pair.p_adjusted)
    alone = f"{pair.a} is right alone on {plural(m.only_first, 'image')}, {pair.b} on {m.only_second:,} ({p})."
    if "did not finish" in pair.reason:
        return VerdictLine(pair.verdict, f"{pair.a} against {pair.b}: {pair.reason}. Of their first models, {alone}")
    return VerdictLine("checkpoint", alone)


def needed(need: Need, margin: float) -> str:
    """What would decide an undecided pair."""
    if need.goal == "equality":
        what, small = f"To show that they are within {_within(margin)} of each other", f"to show ±{_within(margin)}"
    else:
        what, small = "To show a difference of this size", "for a difference of this size"
    if need.pooled:
        images = "" if need.images is None else f" would take about {_rounded(need.images)} images in all"
        return f"{what}{images or ', no number of images is enough'}."
    if need.seeds is not None:
        return f"{what} would take about {need.seeds} seeds of each."
    said = f"No number of seeds would decide it: the test set is too small {small}"
    if not need.seeded:
        said = f"Neither depends on its seed, and the test set is too small {small}"
    if need.images is None:
        return f"{said}."
    return f"{said}; about {_rounded(need.images)} test images would be needed."


def _rounded(count: int) -> str:
    """Two digits, rounded up."""
    digits = 10 ** max(len(str(count)) - 2, 0)
    return f"{-(-count // digits) * digits:,}"


def _within(margin: float) -> str:
    return f"{format.margin(margin)}\u202fpp"


def certainty(ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair], against: str | None, family_name: str) -> str:
    """How many comparisons were decided, and within which family."""
    judged = [pair for pair in pairs if pair.difference is not None]
    if not judged:
        if len([recipe for recipe in ranked if len(recipe.correct)]) < 2:
            return "There is nothing to compare yet."
        return "Recipes can be compared from two seeds each; until then McNemar's exact test compares trained models."
    decided = sum(pair.verdict != "undecided" for pair in judged)
    seeded = [recipe for recipe in ranked if recipe.comparable and not recipe.deterministic and recipe.layout is None]
    few = min((recipe.seeds for recipe in seeded), default=0)
    text = f"{decided} of {plural(len(judged), 'comparison')} decided (Holm's correction over {family_name}); "
    text += f"shown against {against}."
    return text + (" Two seeds are very little: expect wide intervals." if few == 2 else "")
