"""Values with a unit, as a spec writes them: durations, sizes, percentages, percentage points."""

from __future__ import annotations

import re


def duration(text: str) -> str:
    """The text, if it is a duration; raises ValueError."""
    if not re.fullmatch(r"\d+(\.\d+)?\s*[smh]", text.strip()):
        raise ValueError('must be a number and a unit: "90s", "5m" or "1.5h"')
    return text


def seconds(duration: str) -> float:
    """A duration such as "90s", "5m" or "1.5h" in seconds."""
    return float(duration.strip()[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration.strip()[-1]]


def points(text: str) -> str:
    """The text, if it is a margin of accuracy in percentage points; raises ValueError."""
    if not re.fullmatch(r"\d+(\.\d+)?\s*pp", text.strip()) or not 0 < float(text.strip()[:-2]) <= 50:
        raise ValueError('must be percentage points above 0 with their unit, such as "0.1 pp"')
    return text


def as_margin(value: object) -> object:
    """The value, if it is a margin: percentage points of a share, or a number above 0; raises ValueError."""
    if isinstance(value, str):
        return points(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
        raise ValueError('must be percentage points with their unit, such as "0.1 pp", or a number above 0')
    return value


def percentage(text: str) -> str:
    """The text, if it is a share in percent; raises ValueError."""
    if not re.fullmatch(r"\d+(\.\d+)?\s*%", text.strip()) or not 0 < float(text.strip()[:-1]) <= 100:
        raise ValueError('must be a percentage above 0 with its sign, such as "99 %"')
    return text


def fraction(percentage: str) -> float:
    """A percentage such as "99 %" as a share of the images: 0.99."""
    return float(percentage.strip()[:-1]) / 100


def share(points: str) -> float:
    """A margin such as "0.1 pp" as a share of the images: 0.001."""
    return float(points.strip()[:-2]) / 100


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def size(text: str) -> int:
    """Bytes of a size such as "500M", "4GB" or "4GiB"; raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper())
    if found is None or found[2] not in _UNITS or (bytes_ := int(float(found[1]) * _UNITS[found[2]])) < 1:
        raise ValueError('must be a size such as "500M", "4GB" or "4GiB"')
    return bytes_


def amount(text: str) -> str:
    """The text, if it is a size such as "4GiB"; raises ValueError."""
    size(text)
    return text
