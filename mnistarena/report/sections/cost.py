"""Parameters, operations, latency and memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.plugin.messages import Latency
from mnistarena.report.format import count, names, scaled, seconds


@dataclass(frozen=True)
class Cost:
    """What a recipe costs, means over its finished seeds; `latency` maps a batch size to (p50, p95) in ms.

    The mean of the latency is over the seeds that measured it; a p95 is None where one of these has none: 60 calls are
    needed. `search_seconds` is the training of its whole search. With `uncounted`, names of costly operations, `flops`
    is a lower bound.
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
    search_seconds: float | None


def cost(recipe: RecipeEvidence, search_seconds: float | None = None) -> Cost:
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
            batch: (_mean([one.get("p50") for one in found]), _mean([one.get("p95") for one in found], of_all=True))
            for batch, found in latency.items()
        },
        memory=recipe.mean("peak_memory_bytes"),
        gpu_memory=recipe.mean("peak_gpu_memory_bytes"),
        images_per_second=recipe.mean("images_per_second"),
        train_seconds=recipe.mean("train_seconds"),
        wall_seconds=recipe.mean("wall_seconds"),
        search_seconds=search_seconds,
    )


def _mean(figures: Sequence[float | None], *, of_all: bool = False) -> float | None:
    """The mean of those that are there; with `of_all`, only where each is."""
    values = [value for value in figures if value is not None]
    if of_all and len(values) < len(figures):
        return None
    return sum(values) / len(values) if values else None


def answer(costs: Sequence[Cost], mixed: Sequence[str]) -> str:
    """The smallest and the largest model, and the one with the shortest latency in this run."""
    sizes = [(cost.parameters, cost.label) for cost in costs if cost.parameters]
    quick = [(ms, cost.label) for cost in costs if (ms := cost.latency.get("1", (None,))[0])]
    parts = []
    if sizes:
        small, large = min(sizes)[0], max(sizes)[0]
        least, most = ([label for parameters, label in sizes if parameters == end] for end in (small, large))
        show = scaled if scaled(small) != scaled(large) else count
        if small == large:
            one = f"{sizes[0][1]} has" if len(sizes) == 1 else f"All {len(sizes)} networks have"
            parts.append(f"{one} {scaled(small)} parameters")
        else:
            verb = "has" if len(least) == 1 else "have"
            parts.append(f"{names(least)} {verb} the fewest parameters ({show(small)})")
            parts[-1] += f", {names(most)} the most ({show(large)})"
    if quick and not mixed and len(quick) > 1:
        ms, label = min(quick)
        parts.append(f"In this run {label} had the shortest latency for a single image ({seconds(ms / 1000)})")
    return ". ".join(parts) + "." if parts else "No cost was recorded."
