"""Whole commands: where the seconds of `arena run specs/quick.toml` and of its report go."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.overheads import ROOT, arena
from benchmarks.rows import Row, beside, seconds

SEEDS = 2
"""The first of them is the one that measures latency."""

START, FINISH = "the command's start: imports, spec, plugins, data, torch", "its end: leaderboard, exit"
STAGES = {
    "started": "a trial's start: process, plugins, model, first look",
    "training": "training and validation",
    "testing": "the test images predicted and stored",
    "measuring": "FLOPs; latency, in one trial of a recipe",
    "scoring": "metrics, record, end of the process",
}
BETWEEN = "between trials"


def run(rounds: int) -> list[Row]:
    """One trial at a time with one thread, so that the phases of all trials add up to the command's time."""
    with tempfile.TemporaryDirectory() as name:
        taken = [phases(Path(name) / str(number)) for number in range(rounds)]
    rows = []
    for phase in taken[0]:
        values = [one[phase] for one in taken]
        rows.append(beside(phase, values, unit=" s"))
    fixed = [sum(one.values()) - one[STAGES["training"]] - one[STAGES["testing"]] for one in taken]
    rows.append(beside("all but training and test", fixed, f"of {sum(taken[0].values()):.0f} s", unit=" s"))
    return rows


def phases(folder: Path) -> dict[str, float]:
    """Seconds of each phase, summed over the trials, by its name."""
    spec = ROOT / "specs" / "quick.toml"
    seeds = f"benchmark.seeds={list(range(SEEDS))}"
    command = ["run", spec, "--out", folder, "--set", seeds, "--jobs", "1", "--threads", "1", "--json"]
    began = datetime.now().timestamp()
    done = subprocess.run(
        [sys.executable, "-m", "mnistarena", *map(str, command)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    ended = datetime.now().timestamp()
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    first = next(event for event in events if event["event"] == "started")
    last = [event for event in events if event["event"] == "done"][-1]
    found = defaultdict(float, {START: _at(first) - began})
    kept = [event for event in events if event["event"] in ("started", "stage", "done")]
    for one, following in pairwise(kept):
        phase = STAGES.get(one.get("stage", one["event"]), BETWEEN)
        found[phase] += _at(following) - _at(one)
    found[FINISH] = ended - _at(last)
    found["`arena report`"] = seconds(lambda: arena("report", folder, "--html"))
    return dict(found)


def _at(event: dict[str, Any]) -> float:
    """When an event was, in seconds."""
    return datetime.fromisoformat(event["time"]).timestamp()
