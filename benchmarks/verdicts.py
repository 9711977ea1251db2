"""Do the statistics hold? Coverage, false alarms and power, simulated and on a pool of trained seeds.

    python benchmarks/verdicts.py                     three tables, about three minutes
    python benchmarks/verdicts.py --store runs/pool   write pool.npz anew from a run of pool.toml

Simulated benchmarks: test image i is answered rightly by seed s of recipe m where
μ_m + h_i + g_mi + u_ms + e_msi > 0, all normal: h how hard the image is, g how hard for this recipe, u the seed,
e the seed on this image. The true accuracy is then Φ(μ/√V), V the sum of the variances, and the truth of a
difference is known exactly. "Stable" recipes have no u; "unstable" ones a u that moves accuracy by 0.5 pp (SD).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena import load_run
from mnistarena.stats import crossed, verdicts

POOL = Path(__file__).with_name("pool.npz")
N, SEEDS = 10_000, (3, 5, 10)
HARD, OWN, NOISE = 1.0, 0.35, 0.5
"""Standard deviations of h, g and e: about two thirds of the errors of two seeds are then on the same images."""
REGIMES = {"stable": (0.0, 0.0), "unstable": (0.005, 0.005), "one unstable": (0.0, 0.005)}
BOOTSTRAP = 400

Correct = crossed.Correct


def shift(accuracy: float, spread: float) -> tuple[float, float]:
    """μ and the seeds' standard deviation that give this accuracy, and about this spread of it over seeds."""
    rest = HARD**2 + OWN**2 + NOISE**2
    slope = math.exp(-(special.ndtri(accuracy) ** 2) / 2) / math.sqrt(2 * math.pi) / math.sqrt(rest)
    tau = spread / slope
    return float(special.ndtri(accuracy)) * math.sqrt(rest + tau**2), tau


def recipes(
    rng: np.random.Generator, k: int, accuracies: tuple[float, float], spreads: tuple[float, float]
) -> tuple[Correct, Correct]:
    """One simulated benchmark: two recipes, k seeds each, on the same N images."""
    hard = rng.normal(0, HARD, N).astype(np.float32)
    found = []
    for accuracy, spread in zip(accuracies, spreads, strict=True):
        mu, tau = shift(accuracy, spread)
        score = mu + hard + OWN * rng.standard_normal(N, np.float32) + NOISE * rng.standard_normal((k, N), np.float32)
        found.append(score + rng.normal(0, tau, (k, 1)) > 0)
    return found[0], found[1]


def bootstrap(a: Correct, b: Correct, weights: NDArray[np.float32], rng: np.random.Generator) -> tuple[float, float]:
    """The percentile bootstrap over images and seeds; `weights` (N, draws) are how often each image was drawn."""
    means = []
    for correct in (a, b):
        accuracies = correct.astype(np.float32) @ weights / N
        drawn = rng.integers(0, len(correct), accuracies.shape)
        means.append(np.take_along_axis(accuracies, drawn, axis=0).mean(axis=0))
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(low), float(high)


def coverage(repeats: int) -> Iterator[str]:
    """How often 95 % intervals hold the true difference."""
    yield "| recipes | seeds | crossed random effects | crossed bootstrap |\n| :-- | --: | --: | --: |"
    for regime, spreads in REGIMES.items():
        for k in SEEDS:
            rng = np.random.default_rng([1, k, len(regime)])
            weights = rng.multinomial(N, np.full(N, 1 / N), BOOTSTRAP).T.astype(np.float32)
            hits = np.zeros(2)
            for _ in range(repeats):
                a, b = recipes(rng, k, (0.992, 0.990), spreads)
                found = crossed.difference(a, b)
                assert found is not None
                low, high = bootstrap(a, b, weights, rng)
                hits += (found.low <= 0.002 <= found.high, low <= 0.002 <= high)
            yield f"| {regime} | {k} | {hits[0] / repeats:.1%} | {hits[1] / repeats:.1%} |"


