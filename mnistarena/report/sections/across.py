"""The recipes over all datasets: their ranks, whether these differ by more than chance, and which pairs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from mnistarena.evidence.figure import Figure
from mnistarena.report import wording
from mnistarena.report.format import names, p_value
from mnistarena.report.sections.ranking import Board, Row
from mnistarena.stats import ranks
from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.ranks import Friedman, SignedRanks

MOST = 20
"""How many recipes are drawn and grouped, those of the best mean ranks; the table has all."""


@dataclass(frozen=True)
class RankRow:
    """A recipe's mean figure and rank on each counted dataset; no rank where it is not complete on all."""

    label: str
    means: tuple[float | None, ...]
    _: KW_ONLY
    ranks: tuple[float, ...]

    @property
    def mean_rank(self) -> float | None:
        """The average rank over the datasets, 1 the best."""
        return sum(self.ranks) / len(self.ranks) if self.ranks else None


@dataclass(frozen=True)
class Across:
    """All recipes over all datasets; `rows` by mean rank, those without one last.

    `left_out` are datasets with the same images as a counted one. `friedman` is None where there are too few
    datasets or recipes for a test; `pairs` (of places in `rows`) is empty where there are too few datasets.
    `groups` are the labels, best first, that no signed-rank test tells apart.
    """

    datasets: tuple[str, ...]
    left_out: tuple[str, ...]
    _: KW_ONLY
    rows: tuple[RankRow, ...]
    friedman: Friedman | None
    pairs: tuple[SignedRanks, ...]
    groups: tuple[tuple[str, ...], ...]
    headline: str
    answer: str


def rank_recipes(boards: Sequence[Board], figure: Figure, margin: float) -> Across | None:
    """The ranks of a figure over all datasets; None where there are not two datasets, or not two recipes.

    Two recipes are told apart where the signed-rank test is passed and the median difference is above the margin.
    """
    used = _counted(boards)
    labels = list(dict.fromkeys(row.label for one in used for row in one.rows))
    if len(used) < 2 or len(labels) < 2:
        return None
    found = [{row.label: row for row in one.rows} for one in used]
    means = {label: tuple(_mean(rows.get(label)) for rows in found) for label in labels}
    complete = [
        label
        for label in labels
        if all(label in rows and rows[label].complete for rows in found) and None not in means[label]
    ]
    scores = np.array([[means[label][at] for label in complete] for at in range(len(used))], dtype=np.float64)
    scores *= 1 if figure.higher_is_better else -1
    placed = ranks.rank(scores)
    order = sorted(range(len(complete)), key=lambda column: (placed[:, column].mean(), column))
    scores, placed = scores[:, order], placed[:, order]
    rows = [
        RankRow(complete[column], means[complete[column]], ranks=tuple(float(value) for value in placed[:, at]))
        for at, column in enumerate(order)
    ]
    rows += [RankRow(label, means[label], ranks=()) for label in labels if label not in complete]
    enough = len(used) >= ranks.LEAST_DATASETS
    test = ranks.friedman(scores) if enough and len(order) >= ranks.LEAST_RECIPES else None
    pairs = ranks.signed_ranks(scores) if enough else []
    apart = {(pair.a, pair.b): side for pair in pairs if (side := pair.apart(margin))}
    groups = ranks.groups(min(len(order), MOST), set(apart)) if pairs else []
    datasets = tuple(one.label for one in used)
    return Across(
        datasets,
        tuple(one.label for one in boards if one.label not in datasets),
        rows=tuple(rows),
        friedman=test,
        pairs=tuple(pairs),
        groups=tuple(tuple(rows[at].label for at in group) for group in groups),
        headline=_headline(rows, len(used), test, apart),
        answer=_answer(rows, len(used), test, pairs=pairs, margin=margin, figure=figure),
    )


def _mean(row: Row | None) -> float | None:
    return row.decided.estimate if row is not None and row.decided is not None else None


def _counted(boards: Sequence[Board]) -> list[Board]:
    """One dataset for each set of images, that with the most training images, in the order of the plan."""
    best: dict[str, Board] = {}
    for one in boards:
        key = one.dataset.get("fingerprint") or one.label
        if key not in best or one.dataset.get("n_train", 0) > best[key].dataset.get("n_train", 0):
            best[key] = one
    labels = {one.label for one in best.values()}
    return [one for one in boards if one.label in labels]


