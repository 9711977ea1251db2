"""A run in a line, and in fifteen lines of Markdown at most, as for a pull request."""

from __future__ import annotations

from mnistarena.evidence.figure import ACCURACY
from mnistarena.report import format as text, wording
from mnistarena.report.comparison import Comparison
from mnistarena.report.format import sentence
from mnistarena.report.markdown import escape_markdown, table
from mnistarena.report.sections.published import WHAT
from mnistarena.report.sections.ranking import Row
from mnistarena.report.view import ReportData
from mnistarena.text import plural

LINES = 15
MOST_CAVEATS = 3
WORDS = {"reference": "reference", "equal": "practically equal"}


def verdict(data: ReportData) -> str:
    """The verdict of the whole run, and what has no result."""
    if data.across:
        said = data.across.headline
    else:
        several = len(data.comparisons) > 1
        said = " ".join(f"{c.label}: {c.headline}" if several else c.headline for c in data.comparisons)
    # Of one dataset the headline says what became of searches.
    missing = data.failure_answer if data.finished < data.trials or (data.across and data.lost) else ""
    return " ".join(filter(None, (said or "Nothing was planned.", missing)))


def in_a_line(data: ReportData) -> str:
    """The run's name and its verdict."""
    return f"{data.name}: {verdict(data)}".replace("\n", " ")


def in_markdown(data: ReportData) -> str:
    """Verdict, a table of the models, or of the datasets where there are several, and the first caveats."""
    lines = [f"**{escape_markdown(data.name)}:** {escape_markdown(verdict(data))}", ""]
    caveats = [*(sentence(f"Times are not ranked; different conditions: {one}") for one in data.mixed), *data.caveats]
    shown = caveats[: MOST_CAVEATS if len(caveats) <= MOST_CAVEATS else MOST_CAVEATS - 1]
    more = [f"{plural(len(caveats) - len(shown), 'further caveat')} in the report."] if caveats[len(shown) :] else []
    below = [f"- {escape_markdown(one)}" for one in [*shown, *more]]
    head, sides, rows = _datasets(data) if len(data.comparisons) > 1 else _models(data)
    room = LINES - len(lines) - 2 - len(below) - (1 if below else 0)
    if len(rows) > room:
        left = len(rows) - room + 1
        rows = [*rows[: room - 1], [f"{left} more", *[""] * (len(head) - 1)]]
    if rows:
        lines += table(head, rows, sides)
    return "\n".join([*lines, *([""] if below else []), *below]) + "\n"


def _models(data: ReportData) -> tuple[list[str], str, list[list[str]]]:
    """Of one dataset: a row a model."""
    (comparison,) = data.comparisons or (None,)
    rows = comparison.rows if comparison else ()
    against = f"Against {comparison.reference}" if comparison and comparison.reference else "Verdict"
    head = ["Model", "Place", data.figure.name.capitalize(), "95 % interval", against, "Training"]
    published = comparison.published if comparison and data.figure == ACCURACY else ()
    last = [[one.label, text.NONE, f"{one.percent}\u202f%", text.NONE, WHAT, text.NONE] for one in published]
    return head, "lrrclr", [_model(data, row) for row in rows] + last


def _model(data: ReportData, row: Row) -> list[str]:
    interval = text.NONE
    if row.decided:
        low, high = (wording.value(end, data.figure) for end in (row.decided.low, row.decided.high))
        interval = f"{low} to {high}" + (" (this model only)" if row.interval_of == "one trained model" else "")
    said = WORDS.get(row.verdict or "", row.verdict or text.NONE)
    if row.against and row.against.difference:
        said += f", {wording.difference(row.against.difference.estimate, data.figure)}"
    return [
        row.label,
        text.place(row.place),
        wording.value(row.decided.estimate, data.figure) if row.decided else text.NONE,
        interval,
        said,
        text.seconds(row.train_seconds),
    ]


def _datasets(data: ReportData) -> tuple[list[str], str, list[list[str]]]:
    """Of several datasets: a row a dataset, with the model of the best mean."""
    head = ["Dataset", "Best mean", data.figure.name.capitalize(), "95 % interval", "Models", "Verdict"]
    return head, "llrcrl", [_dataset(data, comparison) for comparison in data.comparisons]


def _dataset(data: ReportData, comparison: Comparison) -> list[str]:
    first = comparison.rows[0]
    label, _, mean, interval, *_ = _model(data, first)
    return [comparison.label, label, mean, interval, str(len(comparison.rows)), comparison.headline]
