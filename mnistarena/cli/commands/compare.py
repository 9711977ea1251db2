"""`arena compare`."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option, wide_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from mnistarena.evidence.changes import Change
    from mnistarena.evidence.figure import Figure

COLOURS = {
    "better": "green", "worse": "bold red", "undecided": "yellow", "not compared": "yellow", "identical": "dim",
    "model better": "green", "model worse": "bold red", "model alike": "yellow", "failing": "bold red",
    "unpaired": "yellow", "new": "dim", "gone": "dim", "nothing": "yellow",
}  # fmt: skip


@click.command("compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--fail-on-regression", is_flag=True, help="Exit with 1 unless no recipe of RUN_A is worse in RUN_B by the margin."
)
@click.option("--margin", metavar="PP", help='Differences that do not matter, such as "0.1pp". [default: RUN_B\'s]')
@click.option("--markdown", is_flag=True, help="Print fifteen lines of Markdown at most, for a pull request.")
@json_option
@wide_option
def command(
    run_a: Path,
    run_b: Path,
    fail_on_regression: bool,
    margin: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """What changed from RUN_A to RUN_B, two run folders.

    Every recipe, found by its label and dataset, against itself, by the figure that decides in RUN_B: the same
    verdicts as in a report, paired over the test images, Holm's correction over all recipes compared. A regression
    is a recipe that is worse, a single trained model that McNemar's test calls worse by more than the margin, or a
    seed that no longer finishes.

    With --fail-on-regression it is not enough that none is seen: for every recipe of RUN_A it must be shown, by
    its 95 % interval, that RUN_B loses less than the margin. Recipes that predict the same pass. One that is gone,
    fails, has other test images, or one seed only and other predictions does not; each is told with the reason.
    Exit status: 0; 1 where it is not shown, with --fail-on-regression; 2 when a run cannot be read.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown or --json, not both")
    from mnistarena.evidence.changes import changes
    from mnistarena.evidence.figure import deciding, margin_of
    from mnistarena.report import wording
    from mnistarena.report.changed import as_markdown, tested
    from mnistarena.report.shortfall import shortfall
    from mnistarena.store.earlier_use import between
    from mnistarena.store.results import read_run

    before, after = read_run(run_a), read_run(run_b)
    figure = deciding(after.plan)
    within = margin_of(after.plan, figure) if margin is None else _margin(margin, figure)
    found = changes(before, after, within)
    why = [shortfall(change, within) for change in found]
    short = sum(map(bool, why))
    uses = between(before, after)
    if as_json:
        _print_json(found, why, within, uses)
    else:
        answer = tested(found, why, wording.margin(within, figure)) if fail_on_regression else []
        if markdown:
            click.echo(as_markdown(found, "".join(answer[:1])), nl=False)
        else:
            from mnistarena.cli.tables import open_console

            _print(open_console(), found, answer, uses)
    failed = short or all(change.kind == "new" for change in found)
    sys.exit(1 if fail_on_regression and failed else 0)


def _print_json(found: Sequence[Change], why: Sequence[str], within: float, uses: Sequence[str]) -> None:
    from mnistarena.store.files import to_json

    rows = [
        {**asdict(change), "regression": change.regression, "shortfall": sentence}
        for change, sentence in zip(found, why, strict=True)
    ]
    shown = {
        "changes": rows,
        "margin": within,
        "regressions": sum(change.regression for change in found),
        "not_shown": sum(map(bool, why)),
        "earlier_uses": uses,
    }
    click.echo(to_json(shown).decode(), nl=False)


def _margin(given: str, figure: Figure) -> float:
    """A margin in the figure's own unit."""
    from mnistarena.spec import units

    try:
        if figure.share:
            return units.share(units.points(given))
        found = float(given)
        if not 0 < found < math.inf:
            raise ValueError("is not a number above 0")
    except ValueError as problem:
        what = problem if figure.share else f'is no margin of "{figure.label}"; it is a number above 0, such as 0.01'
        raise click.BadParameter(f"{given!r} {what}", param_hint="--margin") from problem
    return found


def _print(console: Console, found: Sequence[Change], tested: list[str], uses: Sequence[str]) -> None:
    """The table, the verdict, `tested`, the answer on non-inferiority where it is asked for, and notes."""
    from rich.text import Text

    from mnistarena.report.changed import TIMES, closing

    _print_table(console, found)
    console.print(Text("\n" + closing(found), style="bold"))
    if tested:
        console.print(Text("\n" + "\n".join(tested)))
    for sentence in [*([TIMES] if any(change.time_ratio for change in found) else []), *uses]:
        console.print(Text(f"\n{sentence}", style="dim"))


def _print_table(console: Console, found: Sequence[Change]) -> None:
    from rich.text import Text

    from mnistarena.cli.tables import Column, print_table
    from mnistarena.report.changed import SAID, cells

    several = len({change.dataset for change in found}) > 1
    columns = [Column("model", wraps=True), *([Column("dataset")] if several else [])]
    columns += [Column(heading, right=True) for heading in ("A", "B", "B − A")]
    columns += [Column("verdict", wraps=True), Column("training", right=True)]
    rows: list[list[str | Text]] = []
    for change in found:
        shown = cells(change)
        verdict = Text(SAID[change.kind], COLOURS.get(change.kind, ""))
        if shown.p:
            verdict.append(f", {shown.p}", "dim")
        if change.note:
            verdict.append(f",\n{change.note}", "dim")
        rows.append(
            [
                change.label,
                *([change.dataset] if several else []),
                shown.before,
                shown.after,
                f"{shown.difference}\n{shown.interval}".strip(),
                verdict,
                f"{shown.time}\n{shown.time_interval}".strip(),
            ]
        )
    print_table(console, columns, rows)
