"""Every pair of recipes with its verdict, in its Holm family, and the places that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.stats.crossed import Crossed, Difference, McNemar
from mnistarena.stats.verdicts import Verdict, holm, possible_places, verdicts

VERBS: dict[str, str] = {
    "better": "better than",
    "worse": "worse than",
    "equal": "practically equal to",
    "undecided": "not told apart from",
    "checkpoint": "one trained model each, as is",
}
"""A verdict between two names."""


@dataclass(frozen=True)
class Pair:
    """Recipe `a` against recipe `b`, with the verdict on `a` and why it is not more.

    `difference` speaks of the recipes, `mcnemar` of their first trained models where recipes cannot be compared.
    `superiority` is P(a > b) over seeds. `p_adjusted` is two-sided.
    """

    a: str
    b: str
    _: KW_ONLY
    verdict: Verdict = "undecided"
    difference: Difference | None = None
    mcnemar: McNemar | None = None
    p_adjusted: float | None = None
    superiority: float | None = None
    reason: str = ""

    def seen_from(self, label: str) -> Pair:
        """The same pair with `label` as its first recipe."""
        if label == self.a:
            return self
        turned: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}
        return Pair(
            self.b,
            self.a,
            verdict=turned.get(self.verdict, self.verdict),
            difference=self.difference and self.difference.turned(),
            mcnemar=self.mcnemar and self.mcnemar.turned(),
            p_adjusted=self.p_adjusted,
            superiority=None if self.superiority is None else 1 - self.superiority,
            reason=self.reason,
        )


@dataclass(frozen=True)
class Judged:
    """A difference of a Holm family with its verdict and its two-sided adjusted p."""

    verdict: Verdict
    p_adjusted: float


def judge(differences: Sequence[Difference], margin: float) -> list[Judged]:
    """The verdict on each difference; together they are one Holm family."""
    adjusted = holm([difference.p_one_sided for difference in differences])
    found = verdicts(differences, margin=margin)
    return [Judged(verdict, min(1.0, 2 * p)) for verdict, p in zip(found, adjusted, strict=True)]


def compare(recipes: Sequence[RecipeEvidence], baseline: str | None, margin: float) -> list[Pair]:
    """Every pair of a Holm family with its verdict: the pairs with the baseline, or all pairs where it is None."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    pairs = [pair for group in _pairwise(ready) for pair in group if baseline is None or baseline in (pair.a, pair.b)]
    order = {recipe.label: at for at, recipe in enumerate(ready)}
    pairs.sort(key=lambda pair: (order[pair.a], order[pair.b]))
    judged = [(at, pair.difference) for at, pair in enumerate(pairs) if pair.difference is not None]
    for (at, _), one in zip(judged, judge([difference for _, difference in judged], margin), strict=True):
        pairs[at] = replace(pairs[at], verdict=one.verdict, p_adjusted=one.p_adjusted)
    tested = [(at, pair.mcnemar) for at, pair in enumerate(pairs) if pair.mcnemar is not None]
    for (at, _), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        pairs[at] = replace(pairs[at], p_adjusted=p)
    return pairs


def _pairwise(ready: Sequence[RecipeEvidence]) -> list[list[Pair]]:
    """Every pair, not yet judged: those of recipes on the same test images, group by group, then the others."""
    groups: list[list[RecipeEvidence]] = []
    for recipe in ready:
        alike = next((group for group in groups if np.array_equal(group[0].index, recipe.index)), None)
        if alike is None:
            groups.append([recipe])
        else:
            alike.append(recipe)
    found = [_within(group) for group in groups]
    group_of = {recipe.label: number for number, group in enumerate(groups) for recipe in group}
    found.append(
        [
            Pair(a.label, b.label, reason="they predicted different test images")
            for number, a in enumerate(ready)
            for b in ready[number + 1 :]
            if group_of[a.label] != group_of[b.label]
        ]
    )
    return found


def _within(group: Sequence[RecipeEvidence]) -> list[Pair]:
    """Every pair of recipes on the same test images."""
    crossed = Crossed([r.correct for r in group], [r.deterministic for r in group])
    pairs = []
    for i, a in enumerate(group):
        for j, b in enumerate(group[i + 1 :], i + 1):
            found = crossed.difference(i, j) if a.comparable and b.comparable else None
            if found is not None:
                pairs.append(Pair(a.label, b.label, difference=found, superiority=crossed.superiority(i, j)))
            else:
                pairs.append(Pair(a.label, b.label, mcnemar=crossed.mcnemar(i, j), reason=_reason(a, b)))
    return pairs


def places(recipes: Sequence[RecipeEvidence], pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    """The best and worst place that the verdicts leave every recipe that can be compared."""
    ready = [recipe.label for recipe in recipes if recipe.comparable]
    at = {label: number for number, label in enumerate(ready)}
    better = set()
    for pair in pairs:
        if pair.verdict in ("better", "worse"):
            winner, loser = (pair.a, pair.b) if pair.verdict == "better" else (pair.b, pair.a)
            better.add((at[winner], at[loser]))
    return dict(zip(ready, possible_places(len(ready), better), strict=True))


def _reason(a: RecipeEvidence, b: RecipeEvidence) -> str:
    unfinished = [recipe for recipe in (a, b) if not recipe.complete]
    if unfinished:
        return " and ".join(
            f"{len(recipe.trials) - len(recipe.done)} of {len(recipe.trials)} seeds of {recipe.label} did not finish"
            for recipe in unfinished
        )
    return f"{' and '.join(r.label for r in (a, b) if not r.comparable)} has one seed only"
