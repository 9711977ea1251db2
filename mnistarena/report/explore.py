"""What a reader of the page may move: the reference and the margin, with every verdict computed when the page is made.

A pair's difference and its interval do not depend on the reference, and all pairs of a dataset are one family whatever
it is. A verdict at another margin is what `judge` says of the same family at that margin. So the page's script chooses
among figures and computes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

from typing_extensions import Required, TypedDict

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.pairs import Pair, compared
from mnistarena.report import forest, format as text, wording
from mnistarena.report.charts.axes import Scale, difference_scale
from mnistarena.report.comparison import Comparison
from mnistarena.report.sections import ranking
from mnistarena.report.sections.pairs import answer
from mnistarena.report.view import ReportData
from mnistarena.stats.verdicts import Verdict, judge_at, possible_places

FACTORS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""The margins that a reader may choose, as multiples of the spec's."""
MOST_PAIRS = 780
"""Of more pairs of a dataset, those of 40 recipes, the page offers no other reference or margin, and says so."""
_CODES: Mapping[Verdict, str] = {"better": "b", "worse": "w", "equal": "e", "undecided": "u", "not compared": "n"}


class MarginPayload(TypedDict):
    """What a margin decides, as the page's script has it: a letter a verdict, and where the band around 0 ends."""

    text: str
    shade: list[int]
    answer: str
    verdicts: str
    places: list[str]
    cuts: list[int]


class PairPayload(TypedDict, total=False):
    """A pair: its rows, the difference with its interval, as text and on the axis; or that of two trained models."""

    of: Required[list[int]]
    said: list[str]
    at: list[int]
    models: list[str]


class ExplorationPayload(TypedDict):
    """What the page's script needs; rows are numbers, margins texts of theirs."""

    labels: list[str]
    able: list[int]
    reference: int
    matrix: list[int]
    zero: int
    ticks: list[tuple[int, str]]
    margins: dict[str, MarginPayload]
    fixed: str
    pairs: list[PairPayload]


@dataclass(frozen=True)
class AtMargin:
    """All that a margin decides: a verdict a pair, a place and a cut a row, and the sentence on the pairs."""

    margin: float
    verdicts: tuple[Verdict, ...]
    _: KW_ONLY
    answer: str
    places: tuple[tuple[int, int] | None, ...]
    cuts: tuple[bool, ...]


@dataclass(frozen=True)
class Exploration:
    """What may be moved on the leaderboard of one dataset.

    `able` are the labels that were compared with another, in the order of the rows: each may be the reference.
    `margins` hold the spec's, `fixed`, and no other where the number of seeds depended on it. `scale` has room for the
    differences of every pair, seen from either side.
    """

    comparison: Comparison
    figure: Figure
    _: KW_ONLY
    able: tuple[str, ...]
    fixed: float
    margins: tuple[AtMargin, ...]
    scale: Scale

    @property
    def payload(self) -> ExplorationPayload:
        """What the page's script needs, as plain data."""
        labels = [row.label for row in self.comparison.rows]
        return {
            "labels": labels,
            "able": [labels.index(label) for label in self.able],
            "reference": labels.index(self.comparison.reference) if self.comparison.reference in labels else -1,
            "matrix": [at for at, row in enumerate(self.comparison.rows) if row.finished],
            "zero": _thousandths(self.scale, 0.0),
            "ticks": [
                (round(100_000 * forest.inset(share)), label) for share, label in self.scale.spaced(forest.LEAST_GAP)
            ],
            "margins": {str(at): self._at(one) for at, one in enumerate(self.margins)},
            "fixed": str([one.margin for one in self.margins].index(self.fixed)),
            "pairs": [self._pair(pair, labels) for pair in self.comparison.pairs],
        }

    def _at(self, one: AtMargin) -> MarginPayload:
        reach = min(one.margin, self.scale.axis.domain[1])
        return {
            "text": wording.margin(one.margin, self.figure),
            "shade": [_thousandths(self.scale, -reach), _thousandths(self.scale, reach)],
            "answer": one.answer,
            "verdicts": "".join(_CODES[verdict] for verdict in one.verdicts),
            "places": [text.place(place) for place in one.places],
            "cuts": [int(cut) for cut in one.cuts],
        }

    def _pair(self, pair: Pair, labels: Sequence[str]) -> PairPayload:
        found: PairPayload = {"of": [labels.index(pair.a), labels.index(pair.b)]}
        if (known := pair.difference) is not None:
            every = (known.estimate, known.low, known.high)
            found["said"] = [wording.difference(value, self.figure) for value in every]
            found["at"] = [_thousandths(self.scale, value) for value in every]
        elif pair.mcnemar is not None and pair.p_adjusted is not None:
            found["models"] = [text.points(pair.mcnemar.difference), text.p_value(pair.p_adjusted)]
        return found


