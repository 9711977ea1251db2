"""`arena report`: a run's results as a page and as Markdown."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--html", is_flag=True, help="Write report.html only (with --markdown: both, the default).")
@click.option("--markdown", is_flag=True, help="Write report.md and figures/ only (with --html: both).")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder whose templates are used first.",
)
@click.option(
    "--runs-dir",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where to look for the newest run.",
)
def command(run: Path | None, html: bool, markdown: bool, show: bool, template: Path | None, runs_dir: Path) -> None:
    """Write the report of RUN, a run folder; the newest run by default.

    Both report.html and report.md are written into the run folder unless one of them is asked for.
    """
    from mnistarena.report.write import write_report
    from mnistarena.store.run_folder import newest_run

    path = run if run is not None else newest_run(runs_dir).path
    both = html == markdown
    written = write_report(path, html=html or both, markdown=markdown or both, template=template)
    for page in written:
        click.echo(page)
    if show:
        import webbrowser

        pages = [page for page in written if page.suffix == ".html"] or written
        webbrowser.open(pages[0].resolve().as_uri())
