"""The words for the figure that decides: how its values and differences are written, and who has the best one."""

from __future__ import annotations

from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.report import format as text


def value(found: float, figure: Figure) -> str:
    """A value, such as 93.21 % or 0.0248."""
    return text.percent(found) if figure.share else text.decimal(found)


def difference(found: float, figure: Figure) -> str:
    """A difference with its sign, such as −0.31 pp or +0.0021."""
    return text.points(found) if figure.share else ("+" if found > 0 else "") + text.decimal(found)


def margin(found: float, figure: Figure) -> str:
    """A margin with its unit, such as 0.1 pp."""
    return f"{text.margin(found)}\u202fpp" if figure.share else f"{found:g}"


def wins(found: float, figure: Figure) -> str:
    """What is said of a recipe that is better than every other, such as "is the most accurate, at 93.21 %"."""
    if figure == ACCURACY:
        return f"is the most accurate, at {value(found, figure)}"
    return f"has the {best(figure)} {figure.name}, {value(found, figure)}"


def leads(found: float, figure: Figure) -> str:
    """The best mean, which shows nothing by itself, such as "highest mean accuracy, 93.21 %"."""
    return f"{best(figure)} mean {figure.name}, {value(found, figure)}"


def best(figure: Figure) -> str:
    """Which end of the figure is the better one."""
    return "highest" if figure.higher_is_better else "lowest"
