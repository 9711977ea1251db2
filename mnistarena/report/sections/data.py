"""What the data are like: sizes, what was not read, test images that are training images, and what that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.leaked import (
    ChangedVerdict,
    WithoutLeaked,
    accuracies,
    changed_verdicts,
    leaked_rows,
    without_leaked,
)
from mnistarena.evidence.pairs import Pair
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.plan.audit_sentences import sentences, sizes
from mnistarena.plugin.audit_record import AuditRecord, LeakedImage, LeftOutRecord
from mnistarena.report.format import names, percent
from mnistarena.report.sections.gallery import png
from mnistarena.stats.verdicts import Verdict
from mnistarena.text import plural

SHOWN = 24
"""So many leaked test images are shown, at most."""
MANY = 0.01
"""So large a share of test images that leaked is told in the headline."""


@dataclass(frozen=True)
class ClassCounts:
    """How many images of a class train, validate and test; of several splits, in the first."""

    name: str
    train: int
    _: KW_ONLY
    validation: int
    test: int


@dataclass(frozen=True)
class LeakedTile:
    """A test image that is a training image as well; `png` is base64. `correlation` is None of equal images."""

    test: str
    train: str
    _: KW_ONLY
    png: str
    correlation: float | None


@dataclass(frozen=True)
class Data:
    """What the audit of a dataset found, and what its figures are without the `leaked` test images, a `share` of all.

    `tiles` are the first of these. `largest` is the class with most training images; always saying it is right for the
    share `constant` of the test images.
    """

    answer: str
    classes: tuple[ClassCounts, ...]
    _: KW_ONLY
    left_out: tuple[LeftOutRecord, ...]
    leaked: int
    share: float
    tiles: tuple[LeakedTile, ...]
    without: tuple[WithoutLeaked, ...]
    changed: tuple[ChangedVerdict, ...] | None
    largest: str
    constant: float
    caveats: tuple[str, ...]

    @property
    def validates(self) -> bool:
        """Whether there are validation images."""
        return any(row.validation for row in self.classes)

    @property
    def warning(self) -> str:
        """What the headline must not leave out; empty where nothing is wrong with what it says."""
        if self.share < MANY:
            return ""
        return f" But {percent(self.share)} of the test images were trained on."


def data(
    found: AuditRecord,
    recipes: Sequence[RecipeEvidence],
    pairs: Sequence[Pair] | None,
    *,
    label: str,
    margin: float,
    split: Mapping[str, NDArray[Any]],
) -> Data:
    """The section of one dataset; `recipes` have results, and `split` is the stored test split.

    `pairs` are judged; None where their verdicts come from looks, which cannot be taken again without some images.
    """
    first = found["splits"][0]
    counts = [first["counts"].get(part, [0] * len(found["class_names"])) for part in ("train", "validation", "test")]
    kept, leaked = without_leaked(recipes, found)
    without = accuracies(recipes, kept) if leaked else ()
    changed = None if pairs is None else changed_verdicts(pairs, kept, margin) if leaked else ()
    constant = float(np.mean([one["largest_accuracy"] for one in found["splits"]]))
    known: dict[int, LeakedImage] = {one["test"]: one for part in found["splits"] for one in part["leaked"]}
    rows = {int(row) for of in leaked_rows(found).values() for row in of}
    return Data(
        f"{label}: {sizes(found)}.",
        tuple(
            ClassCounts(name, train, validation=validation, test=test)
            for name, train, validation, test in zip(found["class_names"], *counts, strict=True)
        ),
        left_out=tuple(found["left_out"]),
        leaked=leaked,
        share=leaked / max(1, len(split["index"])),
        tiles=tuple(_tiles([known[row] for row in sorted(rows)[:SHOWN]], split)),
        without=without,
        changed=changed,
        largest=first["largest"],
        constant=constant,
        caveats=(
            *sentences(label, found),
            *_without(label, leaked, without, changed),
            *_unbeaten(label, recipes, first["largest"], constant),
        ),
    )


def _tiles(leaked: Sequence[LeakedImage], split: Mapping[str, NDArray[Any]]) -> list[LeakedTile]:
    place = {int(row): at for at, row in enumerate(split["index"])}
    return [
        LeakedTile(
            one.get("test_name") or f"№ {one['test']}",
            one.get("train_name") or f"training image {one['train']}",
            png=png(split["images"][place[one["test"]]]),
            correlation=one.get("correlation"),
        )
        for one in leaked
        if one["test"] in place
    ]


def _without(
    label: str, leaked: int, without: Sequence[WithoutLeaked], changed: Sequence[ChangedVerdict] | None
) -> list[str]:
    """What accuracies and verdicts are without the images that leaked."""
    if not without:
        return []
    if all(one.without is None for one in without):
        return [f"{label}: all test images are training images, so that no figure says anything of new images."]
    of = names((f"{one.label} {percent(one.without)} in place of {percent(one.accuracy)}" for one in without), room=400)
    said = [f"{label}: without the {plural(leaked, 'test image')} that training has seen, accuracies are: {of}."]
    if changed:
        each = names(
            (f"{one.a} against {one.b}: {_word(one.without)} in place of {_word(one.verdict)}" for one in changed),
            room=400,
        )
        said.append(f"{label}: verdicts change without these images: {each}.")
    elif changed is not None and len(without) > 1:
        said.append(f"{label}: no verdict changes without these images.")
    return said


def _word(verdict: Verdict) -> str:
    return "practically equal" if verdict == "equal" else verdict


def _unbeaten(label: str, recipes: Sequence[RecipeEvidence], largest: str, constant: float) -> list[str]:
    """That no model is shown to be better than always saying one class."""
    known = [recipe for recipe in recipes if recipe.interval is not None]
    if not known or any(recipe.interval.low > constant for recipe in known if recipe.interval is not None):
        return []
    what = "No model is" if len(known) > 1 else f"{known[0].label} is not"
    return [
        f'{label}: {what} shown to be more accurate than always saying "{largest}", which is right for '
        f"{percent(constant)} of the test images."
    ]
