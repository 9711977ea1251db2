"""Searchers: what proposes points of a space of parameters.

A run uses a searcher from one thread: `SearcherDef.start(params, task)` makes it, then `ask` and `tell` take turns.
When a run is continued, the same calls with the same results are made again, so a searcher whose proposals depend on
these and on the seed alone proposes the same points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

from mnistarena.plugin.components import Params
from mnistarena.plugin.space import Point, Space


@dataclass(frozen=True)
class Tried:
    """A point that was tried.

    `value` is the figure of the validation images that is looked at; None where the trial failed or was pruned.
    `course` is that figure after each epoch, where it is known: pairs of an epoch, from 1, and a value.
    """

    point: Point
    value: float | None
    _: KW_ONLY
    pruned: bool = False
    course: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class SearchTask:
    """What is searched: the space, the random seed, whether a higher value is better.

    `trials` is how many points will be asked for altogether; None where the budget is one of time or steps.
    """

    space: Space
    seed: int
    _: KW_ONLY
    higher_is_better: bool
    trials: int | None = None


class Searcher(Protocol):
    """Proposes points."""

    def ask(self, count: int) -> Sequence[Point]:
        """`count` points to try next, together; fewer, or none, where nothing is left to try."""
        ...

    def tell(self, tried: Sequence[Tried]) -> None:
        """What became of all points of the last `ask`, in the order in which it gave them."""
        ...


@dataclass(frozen=True)
class SearcherDef:
    """A way to propose points that a spec can name: `searcher` in [search].

    `start(params, task)` returns a `Searcher` for a `SearchTask`. It raises `ArenaError` with a sentence where it
    cannot search that space.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    start: Callable[[Any, SearchTask], Searcher]
