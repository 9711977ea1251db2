"""Short searches that the checks of a searcher make: their spaces, and what becomes of the points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mnistarena.plugin.search import Searcher, Tried
from mnistarena.plugin.space import Between, OneOf, Parameter, Point, Space, has_point
from mnistarena.testing.check import Nonconformity

LISTS: Space = (
    Parameter("params.hidden", OneOf(([16], [32, 16], [64, 32, 16]))),
    Parameter("params.batch_norm", OneOf((False, True))),
    Parameter("training.batch_size", OneOf((16, 32, 64))),
    Parameter("training.schedule", OneOf(("constant", {"name": "cosine", "final": 0.1}))),
)

CONDITIONAL_LISTS: Space = (
    Parameter("training.optimizer.name", OneOf(("sgd", "adam"))),
    Parameter("training.optimizer.momentum", OneOf((0.0, 0.9)), when={"training.optimizer.name": ("sgd",)}),
    *LISTS,
)

MIXED: Space = (
    Parameter("training.optimizer.lr", Between(1e-4, 1.0, log=True)),
    Parameter("training.label_smoothing", Between(0.0, 0.2)),
    Parameter("params.width", Between(4, 256, log=True, integer=True)),
    Parameter("params.depth", Between(1, 4, integer=True)),
    *CONDITIONAL_LISTS,
    Parameter("params.rate", Between(0.0, 0.5), when={"params.batch_norm": (False,), "training.batch_size": (16, 64)}),
)

SPACES = {"of every kind of parameter": MIXED, "of lists with a condition": CONDITIONAL_LISTS, "of lists": LISTS}
"""The spaces that a searcher is tried on, by what the messages call them."""

AT_ONCE = 4

Outcome = Callable[[Space, Point, int], Tried]
"""What becomes of a point, given the space and how many were tried before."""


def finished(space: Space, point: Point, number: int) -> Tried:
    """A trial that is the better the further along its bounds, or its list, the first parameter is: from 0 to 1."""
    return Tried(point, share(space[0].domain, point[space[0].name]))


def mirrored(space: Space, point: Point, number: int) -> Tried:
    """The value that is as far from 1 as that of `finished` is from 0."""
    return Tried(point, 1 - share(space[0].domain, point[space[0].name]))


def share(domain: Between | OneOf, value: Any) -> float:
    """How far along its domain a value is."""
    if isinstance(domain, OneOf):
        return domain.values.index(value) / (len(domain.values) - 1)
    low, high, at = (math.log(one) if domain.log else one for one in (domain.low, domain.high, value))
    return (at - low) / (high - low)


def eventful(space: Space, point: Point, number: int) -> Tried:
    """The first trials fail; later ones fail, are pruned with and without a course, or finish."""
    course = ((1, 0.1), (2, 0.2))
    kinds = (
        Tried(point, None),
        Tried(point, None, pruned=True, course=course),
        Tried(point, None, pruned=True),
        replace(finished(space, point, number), course=course),
    )
    return kinds[0] if number < AT_ONCE else kinds[number % len(kinds)]


def search(searcher: Searcher, space: Space, rounds: int, *, outcome: Outcome = finished) -> list[Point]:
    """The points of some rounds of `AT_ONCE`, each checked to lie in the space; ends where nothing is left."""
    found: list[Point] = []
    for _ in range(rounds):
        points = ask(searcher, space, AT_ONCE)
        if not points:
            break
        searcher.tell([outcome(space, point, number) for number, point in enumerate(points, len(found))])
        found += points
    return found


def ask(searcher: Searcher, space: Space, count: int) -> list[Point]:
    """Points of a searcher; raises `Nonconformity` where there are too many, or where one is not of the space."""
    points: object = searcher.ask(count)
    if not isinstance(points, Sequence):
        raise Nonconformity(f"ask returned a {type(points).__name__}; return a list of points")
    if len(points) > count:
        raise Nonconformity(
            f"asked for {count} points, it gave {len(points)}; give no more: the budget ends the search"
        )
    for point in points:
        if problem := fault(space, point):
            raise Nonconformity(problem)
    return list(points)


def fault(space: Space, point: object) -> str | None:
    """What is wrong with a point; None where it is one of the space."""
    if not isinstance(point, dict):
        return f"a point is a {type(point).__name__}; make it a dict of values by the names of the parameters"
    counting = {parameter.name: parameter for parameter in space if parameter.counts(point)}
    for name, parameter in counting.items():
        if name not in point:
            return f'a point has no "{name}", which counts there; give each parameter that counts a value'
        # A value alone is judged by its domain alone.
        if not has_point((replace(parameter, when={}),), {name: point[name]}):
            return (
                f'"{name}" is {point[name]!r}, a {type(point[name]).__name__}, and may be '
                f"{domain_text(parameter.domain)}"
            )
    if beside := [name for name in point if name not in counting]:
        return (
            f'a point has "{beside[0]}", which does not count there; ask parameter.counts(point) before each '
            "parameter, and leave out those that do not"
        )
    return None


def domain_text(domain: Between | OneOf) -> str:
    """A domain for people."""
    if isinstance(domain, OneOf):
        return f"one of {list(domain.values)}"
    return f"{'a whole number' if domain.integer else 'a number'} from {domain.low:g} to {domain.high:g}"
