"""A report's data and charts through Jinja2: one HTML file that fetches nothing, and Markdown with SVG beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from mnistarena.errors import StoreError
from mnistarena.evidence.figure import ACCURACY
from mnistarena.paths import resource
from mnistarena.report import altered, explore, forest, format as text, wording
from mnistarena.report.charts.figure import Figure
from mnistarena.report.charts.style import DARK, Style, styles
from mnistarena.report.chips import chips
from mnistarena.report.comparison import Comparison
from mnistarena.report.downloads import downloads
from mnistarena.report.markdown import escape_markdown, fence
from mnistarena.report.sections.claim import split_of
from mnistarena.report.sections.gallery import MARKDOWN_TILES, picture
from mnistarena.report.sections.search import spoken
from mnistarena.report.sections.search_rows import setting
from mnistarena.report.view import ReportData
from mnistarena.text import plural

_FILTERS = (
    text.percent,
    text.bare_percent,
    text.margin,
    text.figure,
    text.place,
    text.points,
    text.bare_points,
    text.seconds,
    text.scaled,
    text.at_least,
    text.size,
    text.count,
    text.decimal,
    text.ratio,
    text.p_value,
    text.series,
    plural,
    setting,
    split_of,
    spoken,
)
_NEEDLESS = re.compile(
    r' (?:aria-hidden="true"|font-family="system-ui, sans-serif"|font-size="12px"|font-weight="normal"|opacity="1"'
    r'|stroke-width="1"|xmlns(?::xlink)?="[^"]*"|version="1\.1")'
)
"""Attributes of a drawing that the page's style sheet or HTML itself gives, in every element of every drawing."""
_EMPTY = re.compile(r'<path class="(?:foreground"[^>]* d=""|background"[^>]* d="M0,0h0v0h0Z")[^>]*/>')
"""Paths of a drawing that draw nothing."""
_SHAPES = {
    "circle": "M1 6a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z",
    "square": "M1.5 1.5h9v9h-9Z",
    "triangle-up": "M6 1L11.3 10.5H.7Z",
    "diamond": "M6 0L10.5 6L6 12L1.5 6Z",
    "cross": "M4 1h4v3h3v4h-3v3h-4v-3h-3v-4h3Z",
}


def render_html(
    data: ReportData, figures: tuple[Figure, ...], template: Path | None = None, *, home: str | None = None
) -> str:
    """The whole page; its content security policy names its script by hash, so no other can run.

    `home` is the address of the index of the site that the page is part of, None where it stands alone.
    """
    environment = _environment(template, autoescape=True)
    own = template is not None and (template / "report.js").is_file()
    script = ((template if own and template else resource("templates")) / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _render(
        environment,
        "report.html.j2",
        view=data,
        styles=styles(data.labels),
        figures=figures,
        script=Markup(script),
        policy=f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'",
        dark=DARK,
        downloads=downloads(data),
        chips=chips(data),
        home=home,
        forests=[_forest(one, data) for one in data.comparisons],
        explored=explore.explore_all(data),
    )


def _forest(one: Comparison, data: ReportData) -> forest.Forest:
    """The axes of a leaderboard."""
    known = [entry.share for entry in one.published] if data.figure == ACCURACY else []
    return forest.forest(one.rows, data.figure, data.margin, published=known)


def render_markdown(data: ReportData, figures: tuple[Figure, ...], template: Path | None = None) -> str:
    """The same report as Markdown; every text of the run is escaped for it."""
    environment = _environment(template, autoescape=False)
    page = _render(environment, "report.md.j2", view=data, figures=figures, tiles_shown=MARKDOWN_TILES)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def render_notebook(data: ReportData) -> str:
    """The verdict and the leaderboard, for a cell of a notebook."""
    environment = _environment(None, autoescape=True)
    return _render(environment, "notebook.html.j2", view=data, styles=styles(data.labels))


def _environment(template: Path | None, *, autoescape: bool) -> jinja2.Environment:
    shipped = _shipped(autoescape)
    if template is None:
        return shipped
    if not template.is_dir():
        raise StoreError(f"{template} is not a folder of templates")
    return shipped.overlay(loader=jinja2.FileSystemLoader([template, resource("templates")]))


@cache
def _shipped(autoescape: bool) -> jinja2.Environment:
    """The environment of our own templates, each compiled once."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates")),
        autoescape=autoescape,
        finalize=None if autoescape else escape_markdown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({function.__name__: function for function in _FILTERS})
    environment.filters.update(
        value=wording.value,
        delta=wording.difference,
        limit=wording.margin,
        json=embed_json,
        inline_svg=inline_svg,
        fence=fence,
        swatch=swatch,
        picture=picture,
    )
    environment.globals.update(altered=altered, forest=forest)
    return environment


def _render(environment: jinja2.Environment, name: str, **context: object) -> str:
    try:
        return environment.get_template(name).render(**context)
    except jinja2.TemplateError as problem:
        line = getattr(problem, "lineno", None)
        where = (getattr(problem, "name", None) or name) + (f":{line}" if line else "")
        raise StoreError(f"template {where}: {type(problem).__name__}: {problem}") from problem


def embed_json(value: object) -> Markup:
    """JSON for a script element, which it cannot end."""
    dumped = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        dumped = dumped.replace(character, f"\\u{ord(character):04x}")
    return Markup(dumped)


def inline_svg(svg: str, key: str) -> Markup:
    """A chart's SVG for the page: without its own background, its ids prefixed so that each is unique in the page."""
    svg = re.sub(r'<rect width="[\d.]+" height="[\d.]+" fill="#ffffff"\s*(/>|></rect>)', "", svg, count=1)
    svg = re.sub(r"<[^>]*>", lambda tag: _NEEDLESS.sub("", tag.group()), _EMPTY.sub("", svg))
    svg = svg.replace("<svg ", '<svg aria-hidden="true" ', 1)  # the figure around it describes it
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", svg)
    return Markup(svg)


def swatch(style: Style) -> Markup:
    """A model's mark, as charts draw it."""
    path = f'<path fill="{style.colour}" d="{_SHAPES[style.shape]}"/>'
    return Markup(f'<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">{path}</svg>')
