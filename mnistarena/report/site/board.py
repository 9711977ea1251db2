"""The leaderboard of a dataset that several runs share: their recipes by the stored predictions, one Holm family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import Pair, compare, not_comparable, places
from mnistarena.evidence.pooled import Pool, Source, done_here, pool
from mnistarena.evidence.recipe import IntervalOf, RecipeEvidence
from mnistarena.report.headline import headline
from mnistarena.report.sections import claim, pairs as wording_of_pairs, verdict
from mnistarena.report.site.history import Line, history
from mnistarena.stats.intervals import Interval
from mnistarena.stats.verdicts import Verdict
from mnistarena.text import plural, series

MOST_RECIPES = 400
"""How many recipes a board compares: all pairs of more would take minutes, and Holm's correction would decide none."""


@dataclass(frozen=True)
class Row:
    """A recipe on the board. `seed_values` are the seeds' figures, `runs` the names of the runs that it stands in.

    `decided` is the interval of the figure that decides; `against` is this recipe against the best. `trained` says on
    how many images, where recipes of the board differ in that; `reason` why it is compared with no other.
    """

    label: str
    summary: str
    _: KW_ONLY
    place: tuple[int, int] | None
    mean: float | None
    decided: Interval | None
    interval_of: IntervalOf
    seed_values: tuple[float, ...]
    finished: int
    seeds: int
    against: Pair | None
    verdict: Verdict | Literal["reference"] | None
    runs: tuple[str, ...]
    trained: str
    reason: str


@dataclass(frozen=True)
class Board:
    """A dataset that runs share. `labels` are what they call it, `said` what was done, `notes` what to know of it."""

    name: str
    labels: tuple[str, ...]
    _: KW_ONLY
    n_test: int
    runs: tuple[str, ...]
    figure: Figure
    margin: float
    headline: str
    said: str
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: str | None
    history: tuple[Line, ...]

    @property
    def title(self) -> str:
        """The dataset, by the label that the first run gives it."""
        return self.labels[0]

    @property
    def address(self) -> str:
        """The address of its page, from the index."""
        return f"boards/{self.name}.html"


def board(name: str, sources: Sequence[Source]) -> Board:
    """The board of sources with the same test images, in the order of the runs' times.

    Raises `StoreError` where a stored file is damaged.
    """
    pooled = pool(sources)
    shown = _newest(pooled, sources)
    ranked = sorted(shown, key=lambda one: (one.decided.loss, one.label))
    found = compare(ranked, pooled.margin)
    ranks = places(ranked, found)
    reference = verdict.reference(ranked, found, None)
    against = {one.a: one for pair in found for one in (pair, pair.seen_from(pair.b)) if one.b == reference}
    runs = tuple(dict.fromkeys(source.name for source in sources))
    trained = _trained(pooled)
    rows = [
        _row(recipe, against.get(recipe.label), reference, ranks=ranks, pooled=pooled, trained=trained)
        for recipe in ranked
    ]
    return Board(
        name,
        tuple(dict.fromkeys(source.dataset["label"] for source in sources)),
        n_test=max((np.unique(recipe.index).size for recipe in ranked), default=0) or sources[0].dataset["n_test"],
        runs=runs,
        figure=pooled.figure,
        margin=pooled.margin,
        headline=headline(ranked, found, pooled.figure, margin=pooled.margin, baseline=None),
        said=_said(pooled, found, reference, sources),
        notes=_notes(pooled, len(shown), sources, unlike=bool(trained)),
        rows=tuple(rows),
        reference=reference,
        history=history(pooled.parts),
    )


def _newest(pooled: Pool, sources: Sequence[Source]) -> list[RecipeEvidence]:
    """The recipes of a board: all, or as many as it may have, those of the newest runs, whatever their results."""
    order = {source.name: at for at, source in enumerate(sources)}
    newest = {part.recipe: order[part.source.name] for part in pooled.parts}
    return sorted(pooled.recipes, key=lambda one: -newest[one.label])[:MOST_RECIPES]


def _row(
    recipe: RecipeEvidence,
    against: Pair | None,
    reference: str | None,
    *,
    ranks: dict[str, tuple[int, int]],
    pooled: Pool,
    trained: dict[str, str],
) -> Row:
    decided = recipe.decided
    return Row(
        recipe.label,
        recipe.entry.get("summary", ""),
        place=ranks.get(recipe.label),
        mean=decided.mean if decided.known else None,
        decided=decided.interval,
        interval_of=recipe.interval_of,
        seed_values=tuple(map(float, decided.values)),
        finished=recipe.finished,
        seeds=recipe.seeds,
        against=against,
        verdict=against.verdict if against else "reference" if recipe.label == reference else None,
        runs=tuple(dict.fromkeys(part.source.name for part in pooled.parts if part.recipe == recipe.label)),
        trained=trained.get(recipe.label, ""),
        reason=not_comparable(recipe),
    )


def _trained(pooled: Pool) -> dict[str, str]:
    """On how many images each recipe was trained; empty where all were trained on as many."""
    known = {part.recipe: part.source.dataset.get("n_train") for part in pooled.parts}
    if len(set(known.values())) < 2:
        return {}
    return {label: f"trained on {plural(n, 'image')}" for label, n in known.items() if n is not None}


def _said(pooled: Pool, found: Sequence[Pair], reference: str | None, sources: Sequence[Source]) -> str:
    """What was compared, how it was corrected, and what it is about."""
    runs = len({source.name for source in sources})
    said = f"{done_here(pooled, runs)}. {verdict.certainty(found, reference, wording_of_pairs.family(found))}"
    judged = any(pair.difference for pair in found)
    return f"{said} {claim.claim(sources[0].dataset)}" if judged else said


def _notes(pooled: Pool, many: int, sources: Sequence[Source], *, unlike: bool) -> tuple[str, ...]:
    """What to know before the best of a board with so many recipes is believed."""
    older = len(pooled.recipes) - many
    notes = [
        *(
            [f"A board compares {many} recipes at most: {plural(older, 'recipe')} of older runs left out."]
            if older
            else []
        ),
        f"Who takes the best of these {many} recipes chooses it by these test images, so a part of its lead is luck, "
        "and more so the more recipes there are; only images that no choice was made by would show how much.",
    ]
    if looked := [source.name for source in sources if source.run.plan.get("looks")]:
        notes.append(
            f"{series(dict.fromkeys(looked))} added seeds until a verdict was reached. The p values here are not "
            "corrected for that; those of its own report are."
        )
    notes.append(
        "A run that was made because of what this board shows, with more seeds or with changed recipes, gives more "
        "false verdicts than the 5\u202f% that are promised."
    )
    if unlike:
        notes.append("Not all recipes were trained on the same images: that is a part of what is compared.")
    return (*notes, *pooled.notes)
