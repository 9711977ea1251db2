"""The report's figures as files: what a reader takes along from the page."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnistarena.report.comparison import Comparison
    from mnistarena.report.evidence import Pair
    from mnistarena.report.view import View


MOST_PAIRS = 1000
"""Beyond so many, the page's file holds the pairs with the reference; `arena export --what pairs` has all."""


@dataclass(frozen=True)
class Download:
    """A file that stands in the page itself: `href` is a data URI."""

    name: str
    summary: str
    href: str


def downloads(view: View) -> tuple[Download, ...]:
    """A table of trials as CSV; trials, leaderboard and verdicts as JSON."""
    return (
        _download(
            "trials.csv",
            "text/csv",
            "a row a trial: status, metrics, measurements",
            as_csv(list(view.table)).encode("utf-8", "replace"),
        ),
        _download("report.json", "application/json", "trials, leaderboards and the verdict on every pair", _json(view)),
    )


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Rows as CSV (RFC 4180, lines end in a line feed); what a row lacks stays empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _download(name: str, kind: str, summary: str, content: bytes) -> Download:
    encoded = base64.b64encode(content).decode("ascii")
    return Download(name, summary, f"data:{kind};charset=utf-8;base64,{encoded}")


def _json(view: View) -> bytes:
    content = {
        "benchmark": view.name,
        "margin": view.margin,
        "trials": list(view.table),
        "datasets": [_comparison(comparison) for comparison in view.comparisons],
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def _comparison(comparison: Comparison) -> dict[str, Any]:
    pairs = comparison.pairs
    if len(pairs) > MOST_PAIRS:
        pairs = tuple(pair for pair in pairs if comparison.reference in (pair.a, pair.b))
    return {
        "dataset": comparison.label,
        "headline": comparison.headline,
        "leaderboard": [
            {
                "label": row.label,
                "place": row.place,
                "seeds": row.finished,
                "accuracy": row.accuracy and row.accuracy.estimate,
                "low": row.accuracy and row.accuracy.low,
                "high": row.accuracy and row.accuracy.high,
                "interval_of": row.interval_of,
            }
            for row in comparison.rows
        ],
        "family": comparison.pairs_family,
        "pairs_shown": "all" if len(pairs) == len(comparison.pairs) else f"with {comparison.reference}",
        "pairs": [pair_row(pair) for pair in pairs],
    }


def pair_row(pair: Pair) -> dict[str, Any]:
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
        "superiority": pair.superiority,
        "of": "recipes" if judged else "trained models",
        "reason": pair.reason,
    }
