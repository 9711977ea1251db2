"""Times and memory of two recipes that were measured in turns: their ratio, its interval, and verdicts of a family.

A round measures every recipe once. What slows a whole round hits both recipes of a pair, so their ratio is taken round
by round, on the log scale. Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from scipy import special

from mnistarena.stats.intervals import ALPHA
from mnistarena.stats.verdicts import holm

RatioVerdict = Literal["more", "less", "same", "undecided", "not compared"]
SAME = 0.02
"""Ratios from 1/(1 + this) to 1 + this do not matter in practice."""
LEAST_DEVIATION = 0.005
"""No log ratio is taken to vary by less from round to round: some agree by chance, or since a figure comes in steps."""


@dataclass(frozen=True)
class Ratio:
    """A figure of A over that of B: the typical ratio with a 95 % interval, from so many `rounds`.

    `error` is the standard error of its logarithm, on `df` degrees of freedom.
    """

    estimate: float
    low: float
    _: KW_ONLY
    high: float
    rounds: int
    error: float
    df: float

    def p_above(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true ratio is at most `bound`."""
        return float(special.stdtr(self.df, (math.log(bound) - math.log(self.estimate)) / self.error))

    def p_below(self, bound: float) -> float:
        """One-sided p of the hypothesis that the true ratio is at least `bound`."""
        return float(special.stdtr(self.df, (math.log(self.estimate) - math.log(bound)) / self.error))


@dataclass(frozen=True)
class JudgedRatio:
    """The verdict on A of a pair; `p`, that there is no difference, is two-sided and adjusted for the family."""

    verdict: RatioVerdict
    p: float | None = None


def paired(a: Sequence[float], b: Sequence[float]) -> Ratio | None:
    """A over B, measured in the same rounds: a t interval of the mean log ratio; None with fewer than two rounds.

    Raises ValueError where they differ in length, or a figure is not above 0.
    """
    if len(a) != len(b) or min(*a, *b, 1.0) <= 0:
        raise ValueError("ratios are of figures above 0, two a round")
    if len(a) < 2:
        return None
    logs = np.log(a) - np.log(b)
    deviation = max(float(logs.std(ddof=1)), LEAST_DEVIATION)
    return _ratio(float(logs.mean()), deviation / math.sqrt(len(logs)), df=len(logs) - 1, rounds=len(logs))


def apart(a: Sequence[float], b: Sequence[float]) -> Ratio | None:
    """A over B, not measured in turns: Welch's interval; None with fewer than two figures of either.

    It knows how the figures vary within A and within B, not what was different between the times of the two.
    Raises ValueError where a figure is not above 0.
    """
    if min(*a, *b, 1.0) <= 0:
        raise ValueError("ratios are of figures above 0")
    if min(len(a), len(b)) < 2:
        return None
    logs = [np.log(a), np.log(b)]
    parts = [max(float(one.var(ddof=1)), LEAST_DEVIATION**2 / 2) / len(one) for one in logs]
    df = sum(parts) ** 2 / sum(part**2 / (len(one) - 1) for part, one in zip(parts, logs, strict=True))
    return _ratio(float(logs[0].mean() - logs[1].mean()), math.sqrt(sum(parts)), df=df, rounds=min(len(a), len(b)))


def _ratio(log: float, error: float, *, df: float, rounds: int) -> Ratio:
    half = float(special.stdtrit(df, 1 - ALPHA / 2)) * error
    return Ratio(math.exp(log), math.exp(log - half), high=math.exp(log + half), rounds=rounds, error=error, df=df)


def judge_ratios(pairs: Sequence[Ratio | None], *, within: float = SAME, alpha: float = ALPHA) -> list[JudgedRatio]:
    """One verdict a pair; the ratios are the Holm family. None, a pair that cannot be compared, is no member.

    more: one-sided p of a ratio of at most 1 below α/2, and the estimate above 1 + `within`. less: the mirror. same:
    both one-sided tests against these bounds below α/2. Else undecided.
    """
    family = [pair for pair in pairs if pair is not None]
    bound = 1 + within
    differ = holm([min(pair.p_above(1.0), pair.p_below(1.0)) for pair in family])
    alike = holm([max(pair.p_above(1 / bound), pair.p_below(bound)) for pair in family])
    found = iter(
        JudgedRatio(_verdict(pair, p, q, math.log(bound), alpha), min(1.0, 2 * p))
        for pair, p, q in zip(family, differ, alike, strict=True)
    )
    return [JudgedRatio("not compared") if pair is None else next(found) for pair in pairs]


def _verdict(pair: Ratio, p: float, p_same: float, within: float, alpha: float) -> RatioVerdict:
    log = math.log(pair.estimate)
    if p < alpha / 2 and abs(log) > within:
        return "more" if log > 0 else "less"
    return "same" if p_same < alpha / 2 else "undecided"
