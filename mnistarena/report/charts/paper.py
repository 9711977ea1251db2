"""Every figure for print, as SVG and PDF: as wide as a column or as a page, all text of 8 points."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from mnistarena.report.charts.figure import Figure, sized, vega_svg
from mnistarena.report.charts.layers import spread

INCHES = (3.3, 6.9)
"""The widths: one column of two, and both."""
POINTS = 8
"""The size of all text."""

_TEXT = 12
"""The size of all text (pixels) in which a figure is drawn, before it is scaled to `POINTS`."""
_LINE = 13.5
"""Height (pixels) of a line of text."""
_EM = 0.56
"""Width of a character, as a share of the size of the text."""
_AXIS = {"labelFontSize": _TEXT, "titleFontSize": _TEXT, "labelOverlap": False}
_LABELS = re.compile(r'<g class="mark-text role-mark[^>]*>.*?</g>', re.DOTALL)
_RESOURCES = re.compile(rb"(/(?:XObject|ExtGState|Font|Pattern|ColorSpace) <<\n)((?: +/\w+ \d+ 0 R\n)+)")
_TICKS = re.compile(r'<g class="mark-text role-axis-label[^>]*>.*?</g>', re.DOTALL)
_LABEL = re.compile(
    r'<text text-anchor="(start|middle|end)" transform="translate\(([-\d.]+),([-\d.]+)\)(?: rotate\(([-\d.]+)\)[^"]*)?"'
    r"[^>]*>([^<]*)</text>"
)


def on_paper(figure: Figure) -> Iterator[tuple[str, str | bytes]]:
    """The files of a figure: name and content, SVG and PDF of each width."""
    import vl_convert

    for inches in INCHES:
        svg = _drawn(figure, inches)
        name = f"{figure.key}-{inches:g}in"
        yield f"{name}.svg", _sized(svg, inches, "in")
        pdf: Any = vl_convert.svg_to_pdf(_sized(svg, inches * 72, ""))  # a PDF's unit is the point
        yield f"{name}.pdf", _RESOURCES.sub(_sorted, bytes(pdf))


def _sorted(resources: re.Match[bytes]) -> bytes:
    """The names of a page's parts in their order, which is another each time; their length stays."""
    return resources[1] + b"".join(sorted(resources[2].splitlines(keepends=True)))


def _drawn(figure: Figure, inches: float) -> str:
    """The figure in pixels, of which `_TEXT` are `POINTS`."""
    config = figure.spec.get("config", {})
    config = {**config, "axis": {**config.get("axis", {}), **_AXIS}}
    for part in ("text", "title"):
        config[part] = {**config.get(part, {}), "fontSize": _TEXT}
    width = inches * 72 * _TEXT / POINTS
    spec = {
        **sized({**_resized(figure.spec), "config": config}, round(width)),
        "width": width,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": "#ffffff",
    }
    svg = re.sub(r' (?:role|aria-\w+)="[^"]*"', "", vega_svg(spec))
    svg = _TICKS.sub(_thinned, svg)
    return _without_numbers(svg) if figure.kind == "confusion" else _moved_apart(svg)


def _resized(part: Any) -> Any:
    """A part of a document with the size of every text that a mark has by itself replaced."""
    if isinstance(part, dict):
        return {key: _TEXT if key == "fontSize" else _resized(value) for key, value in part.items()}
    return [_resized(one) for one in part] if isinstance(part, list) else part


def _sized(svg: str, width: float, unit: str) -> str:
    """The SVG with a width, its height in proportion; its view box stays in pixels."""

    def size(match: re.Match[str]) -> str:
        across, high = float(match[1]), float(match[2])
        return f'width="{width:g}{unit}" height="{width * high / across:.6g}{unit}"'

    return re.sub(r'width="([\d.]+)" height="([\d.]+)"', size, svg, count=1)


def _width(label: re.Match[str]) -> float:
    """The width of a text before it is turned, about."""
    return _EM * _TEXT * len(re.sub(r"&\w+;", "&", label[5]))


def _ends(label: re.Match[str]) -> tuple[float, float]:
    """Where a text begins and ends, from left to right, with some room."""
    width = _width(label) + 4
    start = float(label[2]) - {"start": 0.0, "middle": 0.5, "end": 1.0}[label[1]] * width
    return start, start + width


def _beside(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two labels share a part of the horizontal axis."""
    (start, end), (first, last) = _ends(one), _ends(other)
    return start < last and first < end


def _labels(svg: str) -> list[re.Match[str]]:
    """The texts of marks, not those of axes."""
    return [label for group in _LABELS.finditer(svg) for label in _LABEL.finditer(svg, *group.span())]


def _moved_apart(svg: str) -> str:
    """Names within the chart moved up or down, as little as possible, where they would lie over one another."""
    groups: list[list[re.Match[str]]] = []
    for label in _labels(svg):
        near = [group for group in groups if any(_beside(label, other) for other in group)]
        groups = [group for group in groups if group not in near] + [sum(near, [label])]
    moved: list[tuple[tuple[int, int], float]] = []
    for group in groups:
        places = [float(label[3]) for label in group]
        height = max(max(places), _LINE * len(group))
        spans = [label.span(3) for label in group]
        moved += zip(spans, spread(places, _LINE, height), strict=True)
    for (start, end), place in sorted(moved, reverse=True):
        svg = f"{svg[:start]}{place:g}{svg[end:]}"
    return svg


def _thinned(ticks: re.Match[str]) -> str:
    """The labels of an axis, only so many as there is room for."""
    last: re.Match[str] | None = None

    def kept(label: re.Match[str]) -> str:
        nonlocal last
        if last is not None and not _free(last, label):
            return ""
        last = label
        return label[0]

    return _LABEL.sub(kept, ticks[0])


def _free(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two labels of an axis, turned alike, are far enough from each other."""
    across, down = (float(other[at]) - float(one[at]) for at in (2, 3))
    angle = math.radians(float(one[4] or 0))
    if abs(across * math.sin(angle) - down * math.cos(angle)) >= _TEXT:
        return True
    return not angle and not _beside(one, other)


def _without_numbers(svg: str) -> str:
    """A confusion matrix without its numbers where they would not fit into the cells."""
    labels = _labels(svg)
    places = sorted({float(label[2]) for label in labels})
    cell = min((b - a for a, b in pairwise(places)), default=math.inf)
    return _LABELS.sub("", svg) if any(_width(label) > cell for label in labels) else svg
