"""Training throughput of `cnn`: this engine, the stock loop, Lightning, skorch, a tight loop, the machine's roof."""

from __future__ import annotations

import os
import statistics
from functools import partial

from benchmarks import contenders
from benchmarks.places import places
from benchmarks.rows import Row, at_least, at_most, beside, take_turns

IMAGES = 6400


def run(rounds: int) -> list[Row]:
    """One trial with all cores against each contender with all cores; then two trials side by side, a core each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ours, theirs = (
        ("engine", "engine_bf16"),
        ("stock", "lightning", "lightning_bf16", "skorch", "skorch_ready", "tight"),
    )
    names = (*ours, *theirs)
    with places(len(names), cores) as homes:
        everyone = {
            name: (lambda place=place, name=name: place.call(getattr(contenders, name), IMAGES))
            for name, place in zip(names, homes, strict=True)
        }
        for contender in everyone.values():
            contender()  # the first time loads libraries
        turns = take_turns({**everyone, "roof": lambda: contenders.gemm_rate(cores) / 1e9}, rounds)
    with places(cores, 1) as homes:

        def side_by_side(name: str) -> float:
            for place in homes:
                place.ask(getattr(contenders, name), IMAGES)
            return sum(place.answer() for place in homes)

        together = {name: partial(side_by_side, name) for name in ours}
        for contender in together.values():
            contender()
        pairs = take_turns({**together, "roof": lambda: contenders.gemm_rate(cores) / 1e9}, rounds)
    flops = contenders.flops_per_trained_image() / 1e9
    one = [value * flops for value in turns.ratios("engine", "roof")]
    two = [value * flops for value in pairs.ratios("engine", "roof")]
    both, both_bf16 = ([a / b for a, b in zip(pairs.values[name], turns.values["stock"], strict=True)] for name in ours)
    rates = turns.told(names, "images/s")
    say = f"{cores} threads each: {rates}"
    return [
        at_least("`cnn` training, images/s, against the stock loop", turns.ratios("engine", "stock"), 2.2, say),
        at_least("… against Lightning", turns.ratios("engine", "lightning"), 2.2),
        at_least("… against skorch", turns.ratios("engine", "skorch"), 2.2),
        beside("… against skorch on ready arrays, which need no transforms", turns.ratios("engine", "skorch_ready")),
        at_least(
            f"… {cores} trials side by side against the stock loop with {cores} threads",
            both,
            2.2,
            f"{pairs.median('engine'):,.0f} images/s together",
        ),
        at_least('in bf16 (`precision = "auto"`) against the stock loop', turns.ratios("engine_bf16", "stock"), 3.8),
        at_least("… against Lightning in float32", turns.ratios("engine_bf16", "lightning"), 4),
        at_least("… against Lightning in bf16-mixed", turns.ratios("engine_bf16", "lightning_bf16"), 2),
        at_least(
            f"… {cores} trials side by side against the stock loop with {cores} threads",
            both_bf16,
            4.8,
            f"{pairs.median('engine_bf16'):,.0f} images/s together",
        ),
        at_most("time of an epoch over the hand-written tight loop", turns.ratios("tight", "engine"), 1.03, digits=3),
        _share("share of the machine's GEMM rate while training `cnn`, one trial", one, 0.40, turns.median("roof")),
        _share(f"… {cores} side by side", two, 0.55, pairs.median("roof")),
    ]


def _share(what: str, values: list[float], bound: float, roof: float) -> Row:
    middle = statistics.median(values)
    text = f"{middle:.2f} ({min(values):.2f} to {max(values):.2f}, {len(values)} rounds)"
    return Row(what, f"≥ {bound:.2f}", measured=text, met=middle >= bound, detail=f"roof {roof:,.0f} GFLOP/s")
