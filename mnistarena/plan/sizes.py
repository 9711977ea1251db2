"""What the sizes of a plan's datasets let be known, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from mnistarena.plan.recipe import LoadedDataset
from mnistarena.stats.intervals import exact
from mnistarena.text import plural

FEW = 500
"""So few test images leave an accuracy uncertain by several percentage points."""
_FOLDS = 5


def small_tests(datasets: Iterable[LoadedDataset]) -> list[str]:
    """A sentence for each dataset whose test images are few, and which more of its images could be tested on."""
    return [_sentence(data) for data in datasets if not data.table.several and len(data.first.split.test) < FEW]


def _sentence(data: LoadedDataset) -> str:
    n, whole = len(data.first.split.test), len(data.dataset.train_labels) + len(data.dataset.test_labels)
    said = f"{data.label}: {plural(n, 'test image')}; an accuracy of 90 % is known to ± {_half(n):.1f} pp"
    if data.table.test_limit is not None:
        every = len(data.dataset.test_labels)
        return f'{said}, on all {every:,}, without "test_limit", to ± {_half(every):.1f} pp'
    return f"{said}; folds = {_FOLDS} would test all {whole:,} images, in {_FOLDS} trials in place of one"


def _half(n: int) -> float:
    """Half of the exact interval of one model that is right on 90 % of n images, in percentage points."""
    found = exact(round(0.9 * n), n)
    return 50 * (found.high - found.low)
