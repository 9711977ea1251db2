"""Is a network that trains in bf16 as accurate as in float32? `python -m benchmarks.precisions [NETWORK …]`.

Each network of bf16.toml (ten seeds a side, trained on 6,000 images of MNIST or fewer, tested on all test images)
in a run of its own, so that its two recipes are the one family that is judged. A run that was interrupted goes on. The
table of all that have finished is PRECISION.md.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import tomli

import mnistarena

HERE = Path(__file__).parent
SPEC, TABLE = HERE / "bf16.toml", HERE / "PRECISION.md"
ACCEPTED = ("better", "equal")
COLUMNS = ("network", "verdict on bf16", "accuracy in bf16 − in float32", "95 % interval", "`auto` may be bf16")


def networks() -> list[str]:
    """The labels of the spec's models."""
    return [table.get("label", table["name"]) for table in tomli.loads(SPEC.read_text())["model"]]


def pair(folder: Path) -> dict[str, Any]:
    """What a finished run says of its two recipes, seen from bf16."""
    found: dict[str, Any] = mnistarena.load_run(folder).pairs().iloc[0].to_dict()
    if "bf16" in found["a"]:
        return found
    if found["verdict"] == "not compared":
        return found
    turned = {"better": "worse", "worse": "better"}
    ends = {"difference": -found["difference"], "low": -found["high"], "high": -found["low"]}
    return {**found, **ends, "verdict": turned.get(found["verdict"], found["verdict"])}


def row(network: str, found: dict[str, Any], margin: float) -> str:
    """A line of the table: accepted where bf16 is better, equal, or at most the margin worse with 97.5 % confidence."""
    if found["verdict"] == "not compared":
        return f"| `{network}` | not compared: {found['reason']} | – | – | no |"
    accepted = found["verdict"] in ACCEPTED or (found["verdict"] != "worse" and found["low"] > -margin)
    points = [f"{100 * found[key]:+.2f}" for key in ("difference", "low", "high")]
    cells = (f"`{network}`", found["verdict"], f"{points[0]} pp", f"{points[1]} to {points[2]} pp")
    return "| " + " | ".join((*cells, "yes" if accepted else "no")) + " |"


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
    lines = []
    for network in networks():
        if (given.runs / network / "plan.json").is_file():
            margin = mnistarena.load_run(given.runs / network).plan["margin"]
            lines.append(row(network, pair(given.runs / network), margin))
    about = (__doc__ or "").partition("\n\n")[2].strip()
    head = f"| {' | '.join(COLUMNS)} |\n|---|---|--:|--:|---|"
    accepted = f"Accepted: better, practically equal (± {100 * margin:g} pp), or an interval above that."
    TABLE.write_text("\n".join(["# bf16 against float32", "", about, "", accepted, "", head, *lines]) + "\n")
    print(f"{head}\n" + "\n".join(lines) + f"\nwritten to {TABLE}")


if __name__ == "__main__":
    main()
