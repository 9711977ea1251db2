"""`arena report`: a run's results as a page and as Markdown."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--html", is_flag=True, help="Write report.html.")
@click.option("--markdown", is_flag=True, help="Write report.md and figures/.")
@click.option("--latex", is_flag=True, help="Write report.tex, a table a dataset.")
@click.option(
    "--figures",
    type=click.Choice(["paper"]),
    help="Write figures/paper/: every figure as PDF and SVG, 3.3 and 6.9 inches wide, with text of 8 points.",
)
@click.option(
    "--summary", is_flag=True, help="Write nothing and print the verdict in a line; with --markdown in fifteen at most."
)
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
def command(
    run: Path | None,
    html: bool,
    markdown: bool,
    latex: bool,
    figures: str | None,
    summary: bool,
    show: bool,
    template: Path | None,
    runs_dir: Path,
) -> None:
    """Write the report of RUN, a run folder; the newest run by default.

    report.html and report.md are written into the run folder, or what is asked for; options can be combined.
    """
    from mnistarena.store.run_folder import newest_run

    path = run if run is not None else newest_run(runs_dir).path
    if summary:
        if html or latex or figures or show or template:
            raise click.UsageError("--summary writes nothing; of the other options only --markdown goes with it")
        _summarize(path, markdown)
        return
    from mnistarena.report.write import write_report

    asked = html or markdown or latex or figures is not None
    written = write_report(
        path,
        html=html or not asked,
        markdown=markdown or not asked,
        latex=latex,
        paper=figures is not None,
        template=template,
    )
    for page in written:
        click.echo(page)
    if show:
        import webbrowser

        pages = [page for page in written if page.suffix == ".html"] or written
        webbrowser.open(pages[0].resolve().as_uri())


def _summarize(path: Path, markdown: bool) -> None:
    from mnistarena.report.summary import in_a_line, in_markdown
    from mnistarena.report.view import build
    from mnistarena.store.results import read_run

    data = build(read_run(path))
    click.echo(in_markdown(data) if markdown else in_a_line(data), nl=not markdown)
