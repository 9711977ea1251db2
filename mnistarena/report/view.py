"""A run as plain figures and sentences: everything that a page, a Markdown file or a terminal shows.

No chart library and no template here. `build(run)` computes; the dataclasses say what there is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistarena.report import facts, words
from mnistarena.report.evidence import CurvePoint, Pair, Recipe, compare, gather
from mnistarena.report.style import Style, styles
from mnistarena.results import Run, TrialResult
from mnistarena.statistics import Interval

CURVES = ("validation_accuracy", "validation_loss", "train_loss")


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard. Times (s) and `metrics` are means over the finished seeds.

    `interval_of`: "seeds" and "images" speak of the recipe, "one trained model" of that model only.
    `verdict` is on this recipe against the reference; None for the reference itself.
    """

    label: str
    model: str
    style: Style
    seeds: int
    finished: int
    accuracy: Interval | None
    interval_of: str
    seed_accuracies: tuple[float, ...]
    metrics: tuple[float | None, ...]
    train_seconds: float | None
    wall_seconds: float | None
    parameters: float | None
    against: Pair | None
    verdict: str | None


@dataclass(frozen=True)
class TimePoint:
    """A recipe's place between training time (s: mean, least, most) and accuracy; `front`: Pareto-best."""

    label: str
    seconds: float
    fastest: float
    slowest: float
    accuracy: Interval
    front: bool


@dataclass(frozen=True)
class Matrix:
    """A recipe's confusions, summed over its finished seeds; `top`: (true, predicted, count), worst first."""

    label: str
    seeds: int
    counts: tuple[tuple[int, ...], ...]
    top: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Cost:
    """What a recipe costs, means over its finished seeds; `latency` maps a batch size to (p50, p95) in ms."""

    label: str
    parameters: float | None
    trainable: float | None
    flops: float | None
    latency: dict[str, tuple[float | None, float | None]]
    memory: float | None
    gpu_memory: float | None
    images_per_second: float | None


@dataclass(frozen=True)
class Failure:
    """A trial that has no result, and why."""

    label: str
    dataset: str
    seed: int
    status: str
    type: str
    message: str
    traceback: str


@dataclass(frozen=True)
class Comparison:
    """All recipes on one dataset. `answers` maps a section to the sentence it opens with."""

    dataset: dict[str, Any]
    n_test: int
    headline: str
    findings: tuple[words.Finding, ...]
    rows: tuple[Row, ...]
    reference: str | None
    family: str
    curves: dict[str, tuple[CurvePoint, ...]]
    times: tuple[TimePoint, ...]
    times_comparable: bool
    matrices: tuple[Matrix, ...]
    costs: tuple[Cost, ...]
    answers: dict[str, str]

    @property
    def label(self) -> str:
        """The dataset's label."""
        return str(self.dataset["label"])


@dataclass(frozen=True)
class View:
    """A whole report. `mixed` says which conditions differ between trials; empty where none does."""

    name: str
    plan: dict[str, Any]
    spec: str
    comparisons: tuple[Comparison, ...]
    caveats: tuple[str, ...]
    mixed: tuple[str, ...]
    contradictions: tuple[str, ...]
    failures: tuple[Failure, ...]
    failure_answer: str
    trials: int
    finished: int
    metrics: tuple[dict[str, Any], ...]
    conditions: tuple[tuple[str, str], ...]
    recipes: tuple[facts.RecipeText, ...]
    environment: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    styles: dict[str, Style]

    @property
    def latencies(self) -> tuple[str, ...]:
        """The batch sizes at which latency was measured, smallest first."""
        sizes = {size for comparison in self.comparisons for cost in comparison.costs for size in cost.latency}
        return tuple(sorted(sizes, key=lambda size: (len(size), size)))


def build(run: Run) -> View:
    """Compute the view of a run, finished or not; raises `StoreError` where a stored file is damaged."""
    plan = run.plan
    looks = styles(list(dict.fromkeys(entry["label"] for entry in plan["entries"])))
    metrics = tuple(m for m in plan.get("metrics", ()) if m.get("name", m["label"]) != "accuracy")
    mixed = facts.mixed_conditions(run)
    comparisons, contradictions = [], []
    for dataset in plan["datasets"]:
        recipes = gather(run, dataset)
        if recipes:
            comparisons.append(_comparison(dataset, recipes, plan, metrics, looks, mixed))
            contradictions += [text for recipe in recipes for text in recipe.contradictions]
    failures = tuple(_failure(trial) for trial in run.trials if not trial.done)
    return View(
        name=run.name,
        plan=plan,
        spec=run.spec,
        comparisons=tuple(comparisons),
        caveats=facts.caveats(run),
        mixed=mixed,
        contradictions=tuple(contradictions),
        failures=failures,
        failure_answer=words.failures(run.trials),
        trials=len(run.trials),
        finished=sum(trial.done for trial in run.trials),
        metrics=metrics,
        conditions=facts.conditions(plan.get("conditions", {})),
        recipes=tuple(facts.recipe(entry) for entry in plan["entries"]),
        environment=facts.environment(run.environment),
        styles=looks,
    )


