"""PyTorch's own MNIST example, by `arena run` and by its original loop: the accuracy after two epochs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scipy.stats import ttest_ind

import mnistarena
from benchmarks.rows import Row

SEEDS, EPOCHS = 5, 2
LOOP = Path(__file__).with_name("example_loop.py")

SPEC = f"""
plugins = [{LOOP.as_posix()!r}]
[benchmark]
name = "PyTorch's MNIST example"
seeds = {list(range(SEEDS))}
metrics = ["accuracy"]
[[dataset]]
name = "mnist"
validation = 0
transforms = ["normalize"]
[training]
epochs = {EPOCHS}
batch_size = 64
optimizer = {{ name = "adadelta", lr = 1.0 }}
schedule = {{ name = "step", every = "1 epoch", gamma = 0.7 }}
[[model]]
name = "example"
"""


def run(rounds: int) -> list[Row]:
    """Five seeds of each, whatever `rounds` is: what is compared is no time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "example.toml").write_text(SPEC)
        found = mnistarena.run(folder / "example.toml", out=folder / "run")
        ours = [trial.metrics["accuracy"] for trial in found.trials]
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(original, range(SEEDS)))
    told = [f"{100 * statistics.mean(v):.2f} ± {100 * statistics.stdev(v):.2f} %" for v in (ours, theirs)]
    difference = ttest_ind(ours, theirs, equal_var=False)
    low, high = (100 * bound for bound in difference.confidence_interval(0.95))
    return [
        Row(
            f"test accuracy after {EPOCHS} epochs, {SEEDS} seeds: here, and in its original loop",
            "0 in the 95 % interval of the difference",
            f"{low:+.2f} to {high:+.2f} pp",
            low <= 0 <= high,
            f"here {told[0]}, there {told[1]} (mean ± standard deviation over seeds)",
        )
    ]


def original(seed: int) -> float:
    """The accuracy of a seed of the original loop, in a process and a thread of its own."""
    command = [sys.executable, "-m", "benchmarks.example_loop", str(seed), str(EPOCHS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    return float(done.stdout)
