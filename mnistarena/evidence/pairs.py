"""Every pair of recipes with its verdict, all in one Holm family, and the places that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import combinations

import numpy as np

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.stats import splits
from mnistarena.stats.crossed import Crossed, McNemar, differences, mcnemar
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

    `difference` speaks of the recipes, `mcnemar` of their trained models where each has one seed.
    `superiority` is P(a > b) over seeds, a better figure being more.
    `p_adjusted` is two-sided; `p_equal` that of practical equality.
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
    margin: float,
    *,
    judging: Callable[[Sequence[Pair]], list[Judged]] | None = None,
) -> list[Pair]:
    """Every pair with its verdict; all that can be compared are the one Holm family that every sentence speaks from.

    `judging` gives the verdicts on the family in place of `judge`.
    """
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    pairs = [pair for group in _pairwise(ready) for pair in group]
    order = {recipe.label: at for at, recipe in enumerate(ready)}
    pairs.sort(key=lambda pair: (order[pair.a], order[pair.b]))
    higher = all(recipe.decided.figure.higher_is_better for recipe in recipes)
    if judging is None:
        judged = judge([pair.difference for pair in pairs], margin=margin, higher_is_better=higher)
    else:
        judged = judging(pairs)
    pairs = [
        replace(
            pair,
            difference=pair.difference and bounded(pair.difference, recipes[0].decided.figure),
            verdict=one.verdict,
            p_adjusted=one.p,
            p_equal=one.p_equal,
        )
        for pair, one in zip(pairs, judged, strict=True)
    ]
    tested = [(at, pair.mcnemar) for at, pair in enumerate(pairs) if pair.mcnemar is not None]
    for (at, _), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        pairs[at] = replace(pairs[at], p_adjusted=p)
    return pairs


def bounded(difference: Difference, figure: Figure) -> Difference:
    """The same with its interval cut where no difference can be: of shares at ±1."""
    if not figure.share:
        return difference
    return replace(difference, low=max(-1.0, difference.low), high=min(1.0, difference.high))


def compared(pairs: Sequence[Pair]) -> set[str]:
    """The recipes that were compared with any other."""
    return {label for pair in pairs if pair.difference is not None for label in (pair.a, pair.b)}


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
    able = [recipe for recipe in group if recipe.comparable]
    at = {recipe.label: number for number, recipe in enumerate(able)}
    several = group[0].layout is not None
    crossed = None if several else crossed_of(able)
    every = list(combinations(group, 2))
    asked = [(at[a.label], at[b.label]) for a, b in every if a.comparable and b.comparable]
    known = _over_splits(able, asked) if crossed is None else differences((crossed, i, j) for i, j in asked)
    found = dict(zip(asked, known, strict=True))
    pairs = []
    for a, b in every:
        i, j = at.get(a.label, -1), at.get(b.label, -1)
        difference = found.get((i, j))
        if crossed is not None and difference is not None:
            # How often a seed of a is better than one of b.
            first, second = (i, j) if a.decided.figure.higher_is_better else (j, i)
            pairs.append(Pair(a.label, b.label, difference=difference, superiority=crossed.superiority(first, second)))
        elif difference is not None:
            pairs.append(Pair(a.label, b.label, difference=difference))
        elif _single(a) and _single(b):
            test = mcnemar(a.correct[0], b.correct[0], a.groups)
            pairs.append(Pair(a.label, b.label, mcnemar=test, reason=_reason(a, b)))
        else:
            pairs.append(Pair(a.label, b.label, reason=_reason(a, b)))
    return pairs


def _single(recipe: RecipeEvidence) -> bool:
    """Whether a recipe is one model, compared by its accuracy; the first of several seeds would stand for nothing.

    Over several splits an image may be there more than once, which tests of single models do not know.
    """
    one = len(recipe.trials) == 1 and recipe.layout is None
    return one and recipe.decided.known and recipe.decided.contributions is recipe.correct


def _over_splits(able: Sequence[RecipeEvidence], asked: Sequence[tuple[int, int]]) -> list[Difference | None]:
    """The differences of some pairs of recipes that were trained and tested on several splits."""
    if not asked:
        return []
    known = [recipe.decided for recipe in able]
    layout = known[0].layout
    assert layout is not None
    matrices = [one.contributions for one in known if one.contributions is not None]
    share, span = known[0].figure.share, known[0].span
    return list(splits.differences([(matrices[i], matrices[j]) for i, j in asked], layout, share=share, span=span))


def difference_of(a: RecipeEvidence, b: RecipeEvidence) -> Difference | None:
    """Recipe a minus recipe b, on the same test images; None where one of them cannot be compared."""
    if not (a.comparable and b.comparable):
        return None
    crossed = crossed_of([a, b]) if a.layout is None else None
    return _over_splits([a, b], [(0, 1)])[0] if crossed is None else crossed.difference(0, 1)


def crossed_of(recipes: Sequence[RecipeEvidence]) -> Crossed | None:
    """The figure that decides of comparable recipes on the same test images; None of none."""
    if not recipes:
        return None
    first = recipes[0].decided
    return Crossed(
        [known for recipe in recipes if (known := recipe.decided.contributions) is not None],
        [recipe.deterministic for recipe in recipes],
        groups=first.groups,
        share=first.figure.share,
        span=first.span,
    )


def places(recipes: Sequence[RecipeEvidence], pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    """The best and worst place among all recipes that the verdicts leave every one that was compared."""
    at = {recipe.label: number for number, recipe in enumerate(recipes)}
    found = possible_places(len(at), {(at[pair.a], at[pair.b]): pair.verdict for pair in pairs})
    return {label: place for label, place in zip(at, found, strict=True) if place is not None}


def _reason(a: RecipeEvidence, b: RecipeEvidence) -> str:
    """Why two recipes on the same test images are not compared."""
    if all(recipe.complete and len(recipe.trials) == 1 and not recipe.comparable for recipe in (a, b)):
        return f"{a.label} and {b.label} have one seed only"
    return "; ".join(why for recipe in (a, b) if (why := not_comparable(recipe, recipe.label)))


def not_comparable(recipe: RecipeEvidence, name: str = "") -> str:
    """Why a recipe is compared with no other, with its `name` or without; empty where it can be compared."""
    if recipe.comparable:
        return ""
    missing, unlike = len(recipe.trials) - len(recipe.done), len(recipe.done) - len(recipe.counted)
    of = f"of {len(recipe.trials)} {'seeds' if all(trial.split is None for trial in recipe.trials) else 'trials'}" + (
        f" of {name}" if name else ""
    )
    if not recipe.done:
        return f"{name} has no result" if name else "no result"
    if recipe.decided.reason:
        lacks = f"no {recipe.decided.figure.name}: {recipe.decided.reason}"
        return f"{name} has {lacks}" if name else lacks
    if missing:
        late = {trial.status for trial in recipe.trials if not trial.done} <= {"pending", "interrupted"}
        return f"{missing} {of} {'not finished yet' if late else 'did not finish'}"
    if unlike:
        return f"{unlike} {of} predicted other test images"
    what = "one seed only" + (", since the others changed nothing" if recipe.repeated else "")
    return f"{name} has {what}" if name else what
