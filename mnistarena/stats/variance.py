"""How much a recipe's seeds vary, and what the other recipes of a run say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from scipy import special

LEAST_RECIPES = 4
"""Fewer seeded recipes than these say nothing of how variances vary between recipes."""
_PRIOR_DF = np.geomspace(1 / 8, 6, 12)
_CENTRES = np.geomspace(1, 2**16, 33)
"""A prior without preference between their orders of magnitude. A centre is not below 1: seeds cannot vary less than
for being judged on finitely many images. More than 6 prior degrees of freedom, and a family of ten recipes of which one
is unstable has more than the promised share of false calls: see benchmarks/verdicts.py."""


@dataclass(frozen=True)
class VarianceComponent:
    """What one recipe's seeds contribute: `square` the variance s² of their figures, `interaction` MSI/n.

    MSI is the mean square of the seed × image interaction in a two-way layout without replication (Searle,
    Casella & McCulloch, Variance Components, 1992, chapter 4). `df` are the degrees of freedom of s². A deterministic
    recipe contributes nothing.
    """

    seeds: float
    square: float = 0.0
    _: KW_ONLY
    interaction: float = 0.0
    df: float = 0.0

    @property
    def between(self) -> float:
        """Variance of the seed mean beyond what the images' part already counts: max(0, s² − MSI/n)/k."""
        return max(0.0, self.square - self.interaction) / self.seeds


@dataclass(frozen=True)
class SharedVariance:
    """What the recipes of a run say of any one's s²/(MSI/n): as much as `df` further seeds with that of `centre`."""

    df: float = 0.0
    centre: float = 1.0

    def moderated(self, part: VarianceComponent) -> VarianceComponent:
        """A recipe's component with this beside its own seeds (Smyth 2004)."""
        if self.df == 0.0 or part.df == 0.0:
            return part
        df = part.df + self.df
        square = (part.df * part.square + self.df * self.centre * part.interaction) / df
        return VarianceComponent(part.seeds, square, interaction=part.interaction, df=df)


NOTHING_SHARED = SharedVariance()


def shared_variance(parts: Sequence[VarianceComponent]) -> SharedVariance:
    """What recipes have in common: nothing with fewer than `LEAST_RECIPES` that have seeds and an interaction.

    s²_m/(MSI_m/n) is taken as c·F on k_m − 1 and d degrees of freedom: a true variance drawn about a centre c, the
    tighter the larger d, and an s²_m about that (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3). Of both the posterior
    mean is taken, of d as it is and of c on the log scale, from a flat prior on the logarithms; it changes by little
    where the data do, has no trouble with an s² of 0 or unequal numbers of seeds, and trusts few recipes little.
    """
    ready = sorted((part.df, part.square / part.interaction) for part in parts if part.df and part.interaction)
    if len(ready) < LEAST_RECIPES:
        return NOTHING_SHARED
    own, ratio = (np.array(column)[:, None, None] for column in zip(*ready, strict=True))
    prior, centre = _PRIOR_DF[:, None], _CENTRES[None, :]
    # The logarithm of the density of c·F, without its factor that neither d nor c is in.
    likelihood = (
        own / 2 * np.log(own / (prior * centre))
        - (prior + own) / 2 * np.log1p(own * ratio / (prior * centre))
        - special.betaln(own / 2, prior / 2)
    ).sum(axis=0)
    weights = np.exp(likelihood - likelihood.max())
    weights /= weights.sum()
    return SharedVariance(float((weights * prior).sum()), float(np.exp((weights * np.log(centre)).sum())))
