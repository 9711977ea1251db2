"""The figure of merit that decides which recipe is better."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class Figure:
    """A figure on the leaderboard: its label, whether higher is better, and how it is shown.

    `share` says that it lies from 0 to 1 and is shown in %, its differences and margins in percentage points (pp);
    else it is a plain number, such as a log loss.
    """

    label: str
    _: KW_ONLY
    higher_is_better: bool
    share: bool


ACCURACY = Figure("accuracy", higher_is_better=True, share=True)
