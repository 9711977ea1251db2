"""Everything that a report shows, as plain figures and sentences.

`build(run)` computes it from a run folder. No chart library and no template is needed for that; how a model is drawn
is decided in charts/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from mnistarena.evidence.figure import ACCURACY, Figure, deciding, is_accuracy, margin_of
from mnistarena.evidence.looks import Followed, follow
from mnistarena.evidence.pairs import places
from mnistarena.evidence.recipe import RecipeEvidence, gather
from mnistarena.report import names
from mnistarena.report.comparison import Comparison
from mnistarena.report.format import sentence
from mnistarena.report.headline import headline
from mnistarena.report.judged import Judged, judge
from mnistarena.report.sections import (
    across,
    calibration,
    claim,
    confusion,
    cost,
    data,
    duel,
    factors,
    failures,
    gallery,
    groups,
    growth,
    learning,
    looks,
    pairs,
    published,
    ranking,
    ratios,
    record,
    robustness,
    search,
    targets,
    time,
    verdict,
)
from mnistarena.report.sections.across import Across
from mnistarena.report.sections.failures import Failure
from mnistarena.report.sections.growth import Growth
from mnistarena.store.findings import missing_figures
from mnistarena.store.records import DatasetRecord, MetricRecord, PlanRecord
from mnistarena.store.results import StoredRun
from mnistarena.store.rows import Row
from mnistarena.store.run_folder import RunFolder


@dataclass(frozen=True)
class ReportData:
    """A whole report. `figure` decides which recipe is better, with its `margin`.

    `mixed` says which conditions differ between trials, `lost` which searches chose no recipe; empty where none.

    `across` is None with fewer than two datasets; `growths` are the datasets that the plan has in several sizes.
    `long_names` are the labels of recipes that have short names. `table` is a row a trial; `metrics` are those of the
    plan beside the accuracy.
    """

    name: str
    margin: float
    _: KW_ONLY
    figure: Figure
    plan: PlanRecord
    spec: str
    comparisons: tuple[Comparison, ...]
    across: Across | None
    growths: tuple[Growth, ...]
    caveats: tuple[str, ...]
    mixed: tuple[str, ...]
    contradictions: tuple[str, ...]
    failures: tuple[Failure, ...]
    lost: tuple[str, ...]
    failure_answer: str
    table: tuple[Row, ...]
    trials: int
    finished: int
    metrics: tuple[MetricRecord, ...]
    conditions: record.Facts
    recipes: tuple[record.RecipeText, ...]
    shared_training: tuple[str, ...]
    long_names: Mapping[str, str]
    environment: tuple[tuple[str, record.Facts], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the plan's recipes, in its order, each once."""
        return tuple(dict.fromkeys(entry["label"] for entry in self.plan["entries"]))

    @property
    def target(self) -> str | None:
        """The validation accuracy that the spec asks for, as text."""
        target = self.plan.get("target")
        return targets.spelt(target) if target else None

    @property
    def has_views(self) -> bool:
        """Whether any recipe predicted further views of its test images."""
        return any(comparison.robustness.recipes for comparison in self.comparisons)

    @property
    def has_duel(self) -> bool:
        """Whether any two models predicted the same test images."""
        return any(comparison.duel for comparison in self.comparisons)

    @property
    def has_factors(self) -> bool:
        """Whether any model was run on a grid."""
        return any(comparison.factors for comparison in self.comparisons)

    @property
    def has_search(self) -> bool:
        """Whether the parameters of any model were searched for."""
        return any(comparison.search for comparison in self.comparisons)

    @property
    def incomplete(self) -> bool:
        """Whether anything that was planned has no result."""
        return self.finished < self.trials or bool(self.lost)

    @property
    def has_data(self) -> bool:
        """Whether the run looked at its images before it trained on them."""
        return any(comparison.data for comparison in self.comparisons)

    @property
    def latencies(self) -> tuple[str, ...]:
        """The batch sizes at which latency was measured, smallest first."""
        sizes = {size for comparison in self.comparisons for one in comparison.costs for size in one.latency}
        return tuple(sorted(sizes, key=lambda size: (len(size), size)))


def build(run: StoredRun, *, short: bool = False) -> ReportData:
    """Compute the report of a run, finished or not; raises `StoreError` where a stored file is damaged.

    With `short`, the recipes of a grid have short names in place of their labels.
    """
    run, long_names = names.shortened(run) if short else (run, {})
    plan = run.plan
    metrics = tuple(m for m in plan.get("metrics", ()) if not is_accuracy(m))
    mixed = record.mixed_conditions(run)
    comparisons: list[Comparison] = []
    contradictions: list[str] = []
    few: list[str] = []
    for dataset in plan["datasets"]:
        recipes = gather(run, dataset)
        if recipes:
            followed = follow(run, dataset)
            comparison = _comparison(run, dataset, recipes, followed, metrics, mixed)
            grids = factors.factors(recipes, long_names, comparison.pairs)
            said = {**comparison.answers, "factors": factors.answer(grids, deciding(plan))}
            comparisons.append(replace(comparison, factors=grids, answers=said))
            contradictions += [text for recipe in recipes for text in recipe.contradictions]
            found = comparisons[-1].data
            few += [*(found.caveats if found else ()), *filter(None, [groups.caveat(dataset["label"], recipes)])]
            contradictions += looks.contradictions(run, dataset, followed)
    shared, lost = (
        record.shared_training(plan["entries"]),
        search.all_lost({one.label: one.search for one in comparisons}),
    )
    return ReportData(
        name=run.name,
        margin=_margin(run),
        figure=deciding(plan),
        plan=plan,
        spec=run.spec,
        comparisons=tuple(comparisons),
        across=across.rank_recipes(comparisons, deciding(plan), _margin(run)),
        # It speaks of accuracy, verdicts included.
        growths=growth.growths(comparisons, plan["entries"]) if deciding(plan) == ACCURACY else (),
        caveats=tuple(map(sentence, (*few, *record.caveats(run)))),
        mixed=mixed,
        contradictions=tuple(contradictions),
        failures=tuple(failures.failure(trial) for trial in run.trials if trial.unfinished),
        failure_answer=failures.answer([trial for trial in run.trials if trial.needed], lost),
        lost=lost,
        table=tuple({**trial.row(), "label": long_names.get(trial.label, trial.label)} for trial in run.trials),
        trials=sum(trial.needed for trial in run.trials),
        finished=sum(trial.done for trial in run.trials),
        metrics=metrics,
        conditions=record.conditions(plan.get("conditions", {})),
        recipes=tuple(record.recipe(entry, shared) for entry in plan["entries"]),
        shared_training=shared,
        long_names=long_names,
        environment=record.environment(run.environment),
    )


