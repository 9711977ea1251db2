"""Tables of shares with their Monte-Carlo errors, and the limits that cells must keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LEAST, MOST = 0.93, 0.06
"""The least share of intervals that hold the truth, and the most of false verdicts."""

Limit = Literal["least", "most", ""]
Measure = Callable[[np.random.Generator, int], Sequence[float] | NDArray[np.int64]]
"""How often each of some things happened in so many simulated benchmarks."""


@dataclass
class Cells:
    """Measures cells with so many simulated benchmarks each; `short` names those that were beyond their limit."""

    replications: int
    short: list[str] = field(default_factory=list)

    def measure(self, key: Sequence[int], measure: Measure, limits: Sequence[Limit], where: str) -> list[str]:
        """A cell for each thing that is counted, with its Monte-Carlo error; `key` is the seed of its draws.

        Where a share is beyond its limit, all are measured again with four times as many benchmarks, and that counts.
        """
        for turn, repeats in enumerate((self.replications, 4 * self.replications)):
            found = np.array(measure(np.random.default_rng([*key, turn]), repeats)) / repeats
            beyond = [
                (limit == "least" and share < LEAST) or (limit == "most" and share > MOST)
                for share, limit in zip(found, limits, strict=True)
            ]
            if not any(beyond):
                break
        self.short += [f"{where}: {100 * share:.1f} %" for share, bad in zip(found, beyond, strict=True) if bad]
        errors = np.sqrt(np.maximum(found * (1 - found), 0.5 / repeats) / repeats)
        return [
            f"{100 * share:.1f} ± {100 * error:.1f}{' **short**' if bad else ''}"
            for share, error, bad in zip(found, errors, beyond, strict=True)
        ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield "| " + " | ".join(head) + " |"
    yield "| :-- |" + " --: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
