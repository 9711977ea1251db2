"""Searches made by hand, for `synthetic.build_run`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SPACE: list[dict[str, Any]] = [
    {"name": "training.optimizer.lr", "low": 1e-4, "high": 0.1, "log": True},
    {"name": "params.width", "low": 8, "high": 64, "integer": True},
    {"name": "training.optimizer.name", "values": ["adam", "sgd"]},
    {"name": "training.optimizer.momentum", "low": 0.0, "high": 0.99, "when": {"training.optimizer.name": ["sgd"]}},
]


def tried(
    count: int,
    *,
    seed: int = 0,
    best: float = 0.99,
    optimum: float = 0.01,
    failed: int = 0,
    pruned: int = 0,
    cause: str = "RuntimeError: mat1 and mat2 shapes cannot be multiplied\nat line 3",
    loss: bool = False,
) -> list[dict[str, Any]]:
    """Trials at random points, the best ones near a learning rate; the first ones failed, the next were pruned."""
    rng = np.random.default_rng([seed, count])
    found = []
    for at in range(count):
        lr = float(math.exp(rng.uniform(math.log(1e-4), math.log(0.1))))
        point = {"training.optimizer.lr": lr, "params.width": int(rng.integers(8, 65))}
        point["training.optimizer.name"] = ["adam", "sgd"][int(rng.integers(2))]
        if point["training.optimizer.name"] == "sgd":
            point["training.optimizer.momentum"] = float(rng.uniform(0, 0.99))
        accuracy = best - (1 - best) * (math.log10(lr / optimum) ** 2 * 3 + float(rng.exponential(0.3)))
        one: dict[str, Any] = {"id": f"{seed:04x}{at:04x}", "point": point, "status": "done", "value": accuracy}
        one |= {"validation_accuracy": accuracy, "validation_loss": 0.01 + 3 * (1 - accuracy)}
        one |= {"steps": 860, "seconds": 12.0 + float(rng.uniform(-1, 1))}
        if loss:
            one["value"] = one["validation_loss"]
        if at < failed:
            one |= {"status": "failed", "value": None, "error": cause, "validation_accuracy": None}
            one |= {"validation_loss": None, "seconds": 1.0}
        elif at < failed + pruned:
            one |= {"status": "pruned", "value": None, "epoch": 2, "seconds": 3.0}
            one |= {"validation_accuracy": accuracy - 0.02}
        found.append(one)
    return found


def repeat(trials: list[dict[str, Any]], *, higher: bool = True, ended: bool = True) -> dict[str, Any]:
    """A search of these trials, which chose the best one if it has ended."""
    known = [(one["value"], at) for at, one in enumerate(trials) if one["status"] == "done"]
    best = (max if higher else min)(known)[1] if known and ended else None
    return {"trials": trials, "chosen": best, "ended": ended}


def search(*repeats: dict[str, Any], planned: int | None = None, **changes: Any) -> dict[str, Any]:
    """A search of the plan with what it tried and chose."""
    plan = {
        "by": "validation_accuracy",
        "higher_is_better": True,
        "budget": {"trials": 20},
        "searcher": {"name": "random", "params": {}},
        "pruner": None,
        "space": SPACE,
        "own": False,
        "at_once": 1,
        "repeats": planned or max(1, len(repeats)),
        **changes,
    }
    chosen = [
        {"repeat": at, "number": one["chosen"], "point": one["trials"][one["chosen"]]["point"]}
        for at, one in enumerate(repeats)
        if one["chosen"] is not None
    ]
    return {"plan": plan, "repeats": list(repeats), "chosen": chosen}
