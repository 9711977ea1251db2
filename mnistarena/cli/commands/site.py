"""`arena site`: many runs as a static site."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("site")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the site is written."
)
@click.option(
    "--verified",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What arena verify --json printed; repeatable. Marks the runs that it is about.",
)
@click.option("--open", "show", is_flag=True, help="Open the index in the browser.")
def command(folders: tuple[Path, ...], output: Path, verified: tuple[Path, ...], show: bool) -> None:
    """Write a static site over many runs: run folders, or folders that hold them, such as runs.

    It has an index of the runs with their verdicts, their reports, and of every dataset that runs share a
    leaderboard and a history. Nothing in it is fetched or executed: open index.html, or put DIR on any host.
    Exit status: 0 when the site was written, though a damaged run may be left out; 2 when there is no run.
    """
    from mnistarena.report.site.write import write_site
    from mnistarena.text import plural

    def told(number: int, total: int, name: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{number} of {total}: {name}", nl=number == total, err=True)

    site = write_site(folders, output, verified=verified, told=told)
    for sentence in (*site.left_out, *(f"{one.name} cannot be shown: {one.problem}" for one in site.damaged)):
        click.echo(sentence, err=True)
    boards = plural(len(site.boards), "shared leaderboard")
    click.echo(f"{site.index}: {plural(len(site.runs), 'run')}, {boards}")
    if show:
        import webbrowser

        webbrowser.open(site.index.resolve().as_uri())
