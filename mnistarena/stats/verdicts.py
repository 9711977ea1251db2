"""Better, worse, practically equal, undecided or not compared: tests of a family, and the places they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnistarena.stats.intervals import ALPHA, Difference, pivot

Verdict = Literal["better", "worse", "equal", "undecided", "not compared"]
MARGIN = 0.001
"""Differences of accuracy within ± this (0.1 percentage points) do not matter in practice."""


_APART: tuple[Verdict, ...] = ("better", "worse")
_ALIKE: tuple[Verdict, ...] = ("equal",)


@dataclass(frozen=True)
class AtLook:
    """One look of several at a family: of each pair its share of alpha, 0 where it is not tested at this look.

    `called` are the verdicts of earlier looks that stand; None: there is none.
    """

    shares: Sequence[float]
    called: Sequence[Verdict | None]


@dataclass(frozen=True)
class Judged:
    """The verdict on a pair of a family; `p` of no difference, and `p_equal` that it is not within ±margin.

    Both are twice the one-sided p, at most 1, and adjusted for the size of the family; None for a pair that was not
    compared.
    """

    verdict: Verdict
    p: float | None = None
    p_equal: float | None = None


def holm(p: Sequence[float] | NDArray[np.float64]) -> list[float]:
    """Holm's adjusted p values (1979), in the order given: p̃₍ᵢ₎ = max_{j≤i} min(1, (m − j + 1) p₍ⱼ₎)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1.0, values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]


def judge(
    pairs: Sequence[Difference | None],
    *,
    margin: float = MARGIN,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
    at_look: AtLook | None = None,
) -> list[Judged]:
    """One verdict a pair, by `judge_at` a single margin."""
    return judge_at(pairs, [margin], alpha=alpha, higher_is_better=higher_is_better, at_look=at_look)[0]


def judge_at(
    pairs: Sequence[Difference | None],
    margins: Sequence[float],
    *,
    alpha: float = ALPHA,
    higher_is_better: bool = True,
    at_look: AtLook | None = None,
) -> list[list[Judged]]:
    """At each margin one verdict a pair; the differences are the Holm family, None, a pair not compared, no member.

    better: one-sided p of Δ ≤ 0 below α/2, and Δ̂ > margin. worse: the mirror; where a lower figure is better, the two
    change places. equal: both one-sided tests against ±margin below α/2 (Schuirmann 1987): the interval of a pair by
    itself then lies within ±margin. At α, recipes as far apart as the margin are called equal too often where the seeds
    of one are skewed (benchmarks/verdicts.py). Else undecided. Each p is the larger of two: that of the pair's
    own seeds, to which its interval belongs, and Holm's of the variances that the family shares, without which few
    seeds of many recipes could show nothing.
    With `at_look`, each p is divided by the pair's share of alpha; what was called before is a step of Holm's that is
    taken, and what was called equal cannot be called otherwise any more (Ye, Li, Liu & Yao 2013, Stat. Med. 32).
    """
    family = [pair for pair in pairs if pair is not None]
    if not family:
        return [[Judged("not compared") for _ in pairs] for _ in margins]
    centres = np.array([pair.centre for pair in family])
    distances = np.stack([np.abs(centres), *(margin - np.abs(centres) for margin in margins)])
    look = at_look or AtLook([1.0] * len(pairs), [None] * len(pairs))
    share = [one for one, pair in zip(look.shares, pairs, strict=True) if pair is not None]
    called = [one for one, pair in zip(look.called, pairs, strict=True) if pair is not None]
    apart, *alike = (
        np.maximum(holm(_spent(shared, share, called, goal)), _spent(own, share))
        for own, shared, goal in zip(
            pivot(family).tail(distances),
            pivot(family, [pair.shared for pair in family]).tail(distances),
            [_APART, *(_ALIKE for _ in margins)],
            strict=True,
        )
    )
    sign = 1 if higher_is_better else -1
    found = []
    for margin, equal in zip(margins, alike, strict=True):
        every = iter(
            Judged(_verdict(sign * pair.estimate, p, q, margin, alpha), p, q)
            for pair, p, q in zip(family, _doubled(apart), _doubled(equal), strict=True)
        )
        found.append([Judged("not compared") if pair is None else next(every) for pair in pairs])
    return found


def _doubled(p: NDArray[np.float64]) -> list[float]:
    found: list[float] = np.minimum(1.0, 2 * p).tolist()
    return found


def _spent(
    p: NDArray[np.float64],
    shares: Sequence[float],
    called: Sequence[Verdict | None] = (),
    goal: tuple[Verdict, ...] = (),
) -> NDArray[np.float64]:
    """p values over their shares of alpha, 1 without any; of pairs called before 0 if by the same test, else 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(np.array(shares) > 0, np.minimum(p / np.array(shares), 1.0), 1.0)
    for at, verdict in enumerate(called):
        if verdict is not None:
            found[at] = 0.0 if verdict in goal else 1.0
    return found


def _verdict(estimate: float, p: float, p_equal: float, margin: float, alpha: float) -> Verdict:
    if p < alpha and abs(estimate) > margin:
        return "better" if estimate > 0 else "worse"
    return "equal" if p_equal < alpha else "undecided"


def possible_places(count: int, verdicts: Mapping[tuple[int, int], Verdict]) -> list[tuple[int, int] | None]:
    """The best and the worst place that the verdicts leave each of `count` recipes; None where it was never compared.

    `verdicts[a, b]` is the verdict on recipe a; a pair may be absent. The best is one more than the number of recipes
    that are better, the worst all but those that are worse, so a recipe that was not compared may stand anywhere. From
    the verdicts over all pairs these are simultaneous confidence sets of the true ranks (Mogstad, Romano, Shaikh &
    Wilhelm 2024).
    """
    best, worst, compared = [1] * count, [count] * count, set()
    for (a, b), verdict in verdicts.items():
        if verdict != "not compared":
            compared |= {a, b}
        if verdict in ("better", "worse"):
            winner, loser = (a, b) if verdict == "better" else (b, a)
            worst[winner] -= 1
            best[loser] += 1
    return [(best[m], worst[m]) if m in compared else None for m in range(count)]
