"""A run, told: one HTML file and a Markdown file with SVG figures, computed from the store and nothing else."""

from __future__ import annotations

import base64
import os
from pathlib import Path


def write_report(
    run_path: str | os.PathLike[str],
    *,
    html: bool = True,
    markdown: bool = True,
    template: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Write report.html, and report.md with figures/, into a run folder; returns the pages' paths.

    `template`: a folder whose files are used before those of the same name that ship with mnistarena.
    The same store gives the same bytes. Raises `StoreError` where the folder is no run or is damaged.
    """
    from mnistarena.report.charts import figures
    from mnistarena.report.images import MARKDOWN_TILES, picture
    from mnistarena.report.render import render_html, render_markdown
    from mnistarena.report.view import build
    from mnistarena.results import load_run
    from mnistarena.store import RunFolder

    view = build(load_run(run_path))
    drawn = figures(view)
    folder = RunFolder(Path(run_path))
    template = Path(template) if template is not None else None
    written = []
    if html:
        written.append(folder.write_report("report.html", render_html(view, drawn, template)))
    if markdown:
        for figure in drawn:
            folder.write_report(f"figures/{figure.file}", figure.svg)
        for comparison in view.comparisons:
            for tile in comparison.tiles[:MARKDOWN_TILES]:
                folder.write_report(f"figures/{picture(tile, comparison.label)}", base64.b64decode(tile.png))
        written.append(folder.write_report("report.md", render_markdown(view, drawn, template)))
    return written
