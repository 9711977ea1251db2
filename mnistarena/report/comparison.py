"""What a report knows of one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mnistarena.report.evidence import CurvePoint, Pair
from mnistarena.report.images import LabelErrors, Tile
from mnistarena.report.parts import Cost, Matrix, Reliability, Row, TimePoint
from mnistarena.report.robustness import Robustness
from mnistarena.report.targets import Reached
from mnistarena.report.words import Finding


@dataclass(frozen=True)
class Comparison:
    """All recipes on one dataset. `answers` maps a section to the sentence it opens with.

    `reached` is in the order of the rows; empty where the spec has no target. `robustness` is empty without views.
    `rows` are judged against the reference within `family`; `pairs` are all pairs, a Holm family of their own.
    """

    dataset: dict[str, Any]
    n_test: int
    headline: str
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    reference: str | None
    family: str
    pairs: tuple[Pair, ...]
    pairs_family: str
    curves: dict[str, tuple[CurvePoint, ...]]
    times: tuple[TimePoint, ...]
    times_comparable: bool
    matrices: tuple[Matrix, ...]
    tiles: tuple[Tile, ...]
    label_errors: tuple[LabelErrors, ...]
    reliabilities: tuple[Reliability, ...]
    costs: tuple[Cost, ...]
    reached: tuple[Reached, ...]
    robustness: Robustness
    answers: dict[str, str]

    @property
    def label(self) -> str:
        """The dataset's label."""
        return str(self.dataset["label"])

    def pair(self, a: str, b: str) -> Pair | None:
        """Recipe a against recipe b, among all pairs."""
        return self._by_names.get((a, b))

    @cached_property
    def _by_names(self) -> dict[tuple[str, str], Pair]:
        return {(one.a, one.b): one for pair in self.pairs for one in (pair, pair.seen_from(pair.b))}
