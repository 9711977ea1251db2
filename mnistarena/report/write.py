"""A run folder's report, written into it: one HTML file, a Markdown file with its figures, what a paper needs."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from mnistarena.report.charts.all import figures
from mnistarena.report.charts.paper import on_paper
from mnistarena.report.latex import as_latex
from mnistarena.report.render import render_html, render_markdown
from mnistarena.report.sections.gallery import MARKDOWN_TILES, picture
from mnistarena.report.view import build
from mnistarena.store.results import read_run
from mnistarena.store.run_folder import RunFolder


def write_report(
    run_path: str | os.PathLike[str],
    *,
    html: bool = True,
    markdown: bool = True,
    latex: bool = False,
    paper: bool = False,
    template: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Write report.html, and report.md with figures/, into a run folder; returns the paths of what is asked for.

    `latex`: report.tex, a table a dataset. `paper`: figures/paper/, every figure as PDF and SVG.
    `template`: a folder whose files are used before those of the same name that are part of mnistarena.
    The same run folder gives the same bytes. Raises `StoreError` where it is not a run folder, or is damaged.
    """
    data = build(read_run(run_path), short=True)
    drawn = figures(data) if html or markdown or paper else ()
    folder = RunFolder(Path(run_path))
    template = Path(template) if template is not None else None
    written = []
    if html:
        written.append(folder.write_report("report.html", render_html(data, drawn, template)))
    if markdown:
        for figure in drawn:
            folder.write_report(f"figures/{figure.file}", figure.svg)
        for comparison in data.comparisons:
            for tile in comparison.tiles[:MARKDOWN_TILES]:
                if tile.png:
                    folder.write_report(f"figures/{picture(tile, comparison.label)}", base64.b64decode(tile.png))
        written.append(folder.write_report("report.md", render_markdown(data, drawn, template)))
    if latex:
        written.append(folder.write_report("report.tex", as_latex(data, folder.path.resolve().name)))
    if paper:
        for figure in drawn:
            for name, content in on_paper(figure):
                folder.write_report(f"figures/paper/{name}", content)
        written.append(folder.path / "figures" / "paper")
    return written
