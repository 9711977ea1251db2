"""The leaderboards as LaTeX: a table a dataset, for `\\input{report.tex}` in a document that loads booktabs.

All text is ASCII, and text of the run is escaped, so that it compiles with pdfLaTeX as well as with newer engines.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.report import format as text
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections.published import WHAT, Published
from mnistarena.report.sections.ranking import Row
from mnistarena.report.view import ReportData
from mnistarena.stats.intervals import Interval
from mnistarena.text import slug, visible

MARKS = {
    "better": ("$^{\\dagger}$", "better"),
    "worse": ("$^{\\ddagger}$", "worse"),
    "equal": ("$^{\\approx}$", "practically equal"),
    "undecided": ("$^{?}$", "not told apart"),
}
"""The mark of each verdict against the reference, and its words in the legend."""
ALONE = "$^{\\ast}$"
"""The mark of an interval that describes one trained model only."""

PUBLISHED = "$^{\\circ}$"
"""The mark of a figure from elsewhere, of which there are no predictions."""

_DASH = "\0"
"""Stands for a dash until hyphens that follow one another, which would become one, are kept apart."""
_SPECIAL = {
    "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%", "_": "\\_",
    "^": "\\textasciicircum{}", "~": "\\textasciitilde{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", '"': "{\\char34}", "`": "{\\char96}", "'": "{\\char39}",
    "[": "{[}", "*": "{*}",  # behind the end of a row these two would be its options
    "\u202f": "\\,", "\u00a0": "~", "−": "\\ensuremath{-}", "–": _DASH, "—": _DASH, "±": "\\ensuremath{\\pm}",
    "×": "\\ensuremath{\\times}", "≥": "\\ensuremath{\\geq}", "≤": "\\ensuremath{\\leq}", "µ": "\\ensuremath{\\mu}",
    "≈": "\\ensuremath{\\approx}", "→": "\\ensuremath{\\to}", "…": "\\ldots{}", "№": "No.", "ß": "\\ss{}",
    "ø": "\\o{}", "Ø": "\\O{}", "æ": "\\ae{}", "Æ": "\\AE{}", "œ": "\\oe{}", "Œ": "\\OE{}", "ł": "\\l{}", "Ł": "\\L{}",
    "ı": "\\i{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def escape_latex(value: str) -> str:
    """Text as literal text of LaTeX; a character that not every engine has is written as its number, (U+4E2D)."""
    escaped = "".join(map(_character, " ".join(visible(value).split("\n"))))
    return escaped.replace("--", "-{}-").replace(_DASH, "--")


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    if character == "\t":
        return " "
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"(U+{ord(character):04X})"


def as_latex(data: ReportData, run: str) -> str:
    """A table a dataset; `run` is what its folder is called."""
    head = [
        f"% {_comment(data.name)}, from the run folder {_comment(run)}",
        "% Needs: \\usepackage{booktabs}",
        f"% Decided by: {_comment(data.figure.name)}; differences within {_margin(data)} do not matter.",
    ]
    tables = ["\n".join(_table(data, comparison)) for comparison in data.comparisons]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


def _comment(value: str) -> str:
    """Text that no line of a comment ends within."""
    return " ".join(visible(value).split()).encode("ascii", "backslashreplace").decode()


def _margin(data: ReportData) -> str:
    return f"{text.margin(data.margin)} pp" if data.figure.share else f"{data.margin:g}"


def _table(data: ReportData, comparison: Comparison) -> Iterator[str]:
    figure = data.figure
    others = [] if figure == ACCURACY else [escape_latex(figure.name.capitalize() + (", %" if figure.share else ""))]
    head = ["Model", "Place", *others, "Accuracy, \\%", "Seeds", "Training"]
    yield f"% {_comment(comparison.label)}: images {_comment(comparison.dataset.get('fingerprint', '')[:12])}."
    yield f"% Verdicts: Holm's correction is {_comment(comparison.family)}."
    yield "\\begin{table}"
    yield "  \\centering"
    yield f"  \\caption{{{_caption(data, comparison)}}}"
    yield f"  \\label{{tab:{slug(comparison.label)}}}"
    yield f"  \\begin{{tabular}}{{lr{'l' * (len(others) + 1)}rr}}"
    yield "    \\toprule"
    yield f"    {' & '.join(head)} \\\\"
    yield "    \\midrule"
    for row in comparison.rows:
        yield f"    {' & '.join(_cells(row, figure))} \\\\"
    if comparison.published:
        yield "    \\midrule"
    for one in comparison.published:
        yield f"    {' & '.join(_published(one, len(head)))} \\\\"
    yield "    \\bottomrule"
    yield "  \\end{tabular}"
    if notes := list(_legend(comparison)):
        yield "  \\par\\smallskip"
        yield f"  {{\\footnotesize {' '.join(notes)}}}"
    yield "\\end{table}"


def _caption(data: ReportData, comparison: Comparison) -> str:
    what = "" if data.figure == ACCURACY else f"{data.figure.name} and "
    said = f"Test {what}accuracy on {comparison.label} ({comparison.n_test:,} test images), mean over seeds "
    return escape_latex(f"{said}with its 95 % interval; mean training time.")


def _cells(row: Row, figure: Figure) -> list[str]:
    """A row: the mark of its verdict stands at the model, that of one trained model at its interval."""
    alone = ALONE if row.interval_of == "one trained model" else ""
    mark = MARKS[row.verdict][0] if row.verdict in MARKS else ""
    decided = [] if figure == ACCURACY else [_estimate(row.decided, figure) + (alone if row.decided else "")]
    seeds = f"{row.finished}" if row.complete else f"{row.finished} of {row.seeds}"
    return [
        escape_latex(row.label) + mark,
        escape_latex(text.place(row.place)),
        *decided,
        _estimate(row.accuracy, ACCURACY) + (alone if row.accuracy else ""),
        seeds,
        escape_latex(text.seconds(row.train_seconds)),
    ]


def _published(one: Published, columns: int) -> list[str]:
    """A row of so many columns; the accuracy is the third from the end, as in the rows above."""
    none = escape_latex(text.NONE)
    return [escape_latex(one.label) + PUBLISHED, *[none] * (columns - 4), one.percent, none, none]


def _estimate(found: Interval | None, figure: Figure) -> str:
    if found is None:
        return escape_latex(text.NONE)
    mean, low, high = (text.figure(value, figure.share) for value in (found.estimate, found.low, found.high))
    return escape_latex(mean) + " " + "{[}" + escape_latex(low) + ", " + escape_latex(high) + "]"


def _legend(comparison: Comparison) -> Iterator[str]:
    """What the marks mean that stand in the table, and what rows without one are."""
    rows, reference = comparison.rows, comparison.reference
    kinds = {row.verdict for row in rows if row.label != reference}
    used = ", ".join(f"{mark} {words}" for kind, (mark, words) in MARKS.items() if kind in kinds)
    name = escape_latex(reference or "")
    if used:
        yield f"Against {name}: {used}."
    if kinds - set(MARKS):
        yield f"{'Without a mark: not' if used else 'Not'} compared with {name}." if name else "Nothing is compared."
    if any(row.interval_of == "one trained model" and row.accuracy for row in rows):
        yield f"{ALONE} of one trained model, which says nothing of the recipe's spread."
    if comparison.published:
        yield f"{PUBLISHED} {WHAT}."
    if not comparison.times_comparable:
        yield "Training times were measured under different conditions."