def _comparison(
    dataset: dict[str, Any],
    recipes: list[Recipe],
    plan: dict[str, Any],
    metrics: tuple[dict[str, Any], ...],
    looks: dict[str, Style],
    mixed: tuple[str, ...],
) -> Comparison:
    ranked = sorted(recipes, key=lambda recipe: -recipe.accuracy if len(recipe.correct) else 1.0)
    pairs = compare(recipes, plan.get("baseline"))
    reference = words.reference(ranked, plan.get("baseline"))
    family = words.family(pairs, reference, plan.get("baseline"))
    curves = {name: _curve(recipes, name) for name in CURVES}
    times = _times(recipes)
    class_names = [str(name) for name in dataset["class_names"]]
    matrices = tuple(_matrix(recipe, class_names) for recipe in ranked if len(recipe.correct))
    costs = tuple(_cost(recipe) for recipe in ranked)
    n_test = max((recipe.index.size for recipe in recipes), default=0) or int(dataset["n_test"])
    return Comparison(
        dataset=dataset,
        n_test=n_test,
        headline=words.headline(ranked, pairs, plan.get("baseline")),
        findings=words.findings(ranked, pairs, reference),
        rows=tuple(_row(recipe, pairs, reference, metrics, looks) for recipe in ranked),
        reference=reference,
        family=family,
        curves=curves,
        times=times,
        times_comparable=not mixed,
        matrices=matrices,
        costs=costs,
        answers={
            "certainty": words.certainty(ranked, pairs, reference, family),
            "ranking": words.ranking(ranked),
            "learning": words.learning(curves),
            "time": words.time([(t.label, t.seconds) for t in times if t.front], len(times), mixed),
            "confusion": words.confusion(recipes, class_names),
            "cost": words.cost([(c.label, c.parameters, c.latency.get("1", (None,))[0]) for c in costs], mixed),
        },
    )


def _row(
    recipe: Recipe,
    pairs: list[Pair],
    reference: str | None,
    metrics: tuple[dict[str, Any], ...],
    looks: dict[str, Style],
) -> Row:
    against = next((p.seen_from(recipe.label) for p in pairs if {p.a, p.b} == {recipe.label, reference}), None)
    verdict = against.verdict if against else ("reference" if recipe.label == reference else None)
    return Row(
        label=recipe.label,
        model=str(recipe.entry.get("model", recipe.label)),
        style=looks[recipe.label],
        seeds=len(recipe.trials),
        finished=len(recipe.done),
        accuracy=recipe.interval,
        interval_of=recipe.interval_of,
        seed_accuracies=tuple(float(value) for value in recipe.correct.mean(axis=1)) if recipe.correct.size else (),
        metrics=tuple(recipe.metric(metric["label"]) for metric in metrics),
        train_seconds=recipe.mean("train_seconds"),
        wall_seconds=recipe.mean("wall_seconds"),
        parameters=recipe.mean("parameters"),
        against=against,
        verdict=verdict,
    )


def _curve(recipes: list[Recipe], name: str) -> tuple[CurvePoint, ...]:
    found = []
    for recipe in recipes:
        epochs: dict[float, list[float]] = defaultdict(list)
        for trial in recipe.done:
            for line in trial.history():
                value = line.get(name)
                if value is not None and np.isfinite(value):
                    epochs[line["epoch"]].append(float(value))
        for epoch, values in sorted(epochs.items()):
            mean = sum(values) / len(values)
            found.append(CurvePoint(recipe.label, epoch, mean, min(values), max(values)))
    return tuple(found)


def _times(recipes: list[Recipe]) -> tuple[TimePoint, ...]:
    timed = [(recipe, recipe.values("train_seconds")) for recipe in recipes if recipe.interval]
    timed = [(recipe, values) for recipe, values in timed if values and min(values) > 0]
    places = [(recipe.accuracy, sum(values) / len(values)) for recipe, values in timed]
    return tuple(
        TimePoint(
            recipe.label,
            seconds,
            min(values),
            max(values),
            recipe.interval,
            not any(a >= accuracy and s <= seconds and (a, s) != (accuracy, seconds) for a, s in places),
        )
        for (recipe, values), (accuracy, seconds) in zip(timed, places, strict=True)
        if recipe.interval
    )


def _matrix(recipe: Recipe, class_names: list[str]) -> Matrix:
    counts = recipe.confusion
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:5]
    cells = [(int(at) // len(counts), int(at) % len(counts)) for at in order]
    top = tuple((class_names[t], class_names[p], int(wrong[t, p])) for t, p in cells if wrong[t, p] > 0)
    return Matrix(recipe.label, len(recipe.correct), tuple(tuple(map(int, row)) for row in counts), top)


def _cost(recipe: Recipe) -> Cost:
    latency: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in recipe.done:
        for batch, figures in (trial.measurements.get("latency_ms") or {}).items():
            latency[batch].append(figures or {})

    def mean(figures: list[dict[str, Any]], key: str) -> float | None:
        values = [f[key] for f in figures if f.get(key) is not None]
        return sum(values) / len(values) if values else None

    return Cost(
        recipe.label,
        recipe.mean("parameters"),
        recipe.mean("trainable_parameters"),
        recipe.mean("flops_per_image"),
        {batch: (mean(figures, "p50"), mean(figures, "p95")) for batch, figures in latency.items()},
        recipe.mean("peak_memory_bytes"),
        recipe.mean("peak_gpu_memory_bytes"),
        recipe.mean("images_per_second"),
    )


def _failure(trial: TrialResult) -> Failure:
    error = trial.error or {}
    return Failure(
        trial.label,
        trial.dataset,
        trial.seed,
        trial.status,
        str(error.get("type") or ""),
        str(error.get("message") or ""),
        str(error.get("traceback") or "").strip(),
    )
