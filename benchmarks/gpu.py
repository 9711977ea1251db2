"""One GPU: an epoch of `cnn` in this engine against the stock loop on the same GPU."""

from __future__ import annotations

import torch

from benchmarks import contenders
from benchmarks.rows import Row, at_least, take_turns

IMAGES = 60_000


def run(rounds: int) -> list[Row]:
    """Unmeasured where there is no GPU."""
    what, target = "on one GPU: `cnn` epoch against the stock loop on the same GPU", 40
    if not torch.cuda.is_available():
        return [Row(what, f"≥ {target}×", measured="unmeasured: no GPU on this machine", met=None)]
    contenders.engine(6400, "cuda", "auto"), contenders.stock(6400, "cuda")
    turns = take_turns(
        {
            "engine": lambda: contenders.engine(IMAGES, "cuda", "auto"),
            "float32": lambda: contenders.engine(IMAGES, "cuda", "float32"),
            "stock": lambda: contenders.stock(IMAGES, "cuda"),
        },
        rounds,
    )
    told = turns.told(("engine", "float32", "stock"), "images/s")
    return [at_least(what, turns.ratios("engine", "stock"), target, f"{torch.cuda.get_device_name()}: {told}")]
