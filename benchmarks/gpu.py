"""One GPU: an epoch by the stock loop, Lightning and this engine, and whether a recorded step is the ordinary one.

Loops that read pictures one by one train on fewer images: their rate does not depend on how many there are.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch

from benchmarks import contenders
from benchmarks.networks import NETWORKS
from benchmarks.places import places
from benchmarks.rows import Row, Turns, spread, take_turns
from mnistarena.engine.agreement import Snapshot
from mnistarena.engine.loss import loss_function
from mnistarena.engine.optimizer import make_optimizer
from mnistarena.engine.step import Step, autocast, make_step
from mnistarena.trial.run import choose_kernels

IMAGES, SLOW = 60_000, 12_800
TARGETS = {("cnn", "bf16", "stock"): 40.0}
REPEATS = 5
"""How often the same two steps are compared."""

SAYS = {
    "stock": "the stock loop",
    "lightning": "Lightning in float32",
    "lightning bf16": "Lightning in bf16-mixed",
    "bf16": "this engine in bf16",
    "bf16, no graph": "the same without a CUDA graph",
    "TF32": "this engine in float32, products in TF32",
    "TF32, no graph": "the same without a CUDA graph",
    "float32": "the same without TF32",
}
RATIOS = (
    ("bf16", "stock"),
    ("bf16", "lightning"),
    ("bf16", "lightning bf16"),
    ("TF32", "stock"),
    ("TF32", "lightning"),
    ("bf16", "TF32"),
    ("TF32", "float32"),
    ("bf16", "bf16, no graph"),
    ("TF32", "TF32, no graph"),
)
PROOFS = tuple((precision, fixed) for fixed in (True, False) for precision in ("float32", "bf16"))
"""Precisions, with deterministic kernels and with those of a trial."""

EQUAL = "equal bits, or as near as ordinary steps to themselves"


def run(rounds: int) -> list[Row]:
    """Unmeasured, row by row, where there is no GPU."""
    if not torch.cuda.is_available():
        return [row for name in NETWORKS for row in rows(name, Turns(), [], why="no GPU on this machine")]
    return [row for name in NETWORKS for row in measured(name, rounds)]


def measured(network: str, rounds: int) -> list[Row]:
    """The rows of a network, each loop in a process of its own."""
    asked = everyone(network, "cuda")
    loops = {function for function, _ in asked.values()}
    with places(len(loops), torch.get_num_threads()) as homes:
        home = dict(zip(loops, homes, strict=True))
        for function, arguments in asked.values():
            home[function].call(function, 640, *arguments[1:])
        turns = take_turns(
            {name: partial(home[function].call, function, *given) for name, (function, given) in asked.items()}, rounds
        )
    with places(2, torch.get_num_threads()) as (other, fixed):
        proofs = [
            (fixed if kind else other).call(proof, network, "cuda", precision, kind) for precision, kind in PROOFS
        ]
    return rows(network, turns, proofs, why="Lightning is not installed")


def everyone(
    network: str, device: str, images: int = IMAGES, slow: int = SLOW
) -> dict[str, tuple[Callable[..., float], tuple[Any, ...]]]:
    """The contenders: a function and its arguments, of which the first is the number of images."""
    ours, theirs = (images, device, network), (slow, device, network)
    found: dict[str, tuple[Callable[..., float], tuple[Any, ...]]] = {"stock": (contenders.stock, theirs)}
    if find_spec("lightning") is not None:
        found["lightning"] = (contenders.lightning, (*theirs, "32-true"))
        found["lightning bf16"] = (contenders.lightning, (*theirs, "bf16-mixed"))
    for name, precision in (("bf16", "bf16"), ("TF32", "float32")):
        found[name] = (contenders.engine, (*ours, precision))
        found[f"{name}, no graph"] = (contenders.engine, (*ours, precision, False))
    found["float32"] = (contenders.engine, (*ours, "float32", True, False))
    return found


def rows(network: str, turns: Turns, proofs: list[dict[str, Any]], *, why: str) -> list[Row]:
    """Ratios of the contenders that took turns, then the proofs; `why` the others are missing."""
    found = []
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    for number, (one, other) in enumerate(RATIOS):
        what, target = f"`{network}`: {SAYS[one]} against {SAYS[other]}", TARGETS.get((network, one, other))
        row = Row(what, f"≥ {target:g}×" if target else "", measured=f"unmeasured: {why}", met=None)
        if one in turns.values and other in turns.values:
            ratios = turns.ratios(one, other)
            row.measured, row.met = spread(ratios), statistics.median(ratios) >= target if target else None
            row.detail = f"{device}: {turns.told(list(turns.values), 'images/s')}" if number == 0 else ""
        found.append(row)
    for number, (precision, fixed) in enumerate(PROOFS):
        kernels = "deterministic kernels" if fixed else "the kernels of a trial"
        what = f"`{network}`: two replays of the CUDA graph against two ordinary steps, {precision}, {kernels}"
        row = Row(what, EQUAL, measured=f"unmeasured: {why}", met=None)
        if proofs:
            row.measured, row.met = told(proofs[number])
        found.append(row)
    return found


def proof(network: str, device: str, precision: str, fixed: bool) -> dict[str, Any]:
    """Two steps on two batches, replayed and ordinary, compared `REPEATS` times; and ordinary ones with themselves.

    `fixed`: with kernels that add in the same order each time, where torch has them.
    """
    where = torch.device(device)
    choose_kernels(where)
    if fixed:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(0)
    model, batches = NETWORKS[network].made(*contenders.mnist(640), where)
    recipe = NETWORKS[network].recipe(precision)
    optimizer = make_optimizer(model, recipe, where)
    recorded, *drawn = list(batches.epoch(64, 0, 0))[:3]
    step = make_step(
        model.train(),
        loss_function(model, recipe, batches.chain.task),
        recipe,
        optimizer,
        amp=autocast(recipe, where),
        device=where,
        example=lambda: recorded,
    )
    snapshot = Snapshot(model, optimizer, where)
    ordinary = partial(Step.__call__, step)
    return {
        "recorded": getattr(step, "graph", None) is not None,
        "replayed": [snapshot.compare(ordinary, step, drawn) for _ in range(REPEATS)],
        "ordinary": [snapshot.compare(ordinary, ordinary, drawn) for _ in range(REPEATS)],
    }


def told(found: dict[str, Any]) -> tuple[str, bool]:
    """What a proof found, and whether that is what was wanted."""
    if not found["recorded"]:
        return "not recorded: it is trained kernel by kernel", False
    replayed, itself = found["replayed"], found["ordinary"]
    most = max(replayed, key=lambda one: one.share)
    if not any(one.different for one in replayed):
        return f"equal bits: {most.numbers:,} numbers, {len(replayed)} times", True
    limit = max(one.share for one in itself)
    return (
        f"{most.different:,} of {most.numbers:,} numbers differ, by {most.largest:.1e} at most and {most.share:.1e} of "
        f"their change; ordinary steps from themselves by {limit:.1e} of it",
        statistics.median(one.share for one in replayed) <= limit,
    )
