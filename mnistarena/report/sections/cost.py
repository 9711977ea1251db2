"""Parameters, operations, latency and memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.plugin.messages import Latency
from mnistarena.report.format import scaled, seconds


@dataclass(frozen=True)
class Cost:
    """What a recipe costs, means over its finished seeds; `latency` maps a batch size to (p50, p95) in ms.

    With `uncounted`, names of costly operations, `flops` is a lower bound.
    """

    label: str
    parameters: float | None
    _: KW_ONLY
    trainable: float | None
    flops: float | None
    uncounted: tuple[str, ...]
    latency: dict[str, tuple[float | None, float | None]]
    memory: float | None
    gpu_memory: float | None
    images_per_second: float | None
    train_seconds: float | None
    wall_seconds: float | None


def cost(recipe: RecipeEvidence) -> Cost:
    """What a recipe costs."""
    latency: dict[str, list[Latency]] = defaultdict(list)
    for trial in recipe.done:
        for batch, figures in trial.measurements.get("latency_ms", {}).items():
            latency[batch].append(figures)
    return Cost(
        recipe.label,
        recipe.mean("parameters"),
        trainable=recipe.mean("trainable_parameters"),
        flops=recipe.mean("flops_per_image"),
        uncounted=tuple(
            dict.fromkeys(name for trial in recipe.done for name in trial.measurements.get("flops_uncounted", ()))
        ),
        latency={
            batch: (_mean([one.get("p50") for one in found]), _mean([one.get("p95") for one in found]))
            for batch, found in latency.items()
        },
        memory=recipe.mean("peak_memory_bytes"),
        gpu_memory=recipe.mean("peak_gpu_memory_bytes"),
        images_per_second=recipe.mean("images_per_second"),
        train_seconds=recipe.mean("train_seconds"),
        wall_seconds=recipe.mean("wall_seconds"),
    )


def _mean(figures: Sequence[float | None]) -> float | None:
    values = [value for value in figures if value is not None]
    return sum(values) / len(values) if values else None


def answer(costs: Sequence[Cost], mixed: Sequence[str]) -> str:
    """The smallest and the largest model, and the one with the shortest latency."""
    sizes = [(cost.parameters, cost.label) for cost in costs if cost.parameters]
    quick = [(ms, cost.label) for cost in costs if (ms := cost.latency.get("1", (None,))[0])]
    parts = []
    if sizes:
        (small, least), (large, most) = min(sizes), max(sizes)
        parts.append(f"{least} is the smallest ({scaled(small)} parameters)")
        if most != least:
            parts[-1] += f", {most} the largest ({scaled(large)})"
    if quick and not mixed:
        ms, label = min(quick)
        parts.append(f"{label} has the shortest latency for a single image ({seconds(ms / 1000)})")
    return "; ".join(parts) + "." if parts else "No cost was recorded."
