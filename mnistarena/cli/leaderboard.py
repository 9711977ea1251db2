"""The end of a run in the terminal: the report's leaderboard, smaller, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mnistarena.cli.progress import duration
from mnistarena.cli.tables import Column, print_table
from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.report.charts.style import styles
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
        _print_table(console, data, comparison)
        if any(row.interval_of == ONE_MODEL for row in comparison.rows):
            console.print(Text("* of this one trained model: one seed says nothing of its recipe's spread", "dim"))
        for published in comparison.published:
            console.print(Text(published.caveat, "dim"))
        console.print(Text(comparison.headline, style="bold"))
        if comparison.answers["looks"]:
            console.print(Text(comparison.answers["looks"]))
    failed = [trial for trial in run.trials if trial.label in selected and trial.unfinished]
    if failed:
        console.print()
        for trial in failed:
            cause = (trial.error or {}).get("message", "").partition("\n")[0]
            line = Text.assemble((trial.status, "red"), f"  {trial.name}")
            console.print(line + Text(f": {cause}" if cause else ""))
            if cause:
                console.print(Text(f"        log: {trial.folder.log.path}", style="dim"))
        console.print(
            f"{len(failed)} of {data.trials} trials are not done. When the cause is fixed, the same command with "
            "--retry-failed runs them again."
        )
    console.print(Text.assemble("\nNext: ", (f"arena report {run.path} --open", "bold")))


def _print_table(console: Console, data: ReportData, comparison: Comparison) -> None:
    """The leaderboard; the figure that decides comes first, with its interval, the other metrics last."""
    looks = styles(data.labels)
    others = [at for at, metric in enumerate(data.metrics) if metric["label"] != data.figure.label]
    headings = ["place", "seeds", data.figure.label, "95 % interval"]
    headings += [] if data.figure == ACCURACY else ["accuracy"]
    headings += ["training", *([f"to {data.target}"] if comparison.reached else [])]
    headings += [data.metrics[at]["label"] for at in others]
    reached = [[one.text] for one in comparison.reached] or [[] for _ in comparison.rows]
    rows: list[list[str | Text]] = [
        [Text(row.label, looks[row.label].colour), *_cells(row, data.figure), *last, *_metrics(row, others)]
        for row, last in zip(comparison.rows, reached, strict=True)
    ]
    for one in comparison.published:
        figures = (f"{one.percent}%" if heading == ACCURACY.label else "–" for heading in headings)
        rows.append([f"{one.label} (published)", *figures])
    print_table(console, [Column("model", wraps=True), *(Column(heading, right=True) for heading in headings)], rows)


def _cells(row: Row, figure: Figure) -> list[str]:
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
    return [place(row.place), seeds, *first, "–" if row.train_seconds is None else duration(row.train_seconds)]


def _metrics(row: Row, which: Sequence[int]) -> list[str]:
    return ["–" if row.metrics[at] is None else f"{row.metrics[at]:.4f}" for at in which]
