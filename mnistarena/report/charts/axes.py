"""Where values are drawn: axes, logarithmic in errors and losses, with a place for zero where one is to be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal

from mnistarena.evidence.figure import Figure

_ERRORS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)


def error_of(accuracy: float) -> float:
    """The error."""
    return max(0.0, significant(1 - accuracy))


def significant(value: float, digits: int = 5) -> float:
    """A float with so many significant digits, so that a chart's document stays short."""
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True)
class Axis:
    """A quantitative axis; `domain` is its beginning (bottom or left) and its end.

    A "symlog" one goes by log(1 + x/`constant`), which has a place for zero, an "asinh" one by asinh(x/`constant`).
    """

    axis: Any
    domain: tuple[float, float]
    _: KW_ONLY
    kind: Literal["log", "symlog", "asinh", "linear"] = "log"
    constant: float = 1.0

    @property
    def scale(self) -> Any:
        """Vega's scale."""
        import altair as alt

        more = {"constant": self.constant} if self.kind == "symlog" else {}
        return alt.Scale(type=self.kind, domain=list(self.domain), nice=False, **more)

    def x(self, field: str) -> Any:
        """A field on this axis, from left to right."""
        import altair as alt

        return alt.X(f"{field}:Q", scale=self.scale, axis=self.axis)

    def y(self, field: str) -> Any:
        """A field on this axis, from bottom to top."""
        import altair as alt

        return alt.Y(f"{field}:Q", scale=self.scale, axis=self.axis)

    def share(self, value: float) -> float:
        """How far along the axis a value is, from 0 to 1."""
        start, end = map(self._scaled, self.domain)
        return (self._scaled(value) - start) / (end - start)

    def value(self, share: float) -> float:
        """The value at a share of the axis's length."""
        start, end = map(self._scaled, self.domain)
        found = start + share * (end - start)
        if self.kind == "symlog":
            return self.constant * math.expm1(found)
        if self.kind == "asinh":
            return self.constant * math.sinh(found)
        return math.exp(found) if self.kind == "log" else found

    def _scaled(self, value: float) -> float:
        if self.kind == "symlog":
            return math.log1p(value / self.constant)
        if self.kind == "asinh":
            return math.asinh(value / self.constant)
        return math.log(value) if self.kind == "log" else value


def accuracy_axis(errors: Sequence[float], title: str) -> Axis:
    """A logarithmic axis for errors, labelled as accuracies, best on top."""
    import altair as alt

    scale, ticks = error_scale(errors)
    label = "format(100 * (1 - datum.value), '.6~f') + ' %'"
    return replace(scale, axis=alt.Axis(values=ticks, labelExpr=label, title=title))


def error_scale(errors: Sequence[float]) -> tuple[Axis, list[float]]:
    """Where errors stand, the largest first, and the ticks."""
    least, most, constant = _ends(errors)
    most = min(most, 1.0)
    ticks = [tick for tick in _ERRORS if max(least, constant) <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] in "15"]
    if len(ticks) + bool(constant) < 2:
        ticks = _even(least, most)[::-1]
    return _logarithmic((most, least), constant), [*ticks, *([0.0] if constant else [])]


def _ends(values: Sequence[float]) -> tuple[float, float, float]:
    """The least and the greatest value of an axis, and the constant that it needs to show zero, 0 where it need not."""
    above = [value for value in values if value > 0] or [1.0]
    least, most = min(above), max(above)
    return (0.0, most * 1.15, least / 2) if min(values) <= 0 else (least / 1.15, most * 1.15, 0.0)


def loss_axis(values: Sequence[float]) -> Axis:
    """A logarithmic axis for losses."""
    import altair as alt

    scale, ticks = loss_scale(values)
    return replace(scale, axis=alt.Axis(values=ticks, format="~g", title=""))


def loss_scale(values: Sequence[float]) -> tuple[Axis, list[float]]:
    """Where losses stand, the least first, and the ticks."""
    least, most, constant = _ends(values)
    first = max(least, constant)
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(most)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if first <= tick <= most]
    if len(ticks) > 8:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    if len(ticks) + bool(constant) < 2:
        ticks = _even(least, most)
    return _logarithmic((least, most), constant), [0.0, *ticks] if constant else ticks


def _logarithmic(domain: tuple[float, float], constant: float) -> Axis:
    return Axis(None, domain, kind="symlog", constant=constant) if constant else Axis(None, domain)


def _even(least: float, most: float) -> list[float]:
    """Round values at even distances, two or more."""
    step = 10.0 ** math.floor(math.log10(most - least)) / 2
    return [significant(step * at) for at in range(math.ceil(least / step), math.floor(most / step) + 1)]


@dataclass(frozen=True)
class Scale:
    """An axis for the values of a figure, or for differences of it, and what its ticks are called.

    `ticks` are pairs of a value and its label. `by_error` says that shares stand where their errors do.
    """

    axis: Axis
    ticks: tuple[tuple[float, str], ...]
    _: KW_ONLY
    by_error: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value of the figure is, from 0 to 1."""
        return self.axis.share(max(0.0, 1 - value) if self.by_error else value)

    def spaced(self, gap: float) -> tuple[tuple[float, str], ...]:
        """The ticks that have room, `gap` of the axis's length, beside those before them: pairs of share and label."""
        kept: list[tuple[float, str]] = []
        for value, label in self.ticks:
            share = self.share(value)
            if all(abs(share - other) >= gap for other, _ in kept):
                kept.append((share, label))
        return tuple(kept)


def value_scale(values: Sequence[float], figure: Figure) -> Scale:
    """The scale of a figure, better towards its end; shares of which more is better stand where their errors do."""
    if figure.share and figure.higher_is_better:
        axis, ticks = error_scale([max(0.0, 1 - value) for value in values])
        return Scale(axis, tuple((1 - tick, f"{100 * (1 - tick):.6g} %") for tick in ticks), by_error=True)
    if min(values) >= 0 and max(values) > 0:
        axis, ticks = loss_scale(values)
    else:
        least, most = min(values), max(values)
        room = (most - least) / 20 or 1.0
        axis = Axis(None, (least - room, most + room), kind="linear")
        ticks = _even(*axis.domain)
    if not figure.higher_is_better:
        axis = replace(axis, domain=axis.domain[::-1])
    return Scale(axis, tuple((tick, f"{100 * tick:.6g} %" if figure.share else f"{tick:.6g}") for tick in ticks))


def difference_scale(ends: Sequence[float], margin: float, figure: Figure) -> Scale:
    """The scale of differences of a figure, those near zero drawn larger: by asinh(x / c), c three times the margin.

    Its first tick is zero, then come the largest: what is crowded out is what stands between.
    """
    least, most = min(ends), max(ends)
    top = math.floor(math.log10(max(abs(least), abs(most))))
    powers = [10.0**power for power in range(top, top - 4, -1)]
    ticks = [0.0, *(sign * power for power in powers for sign in (-1, 1) if least <= sign * power <= most)]
    axis = Axis(None, (least, most), kind="asinh", constant=3 * margin or 1.0)
    return Scale(axis, tuple((tick, _signed(100 * tick if figure.share else tick)) for tick in ticks))


def _signed(value: float) -> str:
    return f"{value:+.6g}".replace("-", "−") if value else "0"
