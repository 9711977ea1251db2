"""The report's figures as files that a reader can download from the page, and as flat rows."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.pairs import Pair
from mnistarena.report.comparison import Comparison
from mnistarena.report.view import ReportData
from mnistarena.store.records import MetricRecord
from mnistarena.store.rows import Row

MOST_PAIRS = 1000
"""How many pairs the page's file holds; if there are more, those with the reference. `arena export` has all."""


@dataclass(frozen=True)
class Download:
    """A file that stands in the page itself: `href` is a data URI."""

    name: str
    summary: str
    _: KW_ONLY
    href: str


def downloads(data: ReportData) -> tuple[Download, ...]:
    """A table of trials as CSV; trials, leaderboard and verdicts as JSON."""
    return (
        _download(
            "trials.csv",
            "text/csv",
            "a row a trial: status, metrics, measurements",
            as_csv(data.table).encode("utf-8", "replace"),
        ),
        _download("report.json", "application/json", "trials, leaderboards and the verdict on every pair", _json(data)),
    )


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV (RFC 4180, lines end in a line feed); what a row lacks stays empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _download(name: str, kind: str, summary: str, content: bytes) -> Download:
    encoded = base64.b64encode(content).decode("ascii")
    return Download(name, summary, href=f"data:{kind};charset=utf-8;base64,{encoded}")


def _json(data: ReportData) -> bytes:
    content = {
        "benchmark": data.name,
        "decide": data.figure.label,
        "margin": data.margin,
        "trials": list(data.table),
        "datasets": [_comparison(comparison, data.metrics, data.long_names) for comparison in data.comparisons],
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def _comparison(
    comparison: Comparison, metrics: Sequence[MetricRecord], labels: Mapping[str, str]
) -> Mapping[str, object]:
    pairs = comparison.pairs
    if len(pairs) > MOST_PAIRS:
        pairs = tuple(pair for pair in pairs if comparison.reference in (pair.a, pair.b))
    return {
        "dataset": comparison.label,
        "headline": comparison.headline,
        "leaderboard": [
            {
                "label": labels.get(row.label, row.label),
                "place": row.place,
                "seeds": row.finished,
                "accuracy": row.accuracy and row.accuracy.estimate,
                "low": row.accuracy and row.accuracy.low,
                "high": row.accuracy and row.accuracy.high,
                "figure": row.decided and row.decided.estimate,
                "figure_low": row.decided and row.decided.low,
                "figure_high": row.decided and row.decided.high,
                "interval_of": row.interval_of,
                "metrics": {
                    metric["label"]: {
                        "mean": value,
                        "low": interval and interval.low,
                        "high": interval and interval.high,
                    }
                    for metric, value, interval in zip(metrics, row.metrics, row.intervals, strict=True)
                },
            }
            for row in comparison.rows
        ],
        "family": comparison.family,
        "pairs_shown": "all" if len(pairs) == len(comparison.pairs) else f"with {comparison.reference}",
        "pairs": [
            {**pair_row(pair), "a": labels.get(pair.a, pair.a), "b": labels.get(pair.b, pair.b)} for pair in pairs
        ],
    }


def pair_rows(data: ReportData) -> list[Row]:
    """Every pair of every dataset as a flat row."""
    return [
        {"dataset": comparison.label, "figure": data.figure.label, **pair_row(pair)}
        for comparison in data.comparisons
        for pair in comparison.pairs
    ]


def pair_row(pair: Pair) -> Row:
    """A pair as one flat row."""
    judged = pair.difference
    return {
        "a": pair.a,
        "b": pair.b,
        "verdict": pair.verdict,
        "difference": judged.estimate if judged else pair.mcnemar and pair.mcnemar.difference,
        "low": judged and judged.low,
        "high": judged and judged.high,
        "p_adjusted": pair.p_adjusted,
        "p_equal": pair.p_equal,
        "superiority": pair.superiority,
        "of": "recipes" if judged else "trained models",
        "reason": pair.reason,
    }
