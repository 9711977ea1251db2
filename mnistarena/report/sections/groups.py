"""What groups of test images, such as those of one writer or patient, do to the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mnistarena.evidence.figure import scored
from mnistarena.evidence.recipe import RecipeEvidence

FEW = 20
"""With fewer groups than these an interval over them is uncertain itself."""


def answer(recipes: Sequence[RecipeEvidence]) -> str:
    """How much wider the intervals are for knowing of groups; empty where the test images have none."""
    found = [recipe for recipe in recipes if recipe.groups is not None and recipe.decided.known]
    count = _count(found)
    if not count:
        return ""
    wider = f"{np.median([_wider(recipe) for recipe in found]):.1f} times as wide"
    middle = ", in the median of the recipes" if len(found) > 1 else ""
    return (
        f"The {len(np.unique(found[0].index)):,} test images come in {count:,} groups, whose images are not "
        f"independent: intervals and verdicts count groups, which makes intervals {wider}{middle}."
    )


def caveat(label: str, recipes: Sequence[RecipeEvidence]) -> str:
    """A warning where there are few groups; empty where there are enough, or none at all."""
    count = _count(recipes)
    if not 0 < count < FEW:
        return ""
    return (
        f"The test images of {label} come in {count} groups only. Intervals over fewer than {FEW} groups are uncertain "
        "themselves: they may hold the truth less often than they say."
    )


def _count(recipes: Sequence[RecipeEvidence]) -> int:
    """How many groups the test images come in; 0 where they have none."""
    return next((len(np.unique(recipe.groups)) for recipe in recipes if recipe.groups is not None), 0)


def _wider(recipe: RecipeEvidence) -> float:
    """The width of the mean's interval over that of one which takes each image for itself."""
    decided = recipe.decided
    # What a jackknife left out together cannot be taken for single images; of accuracy it is known.
    mine = decided.groups is recipe.groups and decided.contributions is not None
    values = decided.contributions if mine and decided.contributions is not None else recipe.correct
    widths = []
    for groups in (recipe.groups, None):
        one = scored(
            decided.figure,
            values,
            groups,
            layout=recipe.layout and replace(recipe.layout, groups=groups),
            deterministic=recipe.deterministic,
            span=decided.span,
        ).interval
        assert one is not None
        widths.append(one.high - one.low)
    return widths[0] / widths[1]