def _margin(run: StoredRun) -> float:
    return margin_of(run.plan, deciding(run.plan))


def _comparison(
    run: StoredRun,
    dataset: DatasetRecord,
    recipes: list[RecipeEvidence],
    followed: Followed | None,
    metrics: tuple[MetricRecord, ...],
    mixed: tuple[str, ...],
) -> Comparison:
    """All recipes on one dataset; `recipes` are in the order of the plan."""
    margin, target, baseline = _margin(run), run.plan.get("target"), run.plan.get("baseline")
    figure = deciding(run.plan)
    judged = judge(recipes, baseline, margin, followed=followed)
    ranked, reference = judged.ranked, judged.reference
    ready = [recipe for recipe in ranked if len(recipe.correct)]
    audit = RunFolder(run.path).audit(dataset["label"])
    split = run.test_split(dataset["label"]) if ready or audit else {}
    ranks = places(recipes, judged.pairs)
    searches = search.search(run, dataset, recipes)
    lost, spent = (searches.lost, searches.seconds) if searches else ({}, {})
    found = Comparison(
        dataset,
        max((np.unique(recipe.index).size for recipe in recipes), default=0) or dataset["n_test"],
        headline=headline(ranked, judged.pairs, figure, margin=margin, baseline=baseline, lost=lost),
        findings=verdict.findings(ranked, judged.pairs, reference, figure=figure, margin=margin),
        rows=ranking.in_groups(
            [ranking.row(recipe, judged.pairs, reference, metrics, ranks) for recipe in ranked], judged.pairs
        ),
        missing=tuple(missing_figures(trial for recipe in ranked for trial in recipe.done)),
        reference=reference,
        family=judged.family,
        pairs=tuple(judged.pairs),
        curves=learning.curves(recipes),
        times=time.times(recipes),
        times_comparable=not mixed,
        time_ratios=ratios.tables(run, ranked, reference, mixed=mixed, figures=ratios.TIME),
        cost_ratios=ratios.tables(run, ranked, reference, mixed=mixed, figures=ratios.COST),
        matrices=tuple(confusion.matrix(recipe, dataset["class_names"]) for recipe in ready),
        tiles=gallery.tiles(ready, split, dataset) if ready else (),
        label_errors=gallery.label_errors(ready, dataset),
        reliabilities=calibration.reliabilities(ready),
        costs=tuple(cost.cost(recipe, spent.get(recipe.label)) for recipe in ranked),
        reached=tuple(targets.reached(recipe, target) for recipe in ranked) if target else (),
        duel=duel.duel(ranked, judged.pairs, split, dataset, figure=figure, datasets=len(run.plan["datasets"])),
        data=audit
        and data.data(
            audit, ready, None if followed else judged.pairs, margin=margin, split=split, label=dataset["label"]
        ),
        factors=(),
        search=searches,
        robustness=robustness.over_views(ranked, run.plan, reference),
        answers={},
        published=published.published(run.plan, dataset["label"]),
    )
    answers = _answers(found, judged, recipes, figure, mixed, target)
    answers["certainty"] += looks.warning(run, judged.pairs)
    return replace(
        found,
        headline=found.headline + (found.data.warning if found.data else ""),
        answers={**answers, "looks": looks.answer(run, dataset, followed)},
    )


def _answers(
    found: Comparison,
    judged: Judged,
    recipes: Sequence[RecipeEvidence],
    figure: Figure,
    mixed: tuple[str, ...],
    target: float | None,
) -> dict[str, str]:
    """The sentence that each section of a dataset begins with."""
    ready = [recipe for recipe in judged.ranked if len(recipe.correct)]
    return {
        "certainty": " ".join(
            [
                verdict.certainty(judged.pairs, judged.reference, judged.family),
                *(claim.claims(found.dataset, found.search) if any(pair.difference for pair in judged.pairs) else []),
                *filter(None, [groups.answer(recipes)]),
            ]
        ),
        "ranking": ranking.answer(judged.ranked, figure),
        "search": found.search.answer if found.search else "",
        "pairs": pairs.answer(judged.pairs, judged.family),
        "learning": learning.answer(found.curves),
        "time": time.answer(found.times, mixed),
        "target": targets.answer(found.reached, target, mixed) if target else "",
        "confusion": confusion.answer(recipes, found.dataset["class_names"]),
        "gallery": gallery.answer(found.tiles),
        "duel": duel.answer(found.duel),
        "label_errors": gallery.label_error_answer(found.label_errors),
        "calibration": calibration.answer(found.reliabilities, ready),
        "cost": cost.answer(found.costs, mixed),
    }
