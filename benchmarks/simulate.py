"""Simulated benchmarks of known truth, the stored pool of real ones, and the former procedure to compare with.

Test image i is answered rightly by seed s of recipe m where μ_m + h_i + g_mi + u_ms + e_msi > 0, all normal: h how hard
the image is, g how hard for this recipe, u the seed, e the seed on this image. The true accuracy is then Φ(μ/√V), V the
sum of the variances, and the truth of a difference is known exactly. A recipe that is "heavy" loses `loss` of its
accuracy in one seed of five.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena.stats.crossed import Correct, Crossed
from mnistarena.stats.intervals import Difference

HARD, OWN, NOISE = 1.0, 0.35, 0.5
"""Standard deviations of h, g and e: about two thirds of the errors of two seeds are then on the same images."""
REST = HARD**2 + OWN**2 + NOISE**2
SPREAD = {0.5: 0.03, 0.9: 0.01, 0.99: 0.003, 0.998: 0.001, 1.0: 0.0}
"""How much the accuracy of an unstable recipe varies between seeds, by its mean: a standard deviation."""
LOSS = {0.5: 0.15, 0.9: 0.05, 0.99: 0.015, 0.998: 0.003, 1.0: 0.0}
"""What one seed in five of a heavy recipe loses."""
GAP = {0.5: 0.02, 0.9: 0.01, 0.99: 0.002, 0.998: 0.0005, 1.0: 0.0}
"""A difference between two recipes."""
POOL = Path(__file__).with_name("pool.npz")
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Recipe:
    """So many seeds of a recipe, one if it is deterministic; `spread` of their accuracies, `loss` of a heavy one."""

    seeds: int
    accuracy: float
    spread: float = 0.0
    loss: float = 0.0

    @property
    def truth(self) -> float:
        """The mean accuracy over all seeds and images that there could be."""
        return self.accuracy - 0.2 * self.loss


def draw(
    rng: np.random.Generator, repeats: int, n: int, recipes: Sequence[Recipe]
) -> Iterator[tuple[Crossed, NDArray[np.float64]]]:
    """Simulated benchmarks, one after the other, with the true accuracy of each recipe's first trained model."""
    chunk = max(1, min(repeats, _CHUNK // n))
    deterministic = [recipe.seeds == 1 for recipe in recipes]
    for start in range(0, repeats, chunk):
        count = min(chunk, repeats - start)
        hard = HARD * rng.standard_normal((count, n), np.float32)
        drawn = [_answers(rng, recipe, hard) for recipe in recipes]
        for at in range(count):
            yield (
                Crossed([correct[at] for correct, _ in drawn], deterministic),
                np.array([models[at] for _, models in drawn]),
            )


def _answers(
    rng: np.random.Generator, recipe: Recipe, hard: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Right and wrong `(repeats, seeds, n)`, and the true accuracy of each first seed."""
    count, n = hard.shape
    middle, spread = _shift(recipe.accuracy, recipe.spread)
    seeds = middle + spread * rng.standard_normal((count, recipe.seeds))
    if recipe.loss:
        seeds += (rng.random(seeds.shape) < 0.2) * (_shift(recipe.accuracy - recipe.loss, recipe.spread)[0] - middle)
    own = hard + OWN * rng.standard_normal((count, n), np.float32)
    correct = np.empty((count, recipe.seeds, n), np.bool_)
    for s in range(recipe.seeds):
        noise = rng.standard_normal((count, n), np.float32)
        noise *= NOISE
        noise += own
        np.greater(noise, -seeds[:, s, None].astype(np.float32), out=correct[:, s])
    return correct, special.ndtr(seeds[:, 0] / math.sqrt(REST))


def _shift(accuracy: float, spread: float) -> tuple[float, float]:
    """μ and the seeds' standard deviation that give this accuracy, and about this spread of it over seeds."""
    if accuracy >= 1:
        return 50.0, 0.0
    middle = float(special.ndtri(accuracy))
    slope = math.exp(-(middle**2) / 2) / math.sqrt(2 * math.pi) / math.sqrt(REST)
    deviation = spread / slope
    return middle * math.sqrt(REST + deviation**2), deviation


def read_pool() -> dict[str, Correct]:
    """Right and wrong of every stored seed of two real recipes, `(48, 10,000)`."""
    with np.load(POOL) as stored:
        return {name: np.unpackbits(stored[name], axis=1)[:, :10_000].astype(bool) for name in stored.files}


def former(crossed: Crossed, a: int, b: int, pair: Difference) -> tuple[float, float]:
    """Standard error and Satterthwaite's degrees of freedom of a difference, as they were before."""
    n = crossed.n
    shares = crossed.recipes[a].mean(axis=0) - crossed.recipes[b].mean(axis=0)
    images = float(shares.var(ddof=1)) / n
    total, weight = images, images**2 / (n - 1)
    for part in pair.components:
        if part.square > part.interaction:
            total += part.between
            weight += (part.square / part.seeds) ** 2 / part.df
    return math.sqrt(total), max(total**2 / weight, 1.0) if weight else 1.0


def former_p(crossed: Crossed, a: int, b: int, pair: Difference) -> float:
    """The one-sided p of no difference as it was before: by Student's t."""
    error, df = former(crossed, a, b, pair)
    if error == 0.0:
        return 0.5 if pair.estimate == 0.0 else 0.0
    return float(special.stdtr(df, -abs(pair.estimate) / error))


def former_width(crossed: Crossed, a: int, b: int, pair: Difference) -> float:
    """The width of the 95 % interval as it was before."""
    error, df = former(crossed, a, b, pair)
    return 2 * error * float(special.stdtrit(df, 0.975))
