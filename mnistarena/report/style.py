"""One look for every chart and table: a model's colour, dash and shape, and what dark mode makes of them."""

from __future__ import annotations

from dataclasses import dataclass

# Okabe & Ito's eight colours, safe for colour-blind readers; orange and yellow darkened to be seen on white.
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
    shape: str


def styles(labels: list[str]) -> dict[str, Style]:
    """A style a label, in the order of the plan, the same in every chart and table."""
    return {
        label: Style(
            PALETTE[i % len(PALETTE)],
            DASHES[i // len(PALETTE) % len(DASHES)],
            SHAPES[i // len(PALETTE) % len(SHAPES)],
        )
        for i, label in enumerate(labels)
    }
