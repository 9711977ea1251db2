"""`arena watch`: the report of a run that goes on, in the browser."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("watch")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Where it is served. [default: any free one]"
)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--runs-dir",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where to look for the newest run.",
)
def command(run: Path | None, port: int, show: bool, runs_dir: Path) -> None:
    """Serve the report of RUN, a run folder, to this machine, and refresh it as trials end; the newest run by default.

    The page is served on the loopback address only, and nothing is written. Ctrl-C ends it.
    """
    import os
    import webbrowser

    from mnistarena.report.server import ReportServer
    from mnistarena.report.watch import Watched
    from mnistarena.store.run_folder import RunFolder, newest_run
    from mnistarena.text import visible

    folder = RunFolder(run) if run is not None else newest_run(runs_dir)
    folder.plan()
    if hasattr(os, "nice"):
        os.nice(10)  # trials are measured beside it
    with ReportServer(Watched(folder.path), port) as server:
        click.echo(f"{visible(str(folder.path))} is at {server.url} until Ctrl-C")
        if show:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()
