"""The end of a run in the terminal: the report's leaderboard, smaller, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mnistarena.cli.progress import duration
from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.report.charts.style import Style, styles
from mnistarena.report.comparison import Comparison
from mnistarena.report.format import place
from mnistarena.report.sections.ranking import Row
from mnistarena.report.view import ReportData, build
from mnistarena.store.results import StoredRun

ONE_MODEL = "one trained model"


def print_summary(console: Console, run: StoredRun, selected: set[str]) -> None:
    """Print leaderboard, verdict, failures, and the next command."""
    data = build(run)
    for comparison in data.comparisons:
        console.print()
        if len(data.comparisons) > 1:
            console.print(Text(comparison.label, style="bold"))
        console.print(_table(console, data, comparison))
        if any(row.interval_of == ONE_MODEL for row in comparison.rows):
            console.print(Text("* of this one trained model: one seed says nothing of its recipe's spread", "dim"))
        console.print(Text(comparison.headline, style="bold"))
    failed = [trial for trial in run.trials if trial.label in selected and not trial.done]
    if failed:
        console.print()
        for trial in failed:
            cause = (trial.error or {}).get("message", "").partition("\n")[0]
            line = Text.assemble((trial.status, "red"), f"  {trial.name}")
            console.print(line + Text(f": {cause}" if cause else ""))
            if cause:
                console.print(Text(f"        log: {trial.folder.log.path}", style="dim"))
        console.print(
            f"{len(failed)} of {len(run.trials)} trials are not done. When the cause is fixed, the same command with "
            "--retry-failed runs them again."
        )
    console.print(Text.assemble("\nNext: ", (f"arena report {run.path} --open", "bold")))


def _table(console: Console, data: ReportData, comparison: Comparison) -> Table:
    """The leaderboard with as many metrics as the terminal is wide for, the spec's first ones first."""
    looks = styles(data.labels)
    # The figure that decides comes first, with its interval; accuracy stands beside another one.
    others = [at for at, metric in enumerate(data.metrics) if metric["label"] != data.figure.label]
    first = [data.figure.label, "95 % interval"] + ([] if data.figure == ACCURACY else ["accuracy"])
    for shown in range(len(others), -1, -1):
        table = Table(box=None, header_style="bold", pad_edge=False)
        metrics = [data.metrics[at]["label"] for at in others[:shown]]
        goal = [f"to {data.target}"] if comparison.reached else []
        for heading in ("model", "place", "seeds", *first, *metrics, "training", *goal):
            table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
        reached = [[Text(one.text)] for one in comparison.reached] or [[] for _ in comparison.rows]
        for row, last in zip(comparison.rows, reached, strict=True):
            table.add_row(*_cells(row, data.figure, others[:shown], looks), *last)
        if Measurement.get(console, console.options.update(width=1000), table).maximum <= console.width:
            break
    return table


def _cells(row: Row, figure: Figure, metrics: Sequence[int], looks: Mapping[str, Style]) -> list[Text]:
    seeds = str(row.seeds) if row.finished == row.seeds else f"{row.finished}/{row.seeds}"
    if row.decided is None:
        first = ["–", "–"]
    else:
        mean, low, high = (
            f"{value:.2%}" if figure.share else f"{value:.4f}"
            for value in (row.decided.estimate, row.decided.low, row.decided.high)
        )
        first = [mean, f"{low} – {high}" + (" *" if row.interval_of == ONE_MODEL else "")]
    if figure != ACCURACY:
        first.append("–" if row.accuracy is None else f"{row.accuracy.estimate:.2%}")
    figures = ["–" if row.metrics[at] is None else f"{row.metrics[at]:.4f}" for at in metrics]
    time = "–" if row.train_seconds is None else duration(row.train_seconds)
    name = Text(row.label, looks[row.label].colour)
    return [name, Text(place(row.place)), Text(seeds), *map(Text, first), *map(Text, figures), Text(time)]
