"""Is A shown not to be worse than B by a margin or more? A one-sided test of non-inferiority.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from mnistarena.stats.intervals import ALPHA, Difference
from mnistarena.stats.power import Need, need
from mnistarena.stats.variance import NOTHING_SHARED


@dataclass(frozen=True)
class NoWorse:
    """`shown`: A loses less than the margin; `p` of a loss of the margin or more, twice the one-sided p.

    `need` is what would show it with probability 0.8 if the estimate were the truth; None where it is shown, or where
    the estimate is a loss of the margin or more.
    """

    shown: bool
    p: float
    _: KW_ONLY
    need: Need | None


def p_of_loss(pair: Difference, margin: float) -> float:
    """Twice the one-sided p of the hypothesis that A loses `margin` or more against B, at most 1."""
    return min(1.0, 2 * pair.p_above(-margin))


def no_worse(pair: Difference, margin: float, alpha: float = ALPHA) -> NoWorse:
    """Whether A is shown not to lose `margin` or more against B: the interval of A minus B lies above −margin."""
    p = p_of_loss(pair, margin)
    wanted = None
    if p >= alpha and pair.estimate > -margin:
        # As far as the estimate is above −margin, so far it is to be shown.
        wanted = need(replace(pair, estimate=pair.estimate + margin, shared=NOTHING_SHARED), margin=0.0, alpha=alpha)
    return NoWorse(p < alpha, p, need=wanted)