def explore(comparison: Comparison, figure: Figure, margin: float, *, looks: bool) -> Exploration | None:
    """What a reader may move; None where no pair was compared, or too many were.

    With `looks`, seeds were added until the margin's verdicts were decided, so only the reference may be moved.
    """
    able = compared(comparison.pairs)
    if not able or len(comparison.pairs) > MOST_PAIRS:
        return None
    known = [pair.difference for pair in comparison.pairs if pair.difference]
    reach = max(abs(end) for one in known for end in (one.estimate, one.low, one.high, margin))
    choices = [margin] if looks else list(_margins(margin, figure))
    return Exploration(
        comparison,
        figure,
        able=tuple(row.label for row in comparison.rows if row.label in able),
        fixed=margin,
        margins=tuple(_at_margins(comparison, figure, choices, given=looks)),
        # As long to either side, so that a pair seen from its other recipe is the mirrored drawing.
        scale=difference_scale([-reach, reach] if reach else [-1.0, 1.0], margin, figure),
    )


def _margins(margin: float, figure: Figure) -> Iterator[float]:
    """The margins to choose from: round multiples of the spec's, itself as it is."""
    for factor in FACTORS:
        found = margin if factor == 1 else float(f"{factor * margin:.12g}")
        if not (figure.share and found >= 1) and (margin or factor == 1):
            yield found


def _at_margins(comparison: Comparison, figure: Figure, margins: Sequence[float], *, given: bool) -> Iterator[AtMargin]:
    """The verdicts on all pairs at each margin and what follows; those of the report where they are `given`."""
    labels = {row.label: at for at, row in enumerate(comparison.rows)}
    known = [pair.difference for pair in comparison.pairs]
    every = [] if given else judge_at(known, margins, higher_is_better=figure.higher_is_better)
    for at, margin in enumerate(margins):
        pairs = list(comparison.pairs)
        if not given:
            pairs = [replace(pair, verdict=one.verdict) for pair, one in zip(pairs, every[at], strict=True)]
        places = possible_places(len(labels), {(labels[pair.a], labels[pair.b]): pair.verdict for pair in pairs})
        yield AtMargin(
            margin,
            tuple(pair.verdict for pair in pairs),
            answer=answer(pairs, comparison.family),
            places=tuple(places),
            cuts=tuple(row.cut for row in ranking.in_groups(comparison.rows, pairs)),
        )


def _thousandths(scale: Scale, value: float) -> int:
    """Where a value stands on the drawing, in thousandths of a percent of its width."""
    return round(100_000 * forest.inset(scale.share(value)))


@dataclass(frozen=True)
class Choices:
    """What the controls of the page offer, and what each dataset has for them: one an entry, None without any.

    `fixed` says what the spec fixed, `limits` what cannot be moved, and why. `margins` are texts, by their key in the
    payload of each dataset; `fixed_margin` is the spec's key.
    """

    datasets: tuple[Exploration | None, ...]
    fixed: str
    _: KW_ONLY
    references: tuple[str, ...]
    margins: Mapping[str, str]
    fixed_margin: str
    limits: tuple[str, ...]


def explore_all(data: ReportData) -> Choices:
    """The choices of a whole report."""
    looks = bool(data.plan.get("looks"))
    datasets = tuple(explore(one, data.figure, data.margin, looks=looks) for one in data.comparisons)
    some = [one for one in datasets if one]
    margin, baseline = wording.margin(data.margin, data.figure), data.plan.get("baseline")
    against = f"baseline {baseline}" if baseline else "no baseline, so the best model"
    limits = []
    if some and looks:
        limits.append("The margin decided how many seeds were trained, so it cannot be moved.")
    if many := [one.label for one in data.comparisons if len(one.pairs) > MOST_PAIRS]:
        limits.append(f"Too many pairs to move the reference or the margin: {text.names(many)}.")
    keys = some[0].payload["margins"] if some else {}
    return Choices(
        datasets,
        f"{against}, margin {margin}",
        references=tuple(dict.fromkeys(label for one in some for label in one.able)),
        margins={key: one["text"] for key, one in keys.items()},
        fixed_margin=some[0].payload["fixed"] if some else "",
        limits=tuple(limits),
    )
