"""What every comparison is made of: contenders that take turns, medians, and rows for a table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One line of RESULTS.md: what was compared, the target, what was measured, and what explains it."""

    what: str
    target: str
    measured: str
    met: bool | None
    detail: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Turns:
    """The figures of contenders that took turns: `values[name]` holds one of each round."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])

    def ratios(self, a: str, b: str) -> list[float]:
        """a / b, round by round, so that a machine that drifts slows both."""
        return [x / y for x, y in zip(self.values[a], self.values[b], strict=True)]

    def told(self, names: Sequence[str], unit: str, digits: int = 0) -> str:
        return ", ".join(f"{name} {self.median(name):,.{digits}f} {unit}" for name in names)


def take_turns(contenders: dict[str, Callable[[], float]], rounds: int, say: Callable[[str], None] = print) -> Turns:
    """Each contender once a round, in an order that turns round too."""
    turns = Turns({name: [] for name in contenders})
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in order:
            turns.values[name].append(contenders[name]())
        say(f"  round {number + 1}: " + ", ".join(f"{name} {turns.values[name][-1]:,.4g}" for name in contenders))
    return turns


def spread(values: Sequence[float], digits: int = 2, unit: str = "×") -> str:
    """A median with the least and the most."""
    return (
        f"{statistics.median(values):.{digits}f}{unit} "
        f"({min(values):.{digits}f} to {max(values):.{digits}f}, {len(values)} pairs)"
    )


def at_least(what: str, values: Sequence[float], bound: float, detail: str = "") -> Row:
    """A row whose median must not be below the bound."""
    return Row(what, f"≥ {bound:g}×", measured=spread(values), met=statistics.median(values) >= bound, detail=detail)


def beside(what: str, values: Sequence[float], detail: str = "", unit: str = "×") -> Row:
    """A row without a target."""
    return Row(what, "", measured=spread(values, unit=unit), met=None, detail=detail)


def at_most(what: str, values: Sequence[float], bound: float, detail: str = "", digits: int = 2) -> Row:
    """A row whose median must not be above the bound."""
    return Row(
        what, f"≤ {bound:g}×", measured=spread(values, digits), met=statistics.median(values) <= bound, detail=detail
    )


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
