"""Better, worse, practically equal or undecided: tests of a family of differences, and the places they leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from mnistarena.stats.crossed import ALPHA, Difference

Verdict = Literal["better", "worse", "equal", "undecided"]
MARGIN = 0.001
"""Differences of accuracy within ± this (0.1 percentage points) do not matter in practice."""


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p values (1979), in the order given: p̃₍ᵢ₎ = max_{j≤i} min(1, (m − j + 1) p₍ⱼ₎)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1.0, values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]


def verdicts(differences: Sequence[Difference], *, margin: float = MARGIN, alpha: float = ALPHA) -> list[Verdict]:
    """One verdict a pair; the sequence is the Holm family.

    better: Holm-adjusted one-sided p of Δ ≤ 0 below α/2, and Δ̂ > margin. worse: the mirror.
    equal: both one-sided tests against ±margin below α (Schuirmann 1987). Else undecided.
    """
    found: list[Verdict] = []
    for pair, p in zip(differences, holm([pair.p_one_sided for pair in differences]), strict=True):
        if p < alpha / 2 and abs(pair.estimate) > margin:
            found.append("better" if pair.estimate > 0 else "worse")
        elif max(pair.p_above(-margin), pair.p_below(margin)) < alpha:
            found.append("equal")
        else:
            found.append("undecided")
    return found


def possible_places(count: int, better: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """The best and the worst place that the verdicts leave each recipe; `better` holds (winner, loser).

    One more than the number of recipes that are better, and all but those that are worse. From Holm's verdicts over
    all pairs these are simultaneous confidence sets of the true ranks (Mogstad, Romano, Shaikh & Wilhelm 2024).
    """
    winners, losers = [pair[0] for pair in better], [pair[1] for pair in better]
    return [(1 + losers.count(m), count - winners.count(m)) for m in range(count)]
