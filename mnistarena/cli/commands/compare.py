"""`arena compare`."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnistarena.cli.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from mnistarena.evidence.changes import Change
    from mnistarena.evidence.figure import Figure

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

TIMES = (
    "Training times: the intervals know how times vary within each run, not what was different between the two, "
    "which were not measured in turns; so there is no verdict."
)


@click.command("compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option(
    "--fail-on-regression", is_flag=True, help="Exit with 1 unless no recipe of RUN_A is worse in RUN_B by the margin."
)
@click.option("--margin", metavar="PP", help='Differences that do not matter, such as "0.1pp". [default: RUN_B\'s]')
@json_option
def command(run_a: Path, run_b: Path, fail_on_regression: bool, margin: str | None, as_json: bool) -> None:
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
    from mnistarena.evidence.changes import changes
    from mnistarena.evidence.figure import deciding, margin_of
    from mnistarena.report.shortfall import shortfall
    from mnistarena.store.earlier_use import between
    from mnistarena.store.results import read_run

    before, after = read_run(run_a), read_run(run_b)
    figure = deciding(after.plan)
    within = margin_of(after.plan, figure) if margin is None else _margin(margin, figure)
    found = changes(before, after, within)
    regressions = [change for change in found if change.regression]
    why = [shortfall(change, within) for change in found]
    short = sum(map(bool, why))
    uses = between(before, after)
    if as_json:
        from mnistarena.store.files import to_json

        rows = [
            {**asdict(change), "regression": change.regression, "shortfall": sentence}
            for change, sentence in zip(found, why, strict=True)
        ]
        totals = {"margin": within, "regressions": len(regressions), "not_shown": short, "earlier_uses": uses}
        click.echo(to_json({"changes": rows, **totals}).decode(), nl=False)
    else:
        from rich.console import Console
        from rich.text import Text

        from mnistarena.report import wording

        console = Console(highlight=False)
        console.print(_table(found, figure))
        console.print(Text("\n" + _closing(found, regressions), style="bold"))
        if fail_on_regression:
            console.print(Text("\n" + _tested(found, why, wording.margin(within, figure))))
        if any(change.time_ratio for change in found):
            console.print(Text(f"\n{TIMES}", style="dim"))
        for sentence in uses:
            console.print(Text(f"\n{sentence}", style="dim"))
    failed = short or all(change.kind == "new" for change in found)
    sys.exit(1 if fail_on_regression and failed else 0)


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


def _table(found: tuple[Change, ...], figure: Figure) -> Table:
    from rich.table import Table
    from rich.text import Text

    from mnistarena.report import format as text, wording

    several = len({change.dataset for change in found}) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("model", *(["dataset"] if several else []), "A", "B", "B − A", "verdict", "training"):
        table.add_column(heading, justify="right" if heading in ("A", "B", "B − A", "training") else "left")
    for change in found:
        delta = Text("–")
        if change.difference is not None:
            d = change.difference
            low, high = (wording.difference(end, figure).removesuffix("\u202fpp") for end in (d.low, d.high))
            delta = Text(f"{wording.difference(d.estimate, figure)}\n[{low}, {high}]")
        elif change.mcnemar is not None:
            delta = Text(text.points(change.mcnemar.difference))
        elif change.before is not None and change.after is not None:
            delta = Text(wording.difference(change.after - change.before, figure))
        verdict = Text(*SAID[change.kind])
        if change.p_adjusted is not None:
            verdict.append(f", {text.p_value(change.p_adjusted)}", "dim")
        if change.note:
            verdict.append(f"\n{change.note}", "dim")
        time = "–" if change.time is None else f"{change.time:.2f}×"
        if change.time_ratio is not None:
            ratio = change.time_ratio
            time = f"{ratio.estimate:.2f}×\n[{ratio.low:.2f}, {ratio.high:.2f}]"
        cells = [Text(change.label), *([Text(change.dataset)] if several else [])]
        means = ("–" if one is None else wording.value(one, figure) for one in (change.before, change.after))
        cells += [*map(Text, means), delta, verdict, Text(time)]
        table.add_row(*cells)
    return table


def _closing(found: tuple[Change, ...], regressions: list[Change]) -> str:
    from mnistarena.report.format import series
    from mnistarena.text import plural

    if not found:
        return "Neither run has a recipe."
    if all(change.kind == "identical" for change in found):
        return "Nothing changed: every recipe predicts the same in both runs."
    head = "No regression is seen."
    if regressions:
        head = f"{plural(len(regressions), 'regression')}: {series(change.label for change in regressions)}."
    open_ = [change.label for change in found if change.kind in ("undecided", "model alike", "unpaired", "nothing")]
    gone = [change.label for change in found if change.kind == "gone"]
    said = [f"{what}: {series(labels)}." for what, labels in (("Not decided", open_), ("Gone", gone)) if labels]
    return " ".join([head, *said])


def _tested(found: tuple[Change, ...], why: list[str], within: str) -> str:
    """The answer of --fail-on-regression, with a line for each recipe that fails it; `within` is the margin."""
    from mnistarena.text import plural

    old = [change for change in found if change.kind != "new"]
    if not old:
        return "Failed: the first run has no recipe, so nothing is compared."
    several = len({change.dataset for change in found}) > 1
    lines = [
        f"- {change.label}{f' on {change.dataset}' if several else ''}: {sentence}"
        for change, sentence in zip(found, why, strict=True)
        if sentence
    ]
    if not lines:
        return f"Passed: of {plural(len(old), 'recipe')}, each by its 95 % interval, none loses {within} or more."
    are = "is" if len(lines) == 1 else "are"
    head = f"Failed: of {plural(len(old), 'recipe')} of the first run, {len(lines)} {are} not shown to lose less than"
    return "\n".join([f"{head} {within}.", *lines])
