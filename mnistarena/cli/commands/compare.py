"""`arena compare`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from mnistarena.evidence.changes import Change

SAID = {
    "better": ("better", "green"),
    "worse": ("WORSE", "bold red"),
    "equal": ("practically equal", ""),
    "undecided": ("undecided", "yellow"),
    "not compared": ("not compared", "yellow"),
    "identical": ("identical", "dim"),
    "model better": ("this model is better", "green"),
    "model worse": ("this model is WORSE", "bold red"),
    "model alike": ("models not told apart", "yellow"),
    "failing": ("FAILING", "bold red"),
    "unpaired": ("cannot be paired", "yellow"),
    "new": ("new", "dim"),
    "gone": ("gone", "dim"),
    "nothing": ("no result", "yellow"),
}


@click.command("compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--fail-on-regression", is_flag=True, help="Exit with 1 where RUN_B is worse than RUN_A.")
@click.option("--margin", metavar="PP", help='Differences that do not matter, such as "0.1pp". [default: RUN_B\'s]')
@json_option
def command(run_a: Path, run_b: Path, fail_on_regression: bool, margin: str | None, as_json: bool) -> None:
    """What changed from RUN_A to RUN_B, two run folders.

    Every recipe, found by its label and dataset, against itself: the same verdicts as in a report, paired over
    the test images, Holm's correction over all recipes compared. A regression is a recipe that is worse, a
    single trained model that McNemar's test calls worse by more than the margin, or a seed that no longer
    finishes. Exit status: 0; 1 on a regression with --fail-on-regression; 2 when a run cannot be read.
    """
    from mnistarena.evidence.changes import changes
    from mnistarena.spec import units
    from mnistarena.store.results import read_run

    within = None
    if margin is not None:
        try:
            within = units.share(units.points(margin))
        except ValueError as problem:
            raise click.BadParameter(f"{margin!r} {problem}", param_hint="--margin") from problem
    found = changes(read_run(run_a), read_run(run_b), within)
    regressions = [change for change in found if change.regression]
    if as_json:
        from mnistarena.store.files import to_json

        rows = [{**asdict(change), "regression": change.regression} for change in found]
        click.echo(to_json({"changes": rows, "regressions": len(regressions)}).decode(), nl=False)
    else:
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False)
        console.print(_table(found))
        console.print(Text("\n" + _closing(found, regressions), style="bold"))
    sys.exit(1 if fail_on_regression and regressions else 0)


def _table(found: tuple[Change, ...]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from mnistarena.report import format as text

    several = len({change.dataset for change in found}) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", *(["dataset"] if several else []), "A", "B", "B − A", "verdict", "training"):
        table.add_column(heading, justify="right" if heading in ("A", "B", "B − A", "training") else "left")
    for change in found:
        delta = Text("–")
        if change.difference is not None:
            d = change.difference
            delta = Text(f"{text.points(d.estimate)}\n[{text.bare_points(d.low)}, {text.bare_points(d.high)}]")
        elif change.mcnemar is not None:
            delta = Text(text.points(change.mcnemar.difference))
        elif change.before is not None and change.after is not None:
            delta = Text(text.points(change.after - change.before))
        verdict = Text(*SAID[change.kind])
        if change.p_adjusted is not None:
            verdict.append(f", {text.p_value(change.p_adjusted)}", "dim")
        if change.note:
            verdict.append(f"\n{change.note}", "dim")
        time = "–" if change.time is None else f"{change.time:.2f}×"
        cells = [Text(change.label), *([Text(change.dataset)] if several else [])]
        cells += [Text(text.percent(change.before)), Text(text.percent(change.after)), delta, verdict, Text(time)]
        table.add_row(*cells)
    return table


def _closing(found: tuple[Change, ...], regressions: list[Change]) -> str:
    from mnistarena.report.format import series
    from mnistarena.text import plural

    if regressions:
        return f"{plural(len(regressions), 'regression')}: {series(change.label for change in regressions)}."
    if not found:
        return "Neither run has a recipe."
    if all(change.kind == "identical" for change in found):
        return "Nothing changed: every trial is the same in both runs."
    open_ = [change.label for change in found if change.kind in ("undecided", "model alike", "unpaired", "nothing")]
    return "No regression." + (f" Not decided: {series(open_)}." if open_ else "")
