"""Measured comparisons: `python -m benchmarks [NAME …] [--rounds 5]`.

Each prints its rows and puts them into benchmarks/RESULTS.md, in its own section; without names, all do.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import re
import time
from pathlib import Path

from benchmarks.rows import Row
from mnistarena import environment

NAMES = (
    "training",
    "seeds",
    "example",
    "vit",
    "record",
    "backbone",
    "overheads",
    "whole",
    "affinity",
    "cluster",
    "adapters",
    "large",
    "gpu",
    "bf16",
    "near_duplicates",
    "proposals",
    "tuning",
)
RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=5, help="how often the contenders take turns")
    given = parser.parse_args()
    sections = []
    for name in given.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        title = (module.__doc__ or name).strip().partition("\n")[0]
        print(f"{name}: {title}", flush=True)
        rows: list[Row] = module.run(given.rounds)
        for row in rows:
            print(f"  {verdict(row)}  {row.what}: {row.measured}, target {row.target}  {row.detail}", flush=True)
        sections.append((name, title, rows))
    if not given.names:
        RESULTS.write_text(table(sections, given.rounds))
    else:
        text = RESULTS.read_text()
        for one in sections:
            # A section ends where the next begins.
            text, found = re.subn(
                rf"## {one[0]}\n.*?(?=\n## |\Z)", lambda _, one=one: section(*one), text, flags=re.DOTALL
            )
            text += "" if found else f"\n{section(*one)}"
        RESULTS.write_text(text)
    print(f"written to {RESULTS}")


def verdict(row: Row) -> str:
    return {True: "met", False: "short", None: "–"}[row.met]


def table(sections: list[tuple[str, str, list[Row]]], rounds: int) -> str:
    """RESULTS.md."""
    lines = [
        "# Measured comparisons",
        "",
        "Written by `make bench` (`python -m benchmarks`); `python -m benchmarks NAME` repeats one part. Contenders",
        f"take turns, {rounds} rounds where not said otherwise; a figure is the median, with the least and the most;",
        "ratios are taken round by round.",
    ]
    return "\n".join(lines) + "\n\n" + "\n".join(section(*one) for one in sections)


def section(name: str, title: str, rows: list[Row]) -> str:
    """One comparison's part of RESULTS.md, with when and on what it was measured."""
    lines = [f"## {name}", "", title, "", measured_on(), ""]
    lines += ["| what | target | measured | | |", "|---|--:|--:|---|---|"]
    lines += [f"| {row.what} | {row.target} | {row.measured} | {verdict(row)} | {row.detail} |" for row in rows]
    return "\n".join(lines) + "\n"


def measured_on() -> str:
    """Today, the machine and the versions."""
    names = ("torch", "torchvision", "lightning", "skorch")
    packages = ", ".join(f"{name} {environment.version(name)}" for name in names)
    return (
        f"Measured on {time.strftime('%Y-%m-%d')}: {environment.processor()}, {environment.cores()} cores, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}."
    )


if __name__ == "__main__":
    main()
