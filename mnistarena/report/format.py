"""Figures as text: the same number looks the same in the page, the Markdown and the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from mnistarena.text import byte_size, plural, series as series

NONE = "–"
_THIN = "\u202f"  # narrow no-break space: between a figure and its unit


def percent(value: float | None, digits: int = 2) -> str:
    """0.99331 as 99.33 %."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f}{_THIN}%"


def bare_percent(value: float | None, digits: int = 2) -> str:
    """0.99331 as 99.33, for columns with % in their heading."""
    return NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f}"


def points(value: float, digits: int = 2) -> str:
    """A difference of accuracies in percentage points, such as −0.31 pp."""
    return f"{bare_points(value, digits)}{_THIN}pp"


def bare_points(value: float, digits: int = 2) -> str:
    """A difference in percentage points without its unit, signed with a true minus."""
    if not math.isfinite(value):
        return NONE
    text = f"{100 * value:+.{digits}f}"
    return "±" + text[1:] if float(text) == 0 else text.replace("-", "−")


def names(labels: Iterable[str], most: int = 6, room: int = 90) -> str:
    """A list of labels, as many as fit into `room` characters but one at least; the others are counted."""
    labels = list(labels)
    shown, used = 0, 0
    for label in labels[:most]:
        used += len(label) + 2
        if shown and used > room:
            break
        shown += 1
    others = len(labels) - shown
    return series([*labels[:shown], *([plural(others, "other")] if others else [])], limit=shown + 1)


def sentence(text: str) -> str:
    """A text with its full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def margin(value: float) -> str:
    """A margin as percentage points without their unit: 0.001 as 0.1."""
    return f"{100 * value:g}"


def figure(value: float | None, share: bool) -> str:
    """The figure that decides without its unit: a share in percent, another to four decimals."""
    return bare_percent(value) if share else decimal(value)


def place(value: tuple[int, int] | None) -> str:
    """A place, such as 2, or the places that the evidence leaves possible, such as 1–3."""
    return NONE if value is None else str(value[0]) if value[0] == value[1] else f"{value[0]}–{value[1]}"


def seconds(value: float | None) -> str:
    """A time, from microseconds to hours, with two or three significant figures."""
    if value is None:
        return NONE
    if value < 1e-3:
        return f"{value * 1e6:.3g}{_THIN}µs"
    if value < 1:
        return f"{value * 1e3:.3g}{_THIN}ms"
    if value < 120:
        return f"{value:.1f}{_THIN}s"
    if value < 7200:
        return f"{int(value // 60)}{_THIN}min {int(value % 60):02d}{_THIN}s"
    return f"{int(value // 3600)}{_THIN}h {int(value % 3600 // 60):02d}{_THIN}min"


def scaled(value: float | None, unit: str = "") -> str:
    """A large count, such as 2.3 G or 421.6 k; exact below a thousand."""
    if value is None:
        return NONE
    for limit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{_THIN}{prefix}{unit}"
    return f"{value:.3g}{_THIN}{unit}".strip() if unit else f"{value:.3g}"


def at_least(value: float | None, uncounted: Sequence[str]) -> str:
    """A large count, such as 2.3 G, or ≥ 2.3 G where some things were not counted."""
    return f"≥{_THIN}{scaled(value)}" if uncounted and value is not None else scaled(value)


def size(value: float | None) -> str:
    """Bytes as MiB or GiB."""
    return NONE if value is None else byte_size(value).replace(" ", _THIN)


def count(value: float | None) -> str:
    """A whole number with commas."""
    return NONE if value is None else f"{value:,.0f}"


def rounded_up(number: int) -> str:
    """A whole number rounded up to two digits, such as 13,000."""
    digits = 10 ** max(len(str(number)) - 2, 0)
    return f"{-(-number // digits) * digits:,}"


def decimal(value: float | None) -> str:
    """A metric's value to four decimals."""
    return NONE if value is None or math.isnan(value) else f"{value:.4f}".replace("-", "−")


def ratio(value: float | None) -> str:
    """A ratio with three significant figures, such as 1.04 or 12.3."""
    return NONE if value is None else f"{value:#.3g}".rstrip(".")


def p_value(value: float) -> str:
    """A p value such as "p = 0.031" or "p < 0.001", never broken over two lines."""
    relation = "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"
    return "p\u00a0" + relation.replace(" ", "\u00a0")


def plain(value: object) -> str:
    """A value of the plan or the environment as text, without quotes and braces where possible."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=str)
