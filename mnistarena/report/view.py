"""A run as plain figures and sentences: everything that a page, a Markdown file or a terminal shows.

No chart library and no template here. `build(run)` computes; the dataclasses say what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mnistarena.report import answers, facts, parts, targets, words
from mnistarena.report.across import Across, across
from mnistarena.report.comparison import Comparison
from mnistarena.report.evidence import Recipe, compare, gather, places
from mnistarena.report.growth import Growth, growths
from mnistarena.report.images import gallery, label_errors
from mnistarena.report.parts import Failure
from mnistarena.report.robustness import robustness
from mnistarena.report.style import Style, styles
from mnistarena.results import Run
from mnistarena.statistics import MARGIN


@dataclass(frozen=True)
class View:
    """A whole report. `mixed` says which conditions differ between trials; empty where none does.

    `across` is None with fewer than two datasets; `growths` has those that are there in several sizes.
    """

    name: str
    margin: float
    plan: dict[str, Any]
    spec: str
    comparisons: tuple[Comparison, ...]
    across: Across | None
    growths: tuple[Growth, ...]
    caveats: tuple[str, ...]
    mixed: tuple[str, ...]
    contradictions: tuple[str, ...]
    failures: tuple[Failure, ...]
    failure_answer: str
    table: tuple[dict[str, Any], ...]
    trials: int
    finished: int
    metrics: tuple[dict[str, Any], ...]
    conditions: tuple[tuple[str, str], ...]
    recipes: tuple[facts.RecipeText, ...]
    environment: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    styles: dict[str, Style]

    @property
    def target(self) -> str | None:
        """The validation accuracy that the spec asks for, as text."""
        return targets.spelt(self.plan["target"]) if self.plan.get("target") else None

    @property
    def has_views(self) -> bool:
        """Whether anything predicted further views of its test images."""
        return any(comparison.robustness.recipes for comparison in self.comparisons)

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
            comparisons.append(_comparison(run, dataset, recipes, metrics, looks, mixed))
            contradictions += [text for recipe in recipes for text in recipe.contradictions]
    failures = tuple(parts.failure(trial) for trial in run.trials if not trial.done)
    return View(
        name=run.name,
        margin=float(plan.get("margin", MARGIN)),
        plan=plan,
        spec=run.spec,
        comparisons=tuple(comparisons),
        across=across(comparisons),
        growths=growths(comparisons, plan["entries"]),
        caveats=facts.caveats(run),
        mixed=mixed,
        contradictions=tuple(contradictions),
        failures=failures,
        failure_answer=answers.failures(run.trials),
        table=tuple(trial.row() for trial in run.trials),
        trials=len(run.trials),
        finished=sum(trial.done for trial in run.trials),
        metrics=metrics,
        conditions=facts.conditions(plan.get("conditions", {})),
        recipes=tuple(facts.recipe(entry) for entry in plan["entries"]),
        environment=facts.environment(run.environment),
        styles=looks,
    )


def _comparison(
    run: Run,
    dataset: dict[str, Any],
    recipes: list[Recipe],
    metrics: tuple[dict[str, Any], ...],
    looks: dict[str, Style],
    mixed: tuple[str, ...],
) -> Comparison:
    ranked = sorted(recipes, key=lambda recipe: -recipe.accuracy if len(recipe.correct) else 1.0)
    baseline, margin = run.plan.get("baseline"), float(run.plan.get("margin", MARGIN))
    reference = words.reference(ranked, baseline)
    every = compare(recipes, None, margin)
    # With a baseline the family is its pairs; all pairs are a larger family, judged more strictly.
    pairs = compare(recipes, baseline, margin) if baseline == reference and baseline else every
    family = words.family(pairs, reference, baseline)
    ranks = places(recipes, every)
    found = parts.curves(recipes)
    times = parts.times(recipes)
    class_names = [str(name) for name in dataset["class_names"]]
    matrices = tuple(parts.matrix(recipe, class_names) for recipe in ranked if len(recipe.correct))
    costs = tuple(parts.cost(recipe) for recipe in ranked)
    reliabilities = tuple(parts.reliability(recipe) for recipe in ranked if len(recipe.correct))
    target = run.plan.get("target")
    goals = tuple(targets.reached(recipe, target) for recipe in ranked) if target else ()
    split = run.test_split(dataset["label"]) if matrices else None
    tiles = gallery(ranked, split, dataset) if split else ()
    errors = label_errors(ranked, dataset)
    n_test = max((recipe.index.size for recipe in recipes), default=0) or int(dataset["n_test"])
    return Comparison(
        dataset=dataset,
        n_test=n_test,
        # The leader against the baseline's family where it is the baseline, else against all.
        headline=words.headline(ranked, pairs if ranked[0].label == reference else every),
        findings=words.findings(ranked, pairs, reference, margin),
        rows=tuple(parts.row(recipe, pairs, reference, metrics, looks, ranks) for recipe in ranked),
        reference=reference,
        family=family,
        pairs=tuple(every),
        pairs_family=words.family(every, None, None),
        curves=found,
        times=times,
        times_comparable=not mixed,
        matrices=matrices,
        tiles=tiles,
        label_errors=errors,
        reliabilities=reliabilities,
        costs=costs,
        reached=goals,
        robustness=robustness(ranked, run.plan.get("views", []), reference, margin),
        answers={
            "certainty": words.certainty(ranked, pairs, reference, family),
            "ranking": answers.ranking(ranked),
            "pairs": words.pairs(every, words.family(every, None, None)),
            "learning": answers.learning(found),
            "time": answers.time([(t.label, t.seconds) for t in times if t.front], len(times), mixed),
            "target": targets.answer(goals, target, mixed) if target else "",
            "confusion": answers.confusion(recipes, class_names),
            "gallery": answers.gallery(tiles, sum(len(recipe.correct) > 0 for recipe in recipes)),
            "label_errors": answers.label_errors(errors),
            "calibration": answers.calibration(reliabilities),
            "cost": answers.cost([(c.label, c.parameters, c.latency.get("1", (None,))[0]) for c in costs], mixed),
        },
    )
