"""Is a network that trains in bf16 as accurate as in float32? `python -m benchmarks.precisions [NETWORK …]`.

Each network of bf16.toml (ten seeds a side, trained on 6,000 images of MNIST or fewer, tested on all test images) in a
run of its own. A run that was interrupted goes on. The table of all that have finished is PRECISION.md.

With one seed, the two sides have the same weights at the start and the same images in the same order, so their
accuracies belong together. What decides is the interval of their difference, seed by seed, over seeds and test images
together (mnistarena/stats/crossed.py). The run's own verdict, which takes the seeds of any two recipes as independent,
stands beside it.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import tomli

import mnistarena
from mnistarena.stats.crossed import Crossed

HERE = Path(__file__).parent
SPEC, TABLE = HERE / "bf16.toml", HERE / "PRECISION.md"
COLUMNS = ("network", "accuracy in bf16 − in float32", "95 % interval", "`auto` may be bf16", "the run's own verdict")


def networks() -> list[str]:
    """The labels of the spec's models."""
    return [table.get("label", table["name"]) for table in tomli.loads(SPEC.read_text())["model"]]


def finished(folder: Path) -> bool:
    """Whether all trials of a run have ended."""
    return (folder / "plan.json").is_file() and all(t.status == "done" for t in mnistarena.load_run(folder).trials)


def row(network: str, run: mnistarena.Run) -> str:
    """A line of the table: accepted where bf16 is at most the margin worse, with 97.5 % confidence."""
    right: dict[bool, dict[int, np.ndarray]] = {True: {}, False: {}}
    for trial in run.trials:
        found = trial.predictions()
        right["bf16" in trial.label][trial.seed] = found.predicted == found.labels
    differences = np.array([right[True][seed].astype(float) - of for seed, of in right[False].items()])
    interval = Crossed([differences], share=False).mean(0)
    assert interval is not None
    low, high = (100 * end for end in (interval.low, interval.high))
    cells = (f"`{network}`", f"{100 * differences.mean():+.2f} pp", f"{low:+.2f} to {high:+.2f} pp")
    accepted = "yes" if interval.low > -run.plan["margin"] else "no"
    return "| " + " | ".join((*cells, accepted, run.pairs().iloc[0]["verdict"])) + " |"


def main() -> None:
    """Run what is asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", choices=[[], *networks()], metavar="NETWORK")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bf16", help="where the run folders are")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trials side by side")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of arena run")
    given = parser.parse_args()
    options = mnistarena.Options(jobs=given.jobs, threads=1)
    for network in given.networks or networks():
        print(f"{network} …", flush=True)
        only = [f"{network}[[]*"]  # the labels of a grid are NETWORK[…]
        mnistarena.run(SPEC, out=given.runs / network, only=only, overrides=given.set, options=options)
    runs = {one: mnistarena.load_run(given.runs / one) for one in networks() if finished(given.runs / one)}
    if not runs:
        parser.exit(1, f"no run below {given.runs} has ended with all its trials done\n")
    lines = [row(network, run) for network, run in runs.items()]
    margin = next(iter(runs.values())).plan["margin"]
    about = (__doc__ or "").partition("\n\n")[2].strip()
    head = f"| {' | '.join(COLUMNS)} |\n|---|--:|--:|---|---|"
    accepted = f"Accepted: the interval's low end is above −{100 * margin:g} pp."
    TABLE.write_text("\n".join(["# bf16 against float32", "", about, "", accepted, "", head, *lines]) + "\n")
    print(f"{head}\n" + "\n".join(lines) + f"\nwritten to {TABLE}")


if __name__ == "__main__":
    main()