def false_alarms(draws: int) -> Iterator[str]:
    """How often a real recipe is called better or worse than itself, both sides drawn from one pool."""
    yield "| recipe, trained seeds | seeds a side | called better or worse | equal | undecided | interval holds 0 |"
    yield "| :-- | --: | --: | --: | --: | --: |"
    for name, correct in read_pool().items():
        for k in SEEDS:
            rng = np.random.default_rng([2, k])
            said = dict.fromkeys(("better", "worse", "equal", "undecided"), 0)
            held = 0
            for _ in range(draws):
                drawn = rng.permutation(len(correct))[: 2 * k]
                found = crossed.difference(correct[drawn[:k]], correct[drawn[k:]])
                assert found is not None
                said[verdicts.verdicts([found])[0]] += 1
                held += found.low <= 0 <= found.high
            called = said["better"] + said["worse"]
            yield (
                f"| {name}, {len(correct)} | {k} | {called / draws:.1%} | {said['equal'] / draws:.1%} "
                f"| {said['undecided'] / draws:.1%} | {held / draws:.1%} |"
            )


def power(repeats: int) -> Iterator[str]:
    """How often a true difference is called, and how often none is called equal, around 99 % accuracy."""
    truths = (0.0, 0.001, 0.002, 0.005)
    yield "| recipes | seeds | " + " | ".join(f"{100 * t:.1f} pp" for t in truths[1:]) + " | none: equal |"
    yield "| :-- | --: |" + " --: |" * len(truths)
    for regime, spreads in REGIMES.items():
        for k in SEEDS:
            shares = {}
            for truth in truths:
                rng = np.random.default_rng([3, k, round(1e4 * truth), len(regime)])
                pairs = (recipes(rng, k, (0.99 + truth, 0.99), spreads) for _ in range(repeats))
                found = [crossed.difference(a, b) for a, b in pairs]
                said = [verdicts.verdicts([one])[0] for one in found if one is not None]
                shares[truth] = said.count("better" if truth else "equal") / repeats
            row = " | ".join(f"{shares[t]:.1%}" for t in (*truths[1:], 0.0))
            yield f"| {regime} | {k} | {row} |"


def speed() -> str:
    """All pairs of 10 recipes × 10 seeds × 10,000 images."""
    rng = np.random.default_rng(4)
    drawn = [half for _ in range(5) for half in recipes(rng, 10, (0.99, 0.99), (0.001, 0.001))]
    took = []
    for _ in range(5):
        start = time.perf_counter()
        benchmark = crossed.Crossed(drawn)
        pairs = [benchmark.difference(a, b) for a in range(10) for b in range(a)]
        verdicts.verdicts([pair for pair in pairs if pair])
        took.append(time.perf_counter() - start)
    return f"All 45 pairs of 10 recipes × 10 seeds × 10,000 images: {1000 * sorted(took)[2]:.0f} ms (median of 5)."


def read_pool() -> dict[str, Correct]:
    with np.load(POOL) as stored:
        return {name: np.unpackbits(stored[name], axis=1)[:, :N].astype(bool) for name in stored.files}


def write_pool(path: Path) -> None:
    """Right and wrong of every seed, a bit an image."""
    run = load_run(path)
    packed = {}
    for entry in run.plan["entries"]:
        found = [trial.predictions() for trial in run.of(entry["label"], entry["dataset"])]
        packed[entry["label"]] = np.packbits([p.predicted == p.labels for p in found], axis=1)
    np.savez_compressed(POOL, **packed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000, help="simulated benchmarks a row (default: 1000)")
    parser.add_argument("--store", type=Path, metavar="RUN", help="write pool.npz from this run, and stop")
    chosen = parser.parse_args()
    if chosen.store:
        return write_pool(chosen.store)
    print("## 95 % intervals hold the true difference\n")
    print(*coverage(chosen.repeats), sep="\n")
    print("\n## A real recipe against itself\n")
    print(*false_alarms(chosen.repeats), sep="\n")
    print("\n## A true difference is called\n")
    print(*power(chosen.repeats), sep="\n")
    return print(f"\n{speed()}")


if __name__ == "__main__":
    main()
