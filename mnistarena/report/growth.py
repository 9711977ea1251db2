"""How accuracy grows with training images, where a spec has one dataset in several sizes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mnistarena.report.format import points, series
from mnistarena.report.parts import Row
from mnistarena.report.words import VERBS

if TYPE_CHECKING:
    from mnistarena.report.comparison import Comparison


MOST = 20
"""So many recipes are drawn, the most accurate at the largest size; the table has all."""


@dataclass(frozen=True)
class Grown:
    """A recipe's leaderboard row at each size; None where it was not run on that size."""

    label: str
    rows: tuple[Row | None, ...]

    @property
    def gain(self) -> float | None:
        """Accuracy at the largest size minus that at the smallest; None without a result at both."""
        first, last = self.rows[0], self.rows[-1]
        if first is None or last is None or first.accuracy is None or last.accuracy is None:
            return None
        return last.accuracy.estimate - first.accuracy.estimate


@dataclass(frozen=True)
class Growth:
    """One dataset in several sizes, smallest first; `recipes` by accuracy at the largest.

    `unlike` are recipes that differ between sizes in more than the number of images.
    """

    label: str
    sizes: tuple[int, ...]
    datasets: tuple[str, ...]
    recipes: tuple[Grown, ...]
    unlike: tuple[str, ...]
    answer: str

    @property
    def drawn(self) -> tuple[Grown, ...]:
        """The recipes that have a result, as many as can be told apart in a chart."""
        return tuple(one for one in self.recipes if any(row and row.accuracy for row in one.rows))[:MOST]


def growths(comparisons: Sequence[Comparison], entries: Sequence[dict[str, Any]]) -> tuple[Growth, ...]:
    """Every dataset that the plan has in two sizes or more, with the same test images; `entries` are the plan's."""
    families: dict[str, list[Comparison]] = defaultdict(list)
    for one in comparisons:
        if one.dataset.get("fingerprint"):
            families[_images(one.dataset)].append(one)
    found = []
    for family in families.values():
        sizes: dict[int, Comparison] = {}
        for one in family:
            sizes.setdefault(int(one.dataset["n_train"]), one)
        if len(sizes) > 1:
            found.append(_growth([sizes[size] for size in sorted(sizes)], entries))
    return tuple(found)


def _images(dataset: dict[str, Any]) -> str:
    """What two entries share that differ in their training images alone: the arrays, and which are tested on."""
    # A limit draws test images by the split's seed; without one they are all taken.
    drawn = dataset.get("split_seed") if dataset.get("test_limit") else None
    named = [dataset.get(key) for key in ("name", "params", "fingerprint", "n_test")]
    return json.dumps([*named, drawn], sort_keys=True)


def _growth(family: list[Comparison], entries: Sequence[dict[str, Any]]) -> Growth:
    found = [{row.label: row for row in one.rows} for one in family]
    labels = dict.fromkeys(row.label for one in reversed(family) for row in one.rows)
    names = {one.label for one in family}
    recipes: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry["dataset"] in names:
            what = [entry.get(key) for key in ("model", "params", "transforms", "training")]
            recipes[entry["label"]].add(json.dumps(what, sort_keys=True))
    grown = tuple(Grown(label, tuple(rows.get(label) for rows in found)) for label in labels)
    return Growth(
        label=family[-1].label,
        sizes=tuple(int(one.dataset["n_train"]) for one in family),
        datasets=tuple(one.label for one in family),
        recipes=grown,
        unlike=tuple(label for label in labels if len(recipes[label]) > 1),
        answer=_answer(family, grown),
    )


def _answer(family: list[Comparison], grown: tuple[Grown, ...]) -> str:
    """Who leads at which size, with which verdict, and who gains most."""
    led = [(int(one.dataset["n_train"]), *_lead(one)) for one in family]
    led = [lead for lead in led if lead[1]]
    if not led:
        return "No trial has finished."
    said = []
    for (leader, verdict), group in groupby(led, key=lambda lead: lead[1:]):
        at = [f"{size:,}" for size, *_ in group]
        said.append(f"{leader} leads at {series(at)}{', ' if verdict else ''}{verdict}")
    text = "By training images: " + "; ".join(said) + "."
    gains = [(one.gain, one.label) for one in grown if one.gain is not None]
    if gains:
        most, who = max(gains, key=lambda gain: gain[0])
        first, last = (int(one.dataset["n_train"]) for one in (family[0], family[-1]))
        verb = f"{who} gains most" if len(gains) > 1 else f"{who} gains"
        text += f" From {first:,} to {last:,} images {verb}, {points(most)}."
    return text + _saved(family, grown)


def _saved(family: list[Comparison], grown: tuple[Grown, ...]) -> str:
    """With how many fewer images the best recipe at the largest size is as accurate as another there; measured only."""
    sizes = [int(one.dataset["n_train"]) for one in family]
    whole = [(one, means) for one in grown if None not in (means := [_mean(row) for row in one.rows])]
    if len(whole) < 2:
        return ""
    best, own = max(whole, key=lambda pair: pair[1][-1] or 0.0)
    found: list[tuple[int, str]] = []
    for other, means in whole:
        if other is best:
            continue
        enough = len(sizes) - 1
        while enough and (own[enough - 1] or 0.0) >= (means[-1] or 0.0):
            enough -= 1
        if enough < len(sizes) - 1:
            found.append((sizes[enough], other.label))
    if not found:
        return ""
    least, label = min(found)
    return f" In the mean, {best.label} is at least as accurate with {least:,} images as {label} with {sizes[-1]:,}."


def _mean(row: Row | None) -> float | None:
    return row.accuracy.estimate if row is not None and row.accuracy else None


def _lead(comparison: Comparison) -> tuple[str, str]:
    """The most accurate recipe, and the verdict on it against the reference, or else against the next."""
    ready = [row for row in comparison.rows if row.accuracy]
    if not ready:
        return "", ""
    leader = ready[0]
    pair = leader.against
    if leader.label == comparison.reference and len(ready) > 1 and ready[1].against:
        pair = ready[1].against.seen_from(leader.label)
    if pair is None:
        return leader.label, ""
    if pair.difference is None:
        return leader.label, f"not compared with {pair.b} as a recipe"
    return leader.label, f"{VERBS[pair.verdict]} {pair.b}"
