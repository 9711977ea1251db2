"""The recipes of a dataset in their order, and every pair of them with its verdict."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.looks import Followed
from mnistarena.evidence.pairs import Pair, compare
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.sections import pairs, verdict


@dataclass(frozen=True)
class Judged:
    """The recipes of a dataset, the best mean first, and every pair with its verdict: one Holm family, `family`."""

    ranked: list[RecipeEvidence]
    reference: str | None
    _: KW_ONLY
    pairs: list[Pair]
    family: str


def judge(recipes: list[RecipeEvidence], baseline: str | None, margin: float, *, followed: Followed | None) -> Judged:
    """Every pair of these recipes, judged; those that looks decided as they did."""
    ranked = sorted(recipes, key=lambda recipe: (recipe.decided.loss, -recipe.accuracy if len(recipe.correct) else 1.0))
    every = list(followed.pairs) if followed else compare(recipes, margin)
    return Judged(ranked, verdict.reference(ranked, every, baseline), pairs=every, family=pairs.family(every))
