"""The searchers that come with mnistarena: points drawn at random, and every point of a grid."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mnistarena.errors import ArenaError
from mnistarena.plugin.components import Params
from mnistarena.plugin.hooks import hookimpl
from mnistarena.plugin.search import Searcher, SearcherDef, SearchTask, Tried
from mnistarena.plugin.space import Between, OneOf, Point, Space


class NoParams(Params):
    """No parameters."""


class RandomSearcher:
    """Points drawn independently, evenly over each parameter (Bergstra and Bengio 2012, JMLR 13)."""

    def __init__(self, task: SearchTask) -> None:
        self.space = task.space
        self.random = random.Random(task.seed)

    def ask(self, count: int) -> list[Point]:
        """`count` points."""
        return [self.point() for _ in range(count)]

    def point(self) -> Point:
        """One point."""
        found: Point = {}
        for parameter in self.space:
            if parameter.counts(found):
                found[parameter.name] = self.value(parameter.domain)
        return found

    def value(self, domain: Between | OneOf) -> Any:
        """A value of a parameter."""
        if isinstance(domain, OneOf):
            return self.random.choice(domain.values)
        # Each whole number has as much room as any other, the two at the ends too.
        margin = 0.5 if domain.integer else 0.0
        low, high = domain.low - margin, domain.high + margin
        if domain.log:
            drawn = math.exp(self.random.uniform(math.log(low), math.log(high)))
        else:
            drawn = self.random.uniform(low, high)
        drawn = min(max(drawn, domain.low), domain.high)
        return round(drawn) if domain.integer else drawn

    def tell(self, tried: Sequence[Tried]) -> None:
        """Nothing is learned from them."""


class GridSearcher:
    """Every point of a space of lists, in the order in which they are written."""

    def __init__(self, task: SearchTask) -> None:
        for parameter in task.space:
            domain = parameter.domain
            if isinstance(domain, Between):
                raise ArenaError(
                    f'the searcher "grid" tries every value, and "{parameter.name}" lies between '
                    f"{domain.low:g} and {domain.high:g}; give a list of values, or use another searcher"
                )
        self.points = _points(task.space, {})

    def ask(self, count: int) -> list[Point]:
        """The next `count` points; none once all were given."""
        return list(islice(self.points, count))

    def tell(self, tried: Sequence[Tried]) -> None:
        """Nothing is learned from them."""


def _points(space: Space, point: Point) -> Iterator[Point]:
    if not space:
        yield point
        return
    parameter, *rest = space
    if not parameter.counts(point):
        yield from _points(tuple(rest), point)
        return
    assert isinstance(parameter.domain, OneOf)
    for value in parameter.domain.values:
        yield from _points(tuple(rest), {**point, parameter.name: value})


def _random(params: NoParams, task: SearchTask) -> Searcher:
    return RandomSearcher(task)


def _grid(params: NoParams, task: SearchTask) -> Searcher:
    return GridSearcher(task)


@hookimpl
def arena_searchers() -> Iterable[SearcherDef]:
    """The searchers."""
    yield SearcherDef("random", "points drawn independently of each other", params=NoParams, start=_random)
    yield SearcherDef("grid", "every point of a space of lists, one after the other", params=NoParams, start=_grid)
