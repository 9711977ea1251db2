"""A test image as it looks at each severity, below the ticks of a drawing of accuracy by severity."""

from __future__ import annotations

import re

from markupsafe import Markup

from mnistarena.report.sections.pictures import Pictures
from mnistarena.report.sections.robustness import Corruption

SHOWN = 40
"""Small images are shown as many times as large as fits into so many pixels."""
GAP = 2
"""Pixels between two images."""


def source(found: Pictures) -> Markup:
    """The picture that holds all of them, as a style that the images inside it share."""
    return Markup(f'style="--views: url(data:image/{found.kind};base64,{found.picture})"')


def image(found: Pictures, place: int, said: str, left: float | None = None) -> Markup:
    """One of them; `left` is its middle in percent of the row it stands in, which is None for one in a line."""
    (width, height), zoom = found.tile, _zoom(found)
    across = (1 + len(found.places)) * width * zoom
    at = "" if left is None else f"left:{left:.2f}%;"
    return Markup(
        '<span class="view" role="img" aria-label="{0}" title="{0}" style="{1}width:{2}px;height:{3}px;'
        'background-position:-{4}px 0;background-size:{5}px {3}px"></span>'
    ).format(said, at, width * zoom, height * zoom, place * width * zoom, across)


def strip(svg: str, corruption: Corruption, found: Pictures) -> Markup:
    """The images at the severities of a drawing, the clean one first; empty where they would not fit side by side."""
    left, length, whole = _frame(svg)
    shown = [(0, "clean"), *((found.places.get((corruption.name, one)), one) for one in corruption.severities)]
    step = length / (len(shown) - 1)
    if step < found.tile[0] * _zoom(found) + GAP:
        return Markup("")
    images = (
        image(found, place, f"{corruption.name}, {said}" if place else said, 100 * (left + at * step) / whole)
        for at, (place, said) in enumerate(shown)
        if place is not None
    )
    height = found.tile[1] * _zoom(found)
    return Markup('<div class="views" style="--width:{:g}px;height:{}px">{}</div>').format(
        whole, height, Markup("").join(images)
    )


def _zoom(found: Pictures) -> int:
    return max(1, SHOWN // max(found.tile))


def _frame(svg: str) -> tuple[float, float, float]:
    """Where the marks of a drawing begin, how wide their frame is, and how wide the drawing is, in the same unit."""
    whole = float(re.findall(r'viewBox="0 0 ([\d.]+) ', svg)[0])
    left = float(re.findall(r'<g[^>]* transform="translate\(([\d.]+),[\d.]+\)"', svg)[0])
    return left, float(re.findall(r'class="background"[^>]* d="M0(?:\.5)?,0(?:\.5)?h([\d.]+)v', svg)[0]), whole
