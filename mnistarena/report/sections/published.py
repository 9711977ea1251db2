"""Published figures without predictions: what they are, and whether they can be a share of the test images at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction

from mnistarena.store.records import PlanRecord

WHAT = "published, without predictions"


@dataclass(frozen=True)
class Published:
    """An accuracy that was published: its `share` of the images from 0 to 1, and what is to be said of it.

    `percent` is the same in percent, with the digits that were published; `possible` says whether any whole number of
    the test images gives these.
    """

    label: str
    share: float
    _: KW_ONLY
    percent: str
    note: str
    possible: bool

    @property
    def caveat(self) -> str:
        """A sentence on it, without its full stop."""
        return f"{self.label}: {self.note}; there is no verdict on it"


def published(plan: PlanRecord, dataset: str) -> tuple[Published, ...]:
    """The published figures on a dataset, the highest first."""
    found = [
        _published(one["label"], one["text"], one["n_test"])
        for one in plan.get("published", ())
        if one["dataset"] == dataset
    ]
    return tuple(sorted(found, key=lambda one: -one.share))


def caveats(plan: PlanRecord) -> list[str]:
    """A sentence for each figure, on whichever dataset."""
    return [
        one.caveat
        for dataset in dict.fromkeys(entry["dataset"] for entry in plan.get("published", ()))
        for one in published(plan, dataset)
    ]


def counts(text: str, n: int) -> Sequence[int]:
    """The whole numbers of n images whose share, rounded, is the text: 0.9911, or "99.11 %"; empty where none is."""
    value, unit = _exact(text)
    low, high = (math.ceil((value - unit / 2) * n), math.floor((value + unit / 2) * n))
    return range(max(low, 0), min(high, n) + 1)


def _exact(text: str) -> tuple[Fraction, Fraction]:
    """A share, and the unit of its last digit."""
    number = text.rstrip("% ")
    percent = 100 if text.endswith("%") else 1
    return Fraction(number) / percent, Fraction(1, 10 ** len(number.partition(".")[2]) * percent)


def _published(label: str, text: str, n: int | None) -> Published:
    value, unit = _exact(text)
    digits = max(0, round(-math.log10(100 * unit)))
    found = counts(text, n) if n is not None else ()
    note = WHAT
    if n is None:
        pass
    elif not found:
        note = (
            f"{WHAT}; no whole number of the {n:,} test images gives {text}, so it is a mean over several models, or "
            "of other images"
        )
    elif len(found) == 1:
        note = f"{WHAT}; {found[0]:,} of {n:,} test images"
    else:
        note = f"{WHAT}; {found[0]:,} to {found[-1]:,} of {n:,} test images"
    share, percent = float(value), f"{float(100 * value):.{digits}f}"
    return Published(label, share, percent=percent, note=note, possible=n is None or bool(found))
