"""How a model looks in every chart and table: its colour, dash and shape, and the colours of dark mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

# Okabe & Ito's eight colours, which colour-blind readers can tell apart; orange and yellow are darker, for white paper.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#c77fa9", "#dd9300", "#56b4e9", "#1f1f1f", "#b3a300")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (4, 4))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")

INK, MUTED, RULE, GRID, PAPER = "#24292f", "#667080", "#c8ced6", "#eaedf0", "#fffffe"
ACCENT = "#3d5a98"

DARK = {
    "#0072b2": "#4aa3df",
    "#d55e00": "#f0803c",
    "#009e73": "#2fc49a",
    "#c77fa9": "#dd9cc4",
    "#dd9300": "#efb040",
    "#56b4e9": "#9ad6fa",
    "#1f1f1f": "#e8e8e8",
    "#b3a300": "#f0e442",
    INK: "#e6e9ee",
    MUTED: "#9aa4b2",
    RULE: "#444c58",
    GRID: "#272c35",
    PAPER: "#14171c",
    ACCENT: "#8fb0f0",
}
"""Every colour that a chart draws, as it is on a dark page; CSS swaps them, charts are drawn once."""


@dataclass(frozen=True)
class Style:
    """How one model looks everywhere; beyond eight models colours repeat with another dash and shape."""

    colour: str
    dash: tuple[int, ...]
    _: KW_ONLY
    shape: str


Styles = Mapping[str, Style]
"""The style of each label."""


def styles(labels: Sequence[str]) -> Styles:
    """A style for each label; given those of the plan in its order, a model looks the same everywhere."""
    return {
        label: Style(
            PALETTE[i % len(PALETTE)],
            DASHES[i // len(PALETTE) % len(DASHES)],
            shape=SHAPES[i // len(PALETTE) % len(SHAPES)],
        )
        for i, label in enumerate(labels)
    }
