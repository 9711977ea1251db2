"""What is not training: a trial's fixed cost, the commands that must answer at once, very many trials."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import Row, seconds, spread, take_turns

ROOT = Path(__file__).parent.parent
TRIALS = 10_000


def spec(seeds: int) -> str:
    """A tiny training: what is left is the fixed cost."""
    return f"""
[benchmark]
name = "overheads"
seeds = {list(range(seeds))}
metrics = ["accuracy"]
keep_models = false
[[dataset]]
name = "mnist"
transforms = ["normalize"]
[training]
steps = 10
[[model]]
name = "cnn"
"""


def command(*arguments: object) -> None:
    """The real command, its output thrown away."""
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def arena(*arguments: object) -> None:
    command("-m", "mnistarena", *arguments)


def run(rounds: int) -> list[Row]:
    """Whole processes throughout."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*fixed(folder, rounds), *answers(rounds), *many(folder, min(rounds, 3))]


def fixed(folder: Path, rounds: int) -> list[Row]:
    """A trial's cost beyond training, test pass and latency: the slope of the command's time over its seeds."""
    for seeds in (1, 6):
        (folder / f"{seeds}.toml").write_text(spec(seeds))
    number = iter(range(1000))

    def took(seeds: int) -> float:
        out = folder / f"run-{next(number)}"
        time = seconds(lambda: arena("run", folder / f"{seeds}.toml", "--out", out, "--jobs", 1, "--threads", 1))
        for path in out.glob("trials/*/trial.json"):
            measured = json.loads(path.read_text())["measurements"]
            stages = measured["stage_seconds"]
            useful.append(measured["train_seconds"] + stages["testing"])
            watching.append(stages["measuring"])
        shutil.rmtree(out)
        return time

    useful: list[float] = []
    watching: list[float] = []
    turns = take_turns({"6 trials": lambda: took(6), "1 trial": lambda: took(1)}, rounds)
    slopes = [(a - b) / 5 for a, b in zip(turns.values["6 trials"], turns.values["1 trial"], strict=True)]
    work, latency = statistics.median(useful), statistics.median(watching)
    beyond = [slope - work - latency for slope in slopes]
    return [
        Row(
            "a trial's fixed cost beyond its training (start, load, store), `cnn`",
            "≤ 0.5 s",
            measured=spread(beyond, 2, " s"),
            met=statistics.median(beyond) <= 0.5,
            detail=f"a further trial of ten steps takes {statistics.median(slopes):.2f} s, of which training and "
            f"test pass {work:.2f} s, FLOPs and latency {latency:.2f} s; the first one, with the command's start, "
            f"{turns.median('1 trial'):.1f} s",
        )
    ]


def answers(rounds: int) -> list[Row]:
    """Commands that a person waits for."""
    turns = take_turns(
        {
            "help": lambda: seconds(lambda: arena("--help")),
            "click": lambda: seconds(lambda: command("-c", "import click")),
            "validate": lambda: seconds(lambda: arena("validate", ROOT / "specs" / "full.toml")),
        },
        max(rounds, 5),
    )
    ratios, validate = turns.ratios("help", "click"), turns.values["validate"]
    return [
        Row(
            '`arena --help` against `python -c "import click"`',
            "≤ 2×",
            measured=spread(ratios),
            met=statistics.median(ratios) <= 2,
            detail=turns.told(("help", "click"), "s", 3),
        ),
        Row(
            "`arena validate specs/full.toml`",
            "≤ 1 s",
            measured=spread(validate, 2, " s"),
            met=statistics.median(validate) <= 1,
        ),
    ]


def many(folder: Path, rounds: int) -> list[Row]:
    """Planning 10,000 trials; resuming a run of as many finished ones (a real one, copied under every identity)."""
    large = folder / "many.toml"
    large.write_text(spec(TRIALS))
    planning = [seconds(lambda: arena("plan", large, "--no-estimate", "--json")) for _ in range(rounds)]
    out = folder / "many"
    arena("run", large, "--out", out, "--set", "benchmark.seeds=[0]", "--jobs", 1)
    multiply(large, out)
    resuming = [seconds(lambda: arena("run", large, "--out", out)) for _ in range(rounds)]
    return [
        Row(
            f"planning {TRIALS:,} trials",
            "≤ 2 s",
            measured=spread(planning, 2, " s"),
            met=statistics.median(planning) <= 2,
        ),
        Row(
            f"resuming a run of {TRIALS:,} finished trials",
            "≤ 5 s",
            measured=spread(resuming, 2, " s"),
            met=statistics.median(resuming) <= 5,
        ),
    ]


def multiply(large: Path, out: Path) -> None:
    """Give every trial of the plan the results of the one that was run, its files linked."""
    from mnistarena.plan.lookup import registry_for
    from mnistarena.plan.resolve import resolve
    from mnistarena.spec.load import load_spec
    from mnistarena.store.records import TrialRecord
    from mnistarena.store.run_folder import RunFolder
    from mnistarena.store.trial_folder import TrialFolder

    (source,) = out.glob("trials/*")
    loaded = load_spec(large)
    record: TrialRecord = json.loads((source / "trial.json").read_text())
    for trial in resolve(loaded, registry_for(loaded)).trials():
        if trial.id == record["id"]:
            continue
        folder = RunFolder(out).path / "trials" / f"cnn-mnist-s{trial.seed}-{trial.id}"
        folder.mkdir()
        for file in ("history.jsonl", "predictions.npz"):
            os.link(source / file, folder / file)
        changed: TrialRecord = {**record, "id": trial.id, "seed": trial.seed, "identity": trial.identity}
        TrialFolder(folder).write(changed)
