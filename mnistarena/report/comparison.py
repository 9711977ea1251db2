"""What a report shows of one dataset."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property

from mnistarena.evidence.pairs import Pair
from mnistarena.report.sections.calibration import Reliability
from mnistarena.report.sections.confusion import Contrast, Matrix
from mnistarena.report.sections.cost import Cost
from mnistarena.report.sections.data import Data
from mnistarena.report.sections.duel import Duel
from mnistarena.report.sections.factors import Factors
from mnistarena.report.sections.gallery import LabelErrors, Tile
from mnistarena.report.sections.learning import Curve, CurvePoint
from mnistarena.report.sections.published import Published
from mnistarena.report.sections.ranking import Row
from mnistarena.report.sections.ratios import RatioTable
from mnistarena.report.sections.robustness import Robustness
from mnistarena.report.sections.search import Search
from mnistarena.report.sections.targets import Reached
from mnistarena.report.sections.time import TimePoint
from mnistarena.report.sections.verdict import VerdictLine
from mnistarena.store.records import DatasetRecord


@dataclass(frozen=True)
class Comparison:
    """All recipes on one dataset. `answers` maps a section to the sentence it begins with.

    `reached` is in the order of the rows; empty where the spec has no target. `robustness` is empty without views.
    `duel` is None with fewer than two models on the same test images, `search` where no parameters were searched for.
    `data` is None of a run that did not look at its images. `missing` says which metrics and views are missing, why.
    `pairs` are all pairs, those that could be compared one Holm family, which `family` names; `rows` show those with
    the `reference`. `published` are figures from elsewhere, which nothing is compared with.
    """

    dataset: DatasetRecord
    n_test: int
    _: KW_ONLY
    headline: str
    findings: tuple[VerdictLine, ...]
    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    reference: str | None
    family: str
    pairs: tuple[Pair, ...]
    curves: dict[Curve, tuple[CurvePoint, ...]]
    times: tuple[TimePoint, ...]
    times_comparable: bool
    time_ratios: tuple[RatioTable, ...]
    cost_ratios: tuple[RatioTable, ...]
    matrices: tuple[Matrix, ...]
    tiles: tuple[Tile, ...]
    label_errors: tuple[LabelErrors, ...]
    reliabilities: tuple[Reliability, ...]
    costs: tuple[Cost, ...]
    reached: tuple[Reached, ...]
    robustness: Robustness
    data: Data | None
    duel: Duel | None
    factors: tuple[Factors, ...]
    search: Search | None
    answers: dict[str, str]
    published: tuple[Published, ...] = ()

    @property
    def label(self) -> str:
        """The dataset's label."""
        return self.dataset["label"]

    @cached_property
    def contestants(self) -> tuple[Matrix, ...]:
        """The confusions of the models of the duel, in its order: all on the same test images."""
        known = {matrix.label: matrix for matrix in self.matrices}
        return tuple(known[label] for label in self.duel.models) if self.duel else ()

    @property
    def contrast(self) -> Contrast | None:
        """The confusions of the best against those of the second, where there are two."""
        return Contrast(*self.contestants[:2]) if self.contestants else None

    def pair(self, a: str, b: str) -> Pair | None:
        """Recipe a against recipe b, among all pairs."""
        return self._by_names.get((a, b))

    @cached_property
    def _by_names(self) -> dict[tuple[str, str], Pair]:
        return {(one.a, one.b): one for pair in self.pairs for one in (pair, pair.seen_from(pair.b))}
