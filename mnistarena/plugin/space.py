"""Spaces of parameters that a search chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

Point = dict[str, Any]
"""A value for each parameter that counts there, by its name, such as {"training.optimizer.lr": 0.01}."""


@dataclass(frozen=True)
class Between:
    """Numbers from `low` to `high`, both included; evenly of their logarithm with `log`, whole ones where `integer`."""

    low: float
    high: float
    _: KW_ONLY
    log: bool = False
    integer: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of some values: texts, numbers, booleans, lists or tables."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a space: its dotted path in a [[model]] table, such as "params.width", and what it may be.

    It counts only where each parameter of `when`, which stands before it in the space, has one of these values.
    """

    name: str
    domain: Between | OneOf
    _: KW_ONLY
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def counts(self, point: Mapping[str, Any]) -> bool:
        """Whether it counts where the parameters before it have these values."""
        return all(name in point and point[name] in values for name, values in self.when.items())


Space = tuple[Parameter, ...]
"""The parameters of a search, each after those that it depends on."""


def has_point(space: Space, point: Mapping[str, Any]) -> bool:
    """Whether a point has a value for each parameter that counts there, within its bounds, and none beside."""
    counting = {parameter.name: parameter.domain for parameter in space if parameter.counts(point)}
    return counting.keys() == point.keys() and all(_holds(domain, point[name]) for name, domain in counting.items())


def _holds(domain: Between | OneOf, value: Any) -> bool:
    if isinstance(domain, OneOf):
        return any(value == one and type(value) is type(one) for one in domain.values)
    number = isinstance(value, int) if domain.integer else isinstance(value, (int, float))
    return number and not isinstance(value, bool) and domain.low <= value <= domain.high
