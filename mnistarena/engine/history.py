"""When a training's history gets a row."""

from __future__ import annotations

import math

from mnistarena.spec.schema import Training


def row_ends(recipe: Training, per_epoch: int, total: int) -> set[int]:
    """The steps after which the history gets a row: each epoch; a tenth of a training counted in steps."""
    ends = set(range(per_epoch, total + 1, per_epoch)) | {total}
    if recipe.steps is not None:
        ends |= {math.ceil(total * part / 10) for part in range(1, 11)}
    return ends
