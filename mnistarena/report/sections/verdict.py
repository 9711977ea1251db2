"""The verdict in words: a sentence a recipe, what would decide an undecided pair, and how much was decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import VERBS, Pair, compared
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import names, p_value, rounded_up, seconds
from mnistarena.stats import power
from mnistarena.stats.power import Need
from mnistarena.text import plural


@dataclass(frozen=True)
class VerdictLine:
    """One sentence of the verdict; `kind` is a verdict, or "checkpoint" for two trained models."""

    kind: str
    text: str


@dataclass(frozen=True)
class _Context:
    """What all sentences of a dataset share; `family` is the number of pairs that were compared."""

    recipes: dict[str, RecipeEvidence]
    figure: Figure
    _: KW_ONLY
    margin: float
    family: int

    @property
    def corrected(self) -> str:
        """What a p value was corrected by."""
        return "" if self.family == 1 else f", with Holm's correction over {self.family:,} pairs"


def reference(ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair], baseline: str | None) -> str | None:
    """Whom the leaderboard's column compares with: the baseline, else the best mean, of those that were compared.

    Where nothing was compared, of those with results.
    """
    together = compared(pairs)
    ready = [recipe.label for recipe in ranked if len(recipe.correct)]
    able = [label for label in ready if label in together] or ready
    return baseline if baseline in able else able[0] if able else None


_MANY = 8
"""Findings of one kind beyond this many become one sentence; the leaderboard has them all."""


def findings(
    ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair], against: str | None, *, figure: Figure, margin: float
) -> tuple[VerdictLine, ...]:
    """What is known of every recipe against the reference, and what would decide an undecided pair."""
    family = sum(pair.difference is not None for pair in pairs)
    context = _Context({recipe.label: recipe for recipe in ranked}, figure, margin=margin, family=family)
    with_it = {pair.a: pair for one in pairs if against in (one.a, one.b) for pair in (one, one.seen_from(one.b))}
    found = [
        (recipe.label, _finding(with_it[recipe.label], context))
        for recipe in ranked
        if recipe.label != against and recipe.label in with_it
    ]
    said = []
    for kind in dict.fromkeys(finding.kind for _, finding in found):
        group = [(label, finding) for label, finding in found if finding.kind == kind]
        if len(group) > _MANY:
            listed = names((label for label, _ in group), _MANY, room=300)
            said.append(VerdictLine(kind, f"{len(group)} recipes are {VERBS[kind]} {against}: {listed}."))
        else:
            said += [finding for _, finding in group]
    unseen = [recipe.label for recipe in ranked if not len(recipe.correct)]
    if unseen:
        said.append(VerdictLine("not compared", f"No result: {names(unseen)}."))
    return tuple(said)


def _finding(pair: Pair, context: _Context) -> VerdictLine:
    if pair.difference is not None:
        return VerdictLine(pair.verdict, _judged(pair, context))
    if pair.mcnemar is None:
        return VerdictLine(pair.verdict, f"{pair.a} is not compared with {pair.b}: {pair.reason}.")
    test = pair.mcnemar
    p = p_value(test.p if pair.p_adjusted is None else pair.p_adjusted)
    alone = (
        f"{pair.a} alone is right on {plural(test.only_first, 'image')}, {pair.b} alone on {test.only_second:,} ({p})"
    )
    return VerdictLine("checkpoint", f"{alone}; that speaks of these two trained models, not of their recipes.")


def _judged(pair: Pair, context: _Context) -> str:
    """The sentence on a pair that was compared."""
    found, figure = pair.difference, context.figure
    assert found is not None
    start = f"{pair.a} is {VERBS[pair.verdict]} {pair.b}: {wording.difference(found.estimate, figure)}"
    low, high = (wording.difference(end, figure) for end in (found.low, found.high))
    p = f", {p_value(pair.p_adjusted)}{context.corrected}" if pair.p_adjusted is not None else ""
    if pair.verdict == "equal" and pair.p_equal is not None:
        # The verdict on equality has a p of its own, of two one-sided tests.
        limit = wording.margin(context.margin, figure)
        p = f", which lies within ±{limit}; two one-sided tests, {p_value(pair.p_equal)}{context.corrected}"
    said = f"{start} (95 % interval {low} to {high}{p})."
    few = min((part.seeds for part in found.components if part.df), default=0)
    if figure.share and found.low <= -1 and found.high >= 1:
        said += f" {'Two seeds bound' if few == 2 else 'This evidence bounds'} nothing here."
    if pair.verdict == "undecided":
        said += f" {needed(pair, context)}"
    return said


def needed(pair: Pair, context: _Context) -> str:
    """What would decide an undecided pair, and how long that would train."""
    assert pair.difference is not None
    need = power.need(pair.difference, family=context.family, margin=context.margin)
    limit = wording.margin(context.margin, context.figure)
    if need.goal == "equality":
        what, small = f"To show that they are within {limit} of each other", f"to show ±{limit}"
    else:
        what, small = "To show a difference of this size", "for a difference of this size"
    if need.pooled:
        images = "" if need.images is None else f" would take about {rounded_up(need.images)} images in all"
        return f"{what}{images or ', no number of images is enough'}."
    if need.seeds is not None:
        return f"{what} would take about {need.seeds:,} seeds of {_each(pair, need, context)}."
    if need.seeded:
        said = f"No number of seeds would decide it: the test set is too small {small}"
    else:
        said = f"Neither depends on its seed, and the test set is too small {small}"
    if need.images is None:
        return f"{said}."
    return f"{said}; about {rounded_up(need.images)} test images would be needed."


def _each(pair: Pair, need: Need, context: _Context) -> str:
    """The recipes of a pair that have seeds, with the time that the further seeds would train."""
    recipes = [context.recipes[label] for label in (pair.a, pair.b)]
    seeded = [recipe for recipe in recipes if not recipe.deterministic]
    whose = "each" if len(seeded) == 2 else seeded[0].label
    times = [(recipe.mean("train_seconds"), max(0, (need.seeds or 0) - len(recipe.correct))) for recipe in seeded]
    if any(one is None for one, _ in times):
        return whose
    return f"{whose}, {seconds(sum((one or 0.0) * more for one, more in times))} more of training as measured here"


def certainty(pairs: Sequence[Pair], against: str | None, family_name: str) -> str:
    """How many comparisons were decided, over which family, and how many pairs were not compared."""
    judged = [pair for pair in pairs if pair.difference is not None]
    tested = sum(pair.mcnemar is not None for pair in pairs)
    if not judged:
        if not pairs:
            return "There is nothing to compare."
        said = "No two recipes can be compared: that takes two seeds or more of each, and every planned one finished."
        if tested:
            holm = f", with Holm's correction over {tested} pairs" if tested > 1 else ""
            said += f" McNemar's exact test compares trained models of one seed instead{holm}."
        return said
    decided = sum(pair.verdict != "undecided" for pair in judged)
    if len(judged) == 1:
        said = f"The one comparison is {'decided' if decided else 'undecided'}"
        said += f"; shown against {against}."
    else:
        count = f"{decided:,}" if decided else "None"
        said = f"{count} of {len(judged):,} comparisons {'is' if decided == 1 else 'are'} decided "
        said += f"(Holm's correction {family_name}); shown against {against}."
    without = len(pairs) - len(judged)
    if without:
        said += f" {plural(without, 'further pair')} {'is' if without == 1 else 'are'} not compared."
    return said
