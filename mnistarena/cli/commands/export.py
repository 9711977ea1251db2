"""`arena export`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mnistarena.store.results import StoredRun
    from mnistarena.store.rows import Row

WHAT = ("trials", "history", "predictions", "probabilities", "views", "pairs")


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--csv", "form", flag_value="csv", default="csv", help="Comma-separated values; the default.")
@click.option("--json", "form", flag_value="json", help="A JSON list of objects.")
@click.option("--parquet", "form", flag_value="parquet", help="Parquet; needs --output, and pyarrow.")
@click.option("--what", type=click.Choice(WHAT), default="trials", show_default=True, help="The table.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only models whose label matches; repeatable.")
@click.option("--dataset", metavar="LABEL", help="Only what is of this dataset.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Not the terminal."
)
def command(run: Path, form: str, what: str, only: tuple[str, ...], dataset: str | None, output: Path | None) -> None:
    """Write the results of RUN, a run folder, as one tidy table.

    trials: a row a trial with its metrics and measurements. history: a row an epoch. predictions: a row a
    trial and test image. probabilities: the same with a column a class, p_NAME; what is exported of one model is
    read by a [[model]] with predictions = "FILE", with the same figures. views: a row a trial and further view of
    the test images, with its accuracy. pairs: a row a pair of recipes with its verdict; --only must match both.
    """
    from mnistarena.store.results import read_run

    if form == "parquet" and output is None:
        raise click.UsageError("--parquet needs --output FILE")
    found = read_run(run)
    rows = (_pairs if what == "pairs" else _rows)(found, what, only, dataset)
    data = _parquet(rows) if form == "parquet" else _text(rows, form)
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from mnistarena.store.files import write_file

    write_file(output, data)
    click.echo(f"{output}: {len(rows):,} rows", err=True)


def _rows(run: StoredRun, what: str, only: Sequence[str], dataset: str | None) -> list[Row]:
    from mnistarena.errors import ArenaError
    from mnistarena.store.rows import chosen, rows
    from mnistarena.text import series

    found = list(rows(run, what, only=only, dataset=dataset))
    if what == "probabilities":
        have = {row["label"] for row in found}
        lacking = {trial.label: None for trial in chosen(run, only, dataset) if trial.done and trial.label not in have}
        if lacking:
            verb = "gives" if len(lacking) == 1 else "give"
            said = f"{series(lacking)} {verb} no probabilities; --what predictions has the classes"
            if not found:
                raise ArenaError(said)
            click.echo(f"left out: {said}", err=True)
    return found


def _pairs(run: StoredRun, what: str, only: Sequence[str], dataset: str | None) -> list[Row]:
    from mnistarena.report.downloads import pair_rows
    from mnistarena.report.view import build
    from mnistarena.store.rows import chosen

    known = {(trial.dataset, trial.label) for trial in chosen(run, only, dataset)}
    return [row for row in pair_rows(build(run)) if {(row["dataset"], row[one]) for one in "ab"} <= known]


def _text(rows: Sequence[Row], form: str) -> bytes:
    from mnistarena.report.downloads import as_csv
    from mnistarena.store.files import to_json

    return to_json(rows) if form == "json" else as_csv(rows).encode("utf-8", "replace")


def _parquet(rows: Sequence[Row]) -> bytes:
    import io

    import pandas as pd

    stream = io.BytesIO()
    try:
        pd.DataFrame(rows).to_parquet(stream, index=False)
    except ImportError as problem:
        raise click.ClickException('Parquet needs pyarrow: pip install "mnistarena[parquet]"') from problem
    return stream.getvalue()