def _ranked(rows: Sequence[RankRow]) -> list[RankRow]:
    return [row for row in rows if row.ranks]


def _leader(rows: Sequence[RankRow], datasets: int) -> str:
    """The recipe with the best mean rank, as the beginning of a sentence."""
    best = rows[0].mean_rank
    first = [row.label for row in rows if row.mean_rank == best]
    has = "has the best mean rank" if len(first) == 1 else "share the best mean rank"
    return f"{names(first)} {has}, {best:.2f} over {datasets} datasets"


def _headline(
    rows: Sequence[RankRow], datasets: int, test: Friedman | None, apart: Mapping[tuple[int, int], int]
) -> str:
    """The verdict across datasets, for the top of the page."""
    ready = _ranked(rows)
    if len(ready) < 2:
        return f"No two recipes finished on all {datasets} datasets, so none are compared across them."
    said = _leader(ready, datasets)
    near = [row.label for at, row in enumerate(ready) if at and apart.get((0, at)) != 1]
    if datasets < ranks.LEAST_DATASETS:
        return f"{said}: too few for a test."
    if ready[0].mean_rank == ready[1].mean_rank:
        return f"{said}: no single winner."
    if not near:
        return f"{said}, and is better than {'every other ranked recipe' if len(ready) > 2 else ready[1].label}."
    if test is not None and test.p >= ALPHA:
        return f"{said}, but the recipes' ranks are not shown to differ by more than chance."
    if ranks.smallest_p(datasets, len(ready) * (len(ready) - 1) // 2) >= ALPHA:
        why = "the ranks differ by more than chance, but " if test else ""
        return f"{said}; {why}so few datasets cannot tell it from any other."
    return f"{said}, but is not told apart from {names(near)}."


def _answer(
    rows: Sequence[RankRow],
    datasets: int,
    test: Friedman | None,
    *,
    pairs: Sequence[SignedRanks],
    margin: float,
    figure: Figure,
) -> str:
    """What the ranks show, by which test, and what can be shown with so few datasets."""
    ready = _ranked(rows)
    left = [row.label for row in rows if not row.ranks]
    gone = f" Not ranked, because a result is missing on some dataset: {names(left)}." if left else ""
    if len(ready) < 2:
        return f"No two recipes finished on all {datasets} datasets.{gone}"
    said = _leader(ready, datasets)
    if datasets < ranks.LEAST_DATASETS:
        more = ranks.LEAST_DATASETS - datasets
        return (
            f"{said}. Whether that is more than chance is not tested: it takes at least {ranks.LEAST_DATASETS} "
            f"datasets, {more} more than there {'is' if datasets == 1 else 'are'}. More seeds do not replace them: "
            f"seeds are not datasets.{gone}"
        )
    said += "."
    if test is not None:
        differ = "differ by more than chance" if test.p < ALPHA else "are not shown to differ by more than chance"
        spelt = "without bound" if np.isinf(test.f) else f"{test.f:.2f}"
        said += f" The recipes' ranks {differ} (Friedman's test, Iman and Davenport's F {spelt}, {p_value(test.p)})."
    apart = sum(pair.apart(margin) != 0 for pair in pairs)
    if len(pairs) == 1:
        said += f" Wilcoxon's signed-rank test {'tells' if apart else 'does not tell'} the two apart"
    else:
        said += f" Wilcoxon's signed-rank test tells {apart or 'none'} of {len(pairs)} pairs apart"
        said += " after Holm's correction"
    said += f", where the median difference must be above {wording.margin(margin, figure)}."
    return said + _power(datasets, len(pairs)) + gone


def _power(datasets: int, pairs: int) -> str:
    """The smallest p that the signed-rank test can reach, as a sentence where it is large."""
    least, adjusted = ranks.smallest_p(datasets), ranks.smallest_p(datasets, pairs)
    if datasets >= 10 and adjusted < ALPHA:
        return ""
    said = f" With {datasets} datasets its p cannot be below {least:.2g}"
    if pairs > 1:
        said += f", {adjusted:.2g} after the correction"
    if adjusted >= ALPHA:
        needed = ranks.datasets_needed(pairs)
        return f"{said}: no pair could be told apart, whatever its scores; that takes {needed} datasets."
    return f"{said}: it has little power."
