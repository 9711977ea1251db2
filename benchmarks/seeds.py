"""Five seeds of `cnn` by one command, against the stock loop run five times: all of it, from start to exit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.rows import Row, at_least, seconds, take_turns

IMAGES, SEEDS = 20_000, 5

SPEC = f"""
[benchmark]
name = "five seeds"
seeds = {list(range(SEEDS))}
metrics = ["accuracy"]
[[dataset]]
name = "mnist"
train_limit = {IMAGES}
transforms = ["normalize"]
[training]
epochs = 1
[[model]]
name = "cnn"
"""


def run(rounds: int) -> list[Row]:
    """Both train on the same number of images and predict the test split once."""
    root = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as name:
        spec = Path(name) / "seeds.toml"
        spec.write_text(SPEC)
        number = iter(range(1000))

        def command(*arguments: object) -> None:
            subprocess.run(
                [sys.executable, "-m", *map(str, arguments)],
                check=True,
                cwd=root,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(root)},
            )

        def arena(*changes: str) -> float:
            out = Path(name) / str(next(number))
            return seconds(lambda: command("mnistarena", "run", spec, "--out", out, *changes))

        def stock() -> float:
            return seconds(
                lambda: [command("benchmarks.stock", "--seed", seed, "--images", IMAGES) for seed in range(SEEDS)]
            )

        auto = partial(arena, "--set", "training.precision=auto")
        turns = take_turns({"arena run": arena, "in bf16": auto, "stock": stock}, rounds)
    return [
        at_least(
            f"{SEEDS} seeds of `cnn`, whole command, against the stock loop run {SEEDS} times",
            turns.ratios("stock", "arena run"),
            3.5,
            f"an epoch of {IMAGES:,} images a seed: {turns.told(('arena run', 'in bf16', 'stock'), 's', 1)}",
        ),
        at_least('… with `precision = "auto"`', turns.ratios("stock", "in bf16"), 4.2),
    ]
