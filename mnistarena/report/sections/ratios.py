"""Time and memory against the reference: ratios with their intervals and verdicts, and what they say in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence import timing
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.evidence.timing import CostRatio
from mnistarena.report.format import series
from mnistarena.stats.ratios import SAME, Ratio, RatioVerdict
from mnistarena.store.results import StoredRun, StoredTrial


@dataclass(frozen=True)
class _Figure:
    """A figure that is compared; the words stand after a recipe's label."""

    title: str
    of: Callable[[StoredTrial], float | None]
    _: KW_ONLY
    verb: str
    more: str
    less: str
    times: str


def _time(title: str, of: Callable[[StoredTrial], float | None]) -> _Figure:
    return _Figure(title, of, verb="takes", more="longer", less="less time", times="times as long")


def _memory(title: str, of: Callable[[StoredTrial], float | None]) -> _Figure:
    return _Figure(title, of, verb="needs", more="more", less="less", times="times as much")


TIME = (_time("Training time", timing.train_seconds),)
COST = (
    _time("Latency of one image", timing.latency),
    _memory("Memory", timing.memory),
    _memory("GPU memory", timing.gpu_memory),
)


@dataclass(frozen=True)
class RatioRow:
    """A recipe's figure over the reference's, and the verdict in words."""

    label: str
    ratio: Ratio | None
    verdict: RatioVerdict
    _: KW_ONLY
    text: str
    p: float | None


@dataclass(frozen=True)
class RatioTable:
    """One figure of every recipe against the reference; `answer` says it in a sentence."""

    title: str
    reference: str
    _: KW_ONLY
    rows: tuple[RatioRow, ...]
    answer: str


def tables(
    run: StoredRun,
    recipes: Sequence[RecipeEvidence],
    reference: str | None,
    *,
    mixed: Sequence[str],
    figures: Sequence[_Figure],
) -> tuple[RatioTable, ...]:
    """A table for each figure that the reference has; with a sentence only where the figures are not judged."""
    if reference is None or len(recipes) < 2:
        return ()
    if reason := timing.refusal(run, mixed):
        title = series(figure.title for figure in figures[:2])
        verb = "is" if len(figures) == 1 else "are"
        return (RatioTable(title, reference, rows=(), answer=f"{title} {verb} described, not judged: {reason}."),)
    found = ((figure, timing.against(recipes, reference, figure.of)) for figure in figures)
    return tuple(
        RatioTable(
            figure.title,
            reference,
            rows=tuple(
                RatioRow(one.label, one.ratio, one.verdict, text=_words(one, figure), p=one.p) for one in ratios
            ),
            answer=_answer(ratios, reference, figure),
        )
        for figure, ratios in found
        if ratios
    )


def _words(one: CostRatio, figure: _Figure) -> str:
    if one.ratio is None or one.verdict == "not compared":
        return f"not compared: {one.reason}"
    if one.verdict == "same":
        return f"practically the same (±{100 * SAME:g} %)"
    if one.verdict == "undecided":
        return "undecided"
    if one.verdict == "more" and one.ratio.low >= 2:
        return f"{figure.verb} {_span(one.ratio.low, one.ratio.high)} {figure.times}"
    low, high = (100 * abs(end - 1) for end in (one.ratio.low, one.ratio.high))
    return f"{figure.verb} {_span(*sorted((low, high)))} % {figure.more if one.verdict == 'more' else figure.less}"


def _span(low: float, high: float) -> str:
    """Two ends with as few digits as tell them apart."""
    digits = next((n for n in range(4) if f"{low:.{n}f}" != f"{high:.{n}f}" and float(f"{low:.{n}f}") > 0), 4)
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _answer(ratios: Sequence[CostRatio], reference: str, figure: _Figure) -> str:
    """Which recipes need more, less or the same, which are undecided, and which were not compared."""
    groups = (
        ("more", f"{figure.verb} {figure.more} than {reference}"),
        ("less", f"{figure.verb} {figure.less} than {reference}"),
        ("same", f"{figure.verb} practically the same as {reference} (±{100 * SAME:g} %)"),
        ("undecided", f"cannot be told from {reference} by so few rounds"),
        ("not compared", "not compared"),
    )
    parts = []
    for verdict, words in groups:
        labels = [one.label for one in ratios if one.verdict == verdict]
        if len(labels) > 1:  # "takes" of one recipe, "take" of several
            words = words.replace(figure.verb, figure.verb.removesuffix("s"), 1)
        if labels:
            parts.append(f"{series(labels)} {words}")
    return f"{figure.title}: {'; '.join(parts)}."
