"""The recipes' figures without the test images that are training images as well, and the verdicts that this changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.pairs import Pair, compare
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.plan.audit_sentences import leaked, near_counts
from mnistarena.plugin.audit_record import AuditRecord
from mnistarena.stats.splits import Layout
from mnistarena.stats.verdicts import Verdict


@dataclass(frozen=True)
class WithoutLeaked:
    """A recipe's mean accuracy on all test images, and `without` those that leaked; None where all did."""

    label: str
    accuracy: float
    _: KW_ONLY
    without: float | None


@dataclass(frozen=True)
class ChangedVerdict:
    """A pair whose verdict is another one without the leaked images."""

    a: str
    b: str
    _: KW_ONLY
    verdict: Verdict
    without: Verdict


def leaked_rows(found: AuditRecord) -> dict[int | None, NDArray[np.int64]]:
    """The rows of the test images that leaked, by the number of their split; None where there is one split.

    Equal images always count, nearly equal ones where they are more than chance explains.
    """
    rows: dict[int | None, set[int]] = {}
    near = near_counts(found)
    for split in found["splits"]:
        images = [*leaked(split, equal=True), *(leaked(split, equal=False) if near else ())]
        rows.setdefault(split.get("split"), set()).update(image["test"] for image in images)
    return {number: np.array(sorted(of), np.int64) for number, of in rows.items()}


def without_leaked(recipes: Sequence[RecipeEvidence], found: AuditRecord) -> tuple[list[RecipeEvidence], int]:
    """The recipes as if the images that leaked were not among their test images, and how many images these are.

    Fit to be compared; their other figures stay those of all images.
    """
    rows = leaked_rows(found)
    masks = [_mask(recipe, rows) for recipe in recipes]
    gone = {int(row) for recipe, mask in zip(recipes, masks, strict=True) for row in recipe.index[mask]}
    return [_kept(recipe, ~mask) for recipe, mask in zip(recipes, masks, strict=True)], len(gone)


def accuracies(recipes: Iterable[RecipeEvidence], kept: Iterable[RecipeEvidence]) -> tuple[WithoutLeaked, ...]:
    """The accuracies of recipes that have results, and those of the same without leaked images."""
    return tuple(
        WithoutLeaked(whole.label, whole.accuracy, without=part.accuracy if part.correct.size else None)
        for whole, part in zip(recipes, kept, strict=True)
        if whole.correct.size
    )


def changed_verdicts(
    pairs: Sequence[Pair], kept: Sequence[RecipeEvidence], margin: float
) -> tuple[ChangedVerdict, ...]:
    """The pairs of recipes whose verdict is another one without the leaked images."""
    after = {(one.a, one.b): one.verdict for pair in compare(kept, margin) for one in (pair, pair.seen_from(pair.b))}
    return tuple(
        ChangedVerdict(pair.a, pair.b, verdict=pair.verdict, without=other)
        for pair in pairs
        if (other := after.get((pair.a, pair.b), "not compared")) != pair.verdict
    )


def _mask(recipe: RecipeEvidence, rows: dict[int | None, NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Which of a recipe's columns are images that leaked, `(n,)`."""
    mask = np.zeros(len(recipe.index), bool)
    for number, those in rows.items():
        here = True if number is None or recipe.layout is None else recipe.layout.split == number
        mask |= np.isin(recipe.index, those) & here
    return mask


def _kept(recipe: RecipeEvidence, keep: NDArray[np.bool_]) -> RecipeEvidence:
    """The recipe with these columns only; comparable while some are left, in each of its splits."""
    if keep.all():
        return recipe
    layout, groups, decided = _cut(recipe.layout, keep), recipe.groups, recipe.decided
    correct = recipe.correct[:, keep]
    whole = keep.any() and (recipe.layout is None or layout is None or layout.splits == recipe.layout.splits)
    if decided.contributions is not None:
        same, of = decided.contributions is recipe.correct, decided.groups
        decided = replace(
            decided,
            contributions=(correct if same else decided.contributions[:, keep]) if whole else None,
            groups=None if of is None else of[keep],
            layout=_cut(decided.layout, keep),
            reason=decided.reason if whole else "all test images leaked",
        )
    return replace(
        recipe,
        correct=correct,
        predicted=recipe.predicted[:, keep],
        labels=recipe.labels[keep],
        index=recipe.index[keep],
        groups=None if groups is None else groups[keep],
        layout=layout,
        decided=decided,
    )


def _cut(layout: Layout | None, keep: NDArray[np.bool_]) -> Layout | None:
    if layout is None:
        return None
    groups = None if layout.groups is None else layout.groups[keep]
    return replace(layout, split=layout.split[keep], image=layout.image[keep], groups=groups)
