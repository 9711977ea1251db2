"""The pages of a site through Jinja2: no script, nothing that is fetched, one style sheet in each of them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache

import jinja2
from markupsafe import Markup

from mnistarena.paths import resource
from mnistarena.report import forest, format as text, wording
from mnistarena.report.site.board import Board
from mnistarena.report.site.drawing import history_scale, panel
from mnistarena.report.site.runs import RunEntry
from mnistarena.text import plural

VERDICTS = {
    "better": "better",
    "worse": "worse",
    "equal": "practically equal",
    "undecided": "undecided",
    "not compared": "not compared",
    "reference": "compared with",
}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (text.place, text.p_value, text.percent, text.bare_percent, text.series, plural)
    environment.filters.update({function.__name__: function for function in shown})
    environment.filters.update(figure=wording.value, delta=wording.difference, limit=wording.margin)
    environment.globals.update(forest=forest, history_scale=history_scale, panel=panel, VERDICTS=VERDICTS)
    return environment


def _page(name: str, **context: object) -> str:
    """A page; its content security policy names its style sheet by hash, and allows nothing else."""
    environment = _environment()
    style = environment.get_template("site/site.css.j2").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return environment.get_template(f"site/{name}.html.j2").render(style=Markup(style), policy=policy, **context)


def index_page(runs: Sequence[RunEntry], boards: Sequence[Board], damaged: Sequence[RunEntry]) -> str:
    """The index: the shared leaderboards, every run with its verdict, and the runs that cannot be read."""
    return _page("index", runs=runs, boards=boards, damaged=damaged)


def board_page(board: Board, runs: Sequence[RunEntry]) -> str:
    """The leaderboard of one dataset; `runs` are those of the whole site."""
    return _page("board", board=board, entries={run.name: run for run in runs})
