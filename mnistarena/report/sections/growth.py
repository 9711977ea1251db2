"""How accuracy grows with training images, where a spec has one dataset in several sizes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import groupby
from typing import Any

from mnistarena.evidence.pairs import VERBS
from mnistarena.report.format import names, points, series
from mnistarena.report.sections.ranking import Board, Row
from mnistarena.store.records import DatasetRecord, RecipeRecord

MOST = 20
"""How many recipes are drawn, the most accurate at the largest size; the table has all."""


@dataclass(frozen=True)
class Grown:
    """A recipe's leaderboard row at each size; None where it was not run on that size."""

    label: str
    rows: tuple[Row | None, ...]

    @property
    def means(self) -> tuple[float | None, ...]:
        """The mean accuracy at each size; None without a result."""
        return tuple(row.mean if row else None for row in self.rows)

    @property
    def gain(self) -> float | None:
        """Accuracy at the largest size minus that at the smallest; None without a result at both."""
        first, last = self.means[0], self.means[-1]
        return None if first is None or last is None else last - first


@dataclass(frozen=True)
class Growth:
    """One dataset in several sizes, smallest first; `recipes` by accuracy at the largest.

    `unlike` are recipes that differ between sizes in more than the number of images.
    """

    label: str
    sizes: tuple[int, ...]
    _: KW_ONLY
    datasets: tuple[str, ...]
    recipes: tuple[Grown, ...]
    unlike: tuple[str, ...]
    answer: str

    @property
    def drawn(self) -> tuple[Grown, ...]:
        """The recipes that have a result, as many as can be told apart in a chart."""
        return tuple(one for one in self.recipes if any(row and row.accuracy for row in one.rows))[:MOST]


def growths(boards: Sequence[Board], entries: Sequence[RecipeRecord]) -> tuple[Growth, ...]:
    """Every dataset that the plan has in two sizes or more, with the same test images; `entries` are the plan's."""
    families: dict[str, list[Board]] = defaultdict(list)
    for one in boards:
        if one.dataset.get("fingerprint"):
            families[_images(one.dataset)].append(one)
    found = []
    for family in families.values():
        sizes: dict[int, Board] = {}
        for one in family:
            sizes.setdefault(one.dataset["n_train"], one)
        if len(sizes) > 1:
            found.append(_growth([sizes[size] for size in sorted(sizes)], entries))
    return tuple(found)


def _images(dataset: DatasetRecord) -> str:
    """What two entries share that differ in their training images alone: the arrays, and the images they test on."""
    # A limit draws test images by the split's seed; without one they are all taken.
    drawn: Any = dataset.get("split_seed") if dataset.get("test_limit") else None
    if dataset.get("folds") or dataset.get("splits"):
        drawn = [dataset.get("folds"), dataset.get("splits"), dataset.get("split_seed")]
    named = [dataset.get("name"), dataset.get("params"), dataset.get("fingerprint"), dataset["n_test"]]
    return json.dumps([*named, drawn], sort_keys=True)


def _growth(family: Sequence[Board], entries: Sequence[RecipeRecord]) -> Growth:
    """One dataset; `family` are its leaderboards, smallest size first."""
    sizes = tuple(one.dataset["n_train"] for one in family)
    found = [{row.label: row for row in one.rows} for one in family]
    labels = dict.fromkeys(row.label for one in reversed(family) for row in one.rows)
    names = {one.label for one in family}
    recipes: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry["dataset"] in names:
            what = [entry.get("model"), entry.get("params"), entry.get("transforms"), entry.get("training")]
            recipes[entry["label"]].add(json.dumps(what, sort_keys=True))
    grown = tuple(Grown(label, tuple(rows.get(label) for rows in found)) for label in labels)
    return Growth(
        family[-1].label,
        sizes,
        datasets=tuple(one.label for one in family),
        recipes=grown,
        unlike=tuple(label for label in labels if len(recipes[label]) > 1),
        answer=_answer(family, sizes, grown),
    )


def _answer(family: Sequence[Board], sizes: Sequence[int], grown: Sequence[Grown]) -> str:
    """Which recipe leads at which size, with which verdict, and which gains most."""
    led = [(size, *lead) for size, one in zip(sizes, family, strict=True) if (lead := _lead(one))]
    if not led:
        return "No trial has finished."
    said = []
    for (leader, verdict), group in groupby(led, key=lambda lead: lead[1:]):
        at = [f"{size:,}" for size, *_ in group]
        said.append(f"{leader} at {series(at)}{', ' if verdict else ''}{verdict}")
    text = "Highest mean accuracy by training images: " + "; ".join(said) + "."
    gains = [(one.gain, one.label) for one in grown if one.gain is not None]
    if gains:
        most, label = max(gains, key=lambda gain: gain[0])
        what = f"{label} changed by" if len(gains) == 1 else f"the largest change of a mean was that of {label},"
        text += f" From {sizes[0]:,} to {sizes[-1]:,} images {what} {points(most)}."
    return text + _saved(sizes, grown)


def _lead(board: Board) -> tuple[str, str] | None:
    """The recipe of the highest mean, and the verdict on it: against every other, the reference, or else the next."""
    ready = [row for row in board.rows if row.accuracy]
    if not ready:
        return None
    leader = ready[0]
    if len(ready) > 1 and ready[1].mean == leader.mean:
        shared = [row.label for row in ready if row.mean == leader.mean]
        return names(shared), "which share it"
    if leader.place == (1, 1) and all(row.place for row in ready):
        return leader.label, "better than each other" if len(ready) > 2 else f"better than {ready[1].label}"
    pair = leader.against
    if leader.label == board.reference and len(ready) > 1 and ready[1].against:
        pair = ready[1].against.seen_from(leader.label)
    if pair is None:
        return leader.label, ""
    if pair.difference is None:
        return leader.label, f"not compared with {pair.b}"
    return leader.label, f"{VERBS[pair.verdict]} {pair.b}"


def _saved(sizes: Sequence[int], grown: Sequence[Grown]) -> str:
    """How few images the best recipe needs to be as accurate as another with all of them; measured sizes only."""
    whole = [(one.label, means) for one in grown if (means := [mean for mean in one.means if mean is not None])]
    whole = [(label, means) for label, means in whole if len(means) == len(sizes)]
    if len(whole) < 2:
        return ""
    best, own = max(whole, key=lambda pair: pair[1][-1])
    found: list[tuple[int, str]] = []
    for other, means in whole:
        enough = len(sizes) - 1
        while enough and own[enough - 1] >= means[-1]:
            enough -= 1
        if other != best and enough < len(sizes) - 1:
            found.append((sizes[enough], other))
    if not found:
        return ""
    least, label = min(found)
    return f" In this run the mean of {best} with {least:,} images is at least that of {label} with {sizes[-1]:,}."
