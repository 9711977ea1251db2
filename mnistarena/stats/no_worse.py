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
    """`shown`: A loses less than the margin; `p` is the one-sided p of a loss of the margin or more.

    With 95 % confidence A minus B is not below `at_worst`. `need` is what would show it with probability 0.8 if the
    estimate were the truth; None where it is shown, or where the estimate is a loss of the margin or more.
    """

    shown: bool
    p: float
    _: KW_ONLY
    at_worst: float
    need: Need | None


def p_of_loss(pair: Difference, margin: float) -> float:
    """One-sided p of the hypothesis that A loses `margin` or more against B; see `Difference.wary`."""
    return pair.wary().p_above(-margin)


def no_worse(pair: Difference, margin: float, alpha: float = ALPHA) -> NoWorse:
    """Test at α that A does not lose `margin` or more against B."""
    p = p_of_loss(pair, margin)
    pair = replace(pair.wary(), shared=NOTHING_SHARED)
    wanted = None
    if p >= alpha and pair.estimate > -margin:
        # As far as the estimate is above −margin, so far it is to be shown.
        wanted = need(replace(pair, estimate=pair.estimate + margin), margin=0.0, alpha=2 * alpha)
    return NoWorse(p < alpha, p, at_worst=pair.interval(1 - 2 * alpha).low, need=wanted)
