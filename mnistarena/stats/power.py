"""What would decide it: how many seeds, or test images, an undecided pair would need.

Pure functions: numpy and scipy, no files.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from scipy import special

from mnistarena.stats.crossed import ALPHA, Difference
from mnistarena.stats.verdicts import MARGIN

POWER = 0.8
"""How likely a benchmark of the size that `need` names decides, if the truth is what was estimated."""
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Need:
    """What would decide an undecided pair, if the truth is what was estimated.

    `goal`: to show a difference, or practical equality. `seeds` of each recipe on these test images; None where
    no number is enough, and then `images` is about how many test images would be (None: no number either).
    """

    goal: Literal["difference", "equality"]
    seeds: int | None
    _: KW_ONLY
    images: int | None = None


def need(pair: Difference, *, family: int = 1, margin: float = MARGIN, alpha: float = ALPHA) -> Need:
    """How many seeds of each recipe, or test images, would decide a pair with probability `POWER`.

    Of the images' part, Σ_m MSI_m/(n k_m) shrinks with more seeds; what then remains does not. A difference
    is tested at α/2 over the size of the Holm family, its strictest step.
    """
    apart = abs(pair.estimate) > margin
    goal: Literal["difference", "equality"] = "difference" if apart else "equality"
    distance = abs(pair.estimate) if apart else margin - abs(pair.estimate)
    level = alpha / 2 / max(family, 1) if apart else alpha
    # For equality both sides must be shown, so each may fail half as often.
    chance = POWER if apart else (1 + POWER) / 2
    per_seed = [max(part.square, part.interaction) if part.seeds > 1 else 0.0 for part in pair.components]
    lasting = max(0.0, pair.image_variance - sum(part.interaction / part.seeds for part in pair.components))
    counts = np.arange(2, MOST_SEEDS + 1, dtype=np.float64)
    variance = lasting + sum(per_seed) / counts
    weight = lasting**2 / max(pair.images - 1, 1) + sum(v**2 for v in per_seed) / counts**2 / (counts - 1)
    df = np.maximum(variance**2 / np.maximum(weight, 1e-300), 1.0)
    reach = (special.stdtrit(df, 1 - level) + special.stdtrit(df, chance)) * np.sqrt(variance)
    enough = counts[reach <= distance]
    if enough.size:
        present = max((part.seeds for part in pair.components if part.seeds > 1), default=1)
        return Need(goal, max(int(enough[0]), present + 1))
    z = float(special.ndtri(1 - level) + special.ndtri(chance))
    images = lasting * pair.images * z**2 / distance**2 if distance > 0 else math.inf
    return Need(goal, None, images=math.ceil(images) if images > pair.images and math.isfinite(images) else None)
