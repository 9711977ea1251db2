"""Every pair of recipes with its verdict, in its Holm family, and the places that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import combinations

import numpy as np

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.stats.crossed import Crossed, McNemar, differences
from mnistarena.stats.intervals import Difference
from mnistarena.stats.verdicts import Judged, Verdict, holm, judge, possible_places

VERBS: dict[str, str] = {
    "better": "better than",
    "worse": "worse than",
    "equal": "practically equal to",
    "undecided": "not told apart from",
    "not compared": "not compared with",
    "checkpoint": "one trained model each, as is",
}
"""A verdict between two names."""


@dataclass(frozen=True)
class Pair:
    """Recipe `a` against recipe `b`, with the verdict on `a` and why it is not more.

    `difference` speaks of the recipes, `mcnemar` of their first trained models where recipes cannot be compared.
    `superiority` is P(a > b) over seeds. `p_adjusted` is two-sided; `p_equal` that of practical equality.
    """

    a: str
    b: str
    _: KW_ONLY
    verdict: Verdict = "not compared"
    difference: Difference | None = None
    mcnemar: McNemar | None = None
    p_adjusted: float | None = None
    p_equal: float | None = None
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
            p_equal=self.p_equal,
            superiority=None if self.superiority is None else 1 - self.superiority,
            reason=self.reason,
        )


def compare(
    recipes: Sequence[RecipeEvidence],
    baseline: str | None,
    margin: float,
    *,
    judging: Callable[[Sequence[Pair]], list[Judged]] | None = None,
) -> list[Pair]:
    """Every pair of a Holm family with its verdict: the pairs with the baseline, or all pairs where it is None.

    `judging` gives the verdicts on the family in place of `judge`.
    """
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    pairs = [pair for group in _pairwise(ready) for pair in group if baseline is None or baseline in (pair.a, pair.b)]
    order = {recipe.label: at for at, recipe in enumerate(ready)}
    pairs.sort(key=lambda pair: (order[pair.a], order[pair.b]))
    judged = judging(pairs) if judging else judge([pair.difference for pair in pairs], margin=margin)
    pairs = [
        replace(pair, verdict=one.verdict, p_adjusted=one.p, p_equal=one.p_equal)
        for pair, one in zip(pairs, judged, strict=True)
    ]
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
    every = list(combinations(range(len(group)), 2))
    able = [(i, j) for i, j in every if group[i].comparable and group[j].comparable]
    found = dict(zip(able, differences((crossed, i, j) for i, j in able), strict=True))
    pairs = []
    for i, j in every:
        a, b, difference = group[i], group[j], found.get((i, j))
        if difference is not None:
            pairs.append(Pair(a.label, b.label, difference=difference, superiority=crossed.superiority(i, j)))
        else:
            pairs.append(Pair(a.label, b.label, mcnemar=crossed.mcnemar(i, j), reason=_reason(a, b)))
    return pairs


def places(recipes: Sequence[RecipeEvidence], pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    """The best and worst place among all recipes that the verdicts leave every one that was compared."""
    at = {recipe.label: number for number, recipe in enumerate(recipes)}
    found = possible_places(len(at), {(at[pair.a], at[pair.b]): pair.verdict for pair in pairs})
    return {label: place for label, place in zip(at, found, strict=True) if place is not None}


def _reason(a: RecipeEvidence, b: RecipeEvidence) -> str:
    unfinished = [recipe for recipe in (a, b) if not recipe.complete]
    if unfinished:
        return " and ".join(
            f"{len(recipe.trials) - len(recipe.done)} of {len(recipe.trials)} seeds of {recipe.label} did not finish"
            for recipe in unfinished
        )
    return f"{' and '.join(r.label for r in (a, b) if not r.comparable)} has one seed only"
