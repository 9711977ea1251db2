"""Looks: after how many seeds verdicts are asked for, and how much of the 5 % each look may spend.

A group-sequential design. After k of at most K seeds α(k/K)² may be spent (Kim & DeMets 1987, Biometrika 74), so that
little is spent early and most is left for the last look. Each look tests at what it spends; these levels sum to α, and
so a false verdict at any of the looks is at most as likely as α, whatever the looks have in common. The boundaries of
Lan and DeMets, which are wider, need independent increments, and seeds on the same test images do not give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

LEAST_SEEDS = 3
_GROWTH = 1.6
_LAST_STEP = 1.25


@dataclass(frozen=True)
class Looks:
    """The numbers of seeds after which a run is looked at, increasing; the last is the most that there can be."""

    seeds: tuple[int, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """What each look spends of α; they sum to 1."""
        return tuple((now**2 - before**2) / self.seeds[-1] ** 2 for before, now in pairwise((0, *self.seeds)))

    def number(self, place: int) -> int:
        """The number, from 1, of the look before which the seed at this place, from 0, is needed."""
        return next(number for number, seeds in enumerate(self.seeds, 1) if place < seeds)


def looks(least: int, most: int) -> Looks:
    """Looks from `least` to `most` seeds, each after 1.6 times as many as the one before; no small step at the end."""
    seeds = [least]
    while seeds[-1] < most:
        following = max(round(_GROWTH * seeds[-1]), seeds[-1] + 1)
        seeds.append(most if _LAST_STEP * following >= most else following)
    return Looks(tuple(seeds))
