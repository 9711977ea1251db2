"""Do the statistics hold? Coverage, false verdicts and power, simulated and on a pool of trained seeds.

    python -m benchmarks.verdicts                     all parts, each into its place in VERDICTS.md
    python -m benchmarks.verdicts --only means pairs --replications 4000
    python -m benchmarks.verdicts --store runs/pool   write pool.npz anew from a run of pool.toml

The exit status is 1 where a counted cell falls short: a 95 % interval that holds the truth in less than 93 %, more than
6 % false verdicts, or more than 50 ms for all pairs of ten recipes. A cell beyond its limit is drawn anew, four times
as often, and that counts. Heavy recipes, whose accuracy one seed in five misses by far, are shown beside and do not
count.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks import coverage, families, figures, looks, regressions, splits, times, trap
from benchmarks.cells import LEAST, MOST, Cells
from benchmarks.simulate import POOL, Recipe, draw
from mnistarena import load_run
from mnistarena.stats.crossed import Crossed, differences
from mnistarena.stats.verdicts import judge

RESULTS = Path(__file__).with_name("VERDICTS.md")
SLOWEST = 50.0
"""Milliseconds for all pairs of 10 recipes, 10 seeds and 10,000 images, with their verdicts."""
TABLES = {
    "means": coverage.means,
    "pairs": coverage.pairs,
    "widths": coverage.widths,
    "false": coverage.false_verdicts,
    "families": families.families,
    "pool": families.pool,
    "power": families.power,
    "promises": families.promises,
    "figures": figures.figures,
    "groups": figures.groups,
    "splits": splits.small_samples,
    "regressions": regressions.regressions,
    "times": times.times,
    "looks": looks.until_decided,
    "families of looks": looks.families_until_decided,
    "trap": trap.trap,
}


def speed() -> float:
    """Milliseconds, the median of 9."""
    recipes = [Recipe(10, 0.99, 0.001)] * 10
    drawn = next(draw(np.random.default_rng(4), 1, 10_000, recipes))[0].recipes
    took = []
    for _ in range(9):
        start = time.perf_counter()
        crossed = Crossed(drawn)
        judge(differences((crossed, a, b) for a, b in combinations(range(10), 2)))
        took.append(1000 * (time.perf_counter() - start))
    return sorted(took)[4]


def write_pool(path: Path) -> None:
    """Right and wrong of every seed, a bit an image."""
    run = load_run(path)
    packed = {}
    for entry in run.plan["entries"]:
        found = [trial.predictions() for trial in run.of(entry["label"], entry["dataset"])]
        packed[entry["label"]] = np.packbits([p.predicted == p.labels for p in found], axis=1)
    np.savez_compressed(POOL, **packed)


INTRODUCTION = f"""# How well the statistics hold

Written by `python -m benchmarks.verdicts`; `--only NAME` replaces one part. Shares are of simulated benchmarks, ± their
Monte-Carlo error; `benchmarks/simulate.py` says of what. Counted cells fall short where an interval holds the truth in
less than {100 * LEAST:g} %, or where more than {100 * MOST:g} % of verdicts are false; they are measured with four
times as many benchmarks. Heavy recipes, whose accuracy one seed in five misses by far, are shown beside and do not
count. “Before” is the t test with Satterthwaite's degrees of freedom that was used until this procedure.
"""


def section(name: str, replications: int) -> tuple[str, list[str]]:
    """One part of VERDICTS.md, and the cells of it that fall short."""
    if name == "speed":
        took = speed()
        short = [f"{took:.0f} ms"] if took > SLOWEST else []
        lines = [f"All 45 pairs of 10 recipes × 10 seeds × 10,000 images: {took:.0f} ms, the median of 9."]
    else:
        cells = Cells(replications)
        title, *rest = (TABLES[name].__doc__ or name).strip().split("\n")
        lines = [f"{title}. {replications:,} simulated benchmarks a cell.", *map(str.strip, rest), ""]
        lines += TABLES[name](cells)
        short = cells.short
    lines += ["", f"Cells that fall short: {len(short)}", *(f"- {where}" for where in short)]
    return "\n".join([f"## {name}", "", *lines, ""]), short


def keep(name: str, text: str) -> None:
    """Put a part in its place in VERDICTS.md."""
    written = RESULTS.read_text() if RESULTS.exists() else ""
    parts = {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in written.split("\n## ")[1:]}
    parts[name] = text
    RESULTS.write_text("\n".join([INTRODUCTION, *(parts[one] for one in (*TABLES, "speed") if one in parts)]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000, help="simulated benchmarks a cell (default: 1000)")
    parser.add_argument("--only", nargs="+", choices=[*TABLES, "speed"], help="only these parts")
    parser.add_argument("--store", type=Path, metavar="RUN", help="write pool.npz from this run, and stop")
    chosen = parser.parse_args()
    if chosen.store:
        write_pool(chosen.store)
        return 0
    failed = False
    for name in chosen.only or (*TABLES, "speed"):
        text, short = section(name, chosen.replications)
        print(text, flush=True)
        keep(name, text)
        failed |= bool(short)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
