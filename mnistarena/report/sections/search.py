"""How the parameters of each model were chosen by the validation images, and what a smaller budget would have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.figure import Figure
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.evidence.searches import Searched, searched
from mnistarena.report.format import names, seconds, series
from mnistarena.report.sections.search_rows import Row, row
from mnistarena.store.records import DatasetRecord
from mnistarena.store.results import StoredRun
from mnistarena.store.search_records import BudgetRecord, SearchPlan
from mnistarena.text import plural

MOST_CAUSES = 3
"""How many reasons of failed trials are named for one model."""
MOST_LOST = 3
"""Of how many models without a recipe a sentence says why; the others are counted."""


@dataclass(frozen=True)
class Search:
    """The searches on one dataset by one `figure`.

    `claim` says what verdicts are about, `lost` what became of each search that has chosen nothing, by its label.
    """

    figure: Figure
    rows: tuple[Row, ...]
    _: KW_ONLY
    answer: str
    claim: str
    notes: tuple[str, ...]
    lost: Mapping[str, str]

    @property
    def seconds(self) -> dict[str, float]:
        """The training of each search in seconds, by its label."""
        return {row.label: row.seconds for row in self.rows}


def search(run: StoredRun, dataset: DatasetRecord, recipes: Sequence[RecipeEvidence]) -> Search | None:
    """The section of one dataset; None where nothing was searched for."""
    found = searched(run, dataset)
    if not found:
        return None
    known = {recipe.label: recipe for recipe in recipes}
    rows = tuple(row(one, known.get(one.label)) for one in found)
    lost = {one.label: said for one in found if (said := outcome(one))}
    others = [recipe.label for recipe in recipes if recipe.label not in {one.label for one in found}]
    return Search(
        found[0].figure,
        rows,
        answer=" ".join(filter(None, [_budgets(rows), _others(others), _claim(rows), sentences(lost)])),
        claim=_claim(rows),
        notes=(
            *filter(None, map(_at_edges, rows)),
            *(said for one in found if one.label not in lost and (said := _failures(one))),
            *filter(None, [_too_good(rows), _same_images([known[one.label] for one in found if one.chosen])]),
            *filter(None, [_in_order(rows)]),
        ),
        lost=lost,
    )


def spoken(figure: Figure) -> str:
    """What is looked at, such as "validation accuracy" or "f1 weighted of the validation images"."""
    return figure.name if figure.label.startswith("validation_") else f"{figure.name} of the validation images"


def spelt(budget: BudgetRecord) -> str:
    """A budget in words, such as "20 trials"."""
    if (limit := budget.get("seconds")) is not None:
        return f"{seconds(limit)} of training"
    if (steps := budget.get("steps")) is not None:
        return plural(steps, "step")
    return plural(budget.get("trials", 0), "trial")


def _way(search: SearchPlan) -> str:
    """How points were proposed, such as "searcher random, pruner median"."""
    pruner = search.get("pruner")
    return f"searcher {search['searcher']['name']}" + (f", pruner {pruner['name']}" if pruner else "")


def _budgets(rows: Sequence[Row]) -> str:
    """What each model could spend; a sentence for each kind of search, which is one of a spec's."""
    kinds: dict[str, list[str]] = {}
    for one in rows:
        plan = one.search
        best = "highest" if plan["higher_is_better"] else "lowest"
        times = "" if plan["repeats"] == 1 else f", {plan['repeats']} times"
        said = f"{spelt(plan['budget'])} ({_way(plan)}) to choose its parameters by the {best} {spoken(one.by)}{times}"
        kinds.setdefault(said, []).append(one.label)
    return " ".join(
        f"{names(labels)} has a budget of {said}."
        if len(labels) == 1
        else f"Each of {names(labels)} has a budget of {said}."
        for said, labels in kinds.items()
    )


def _others(labels: Sequence[str]) -> str:
    it = "it" if len(labels) == 1 else "them"
    return f"Not searched, so as the spec has {it}: {names(labels)}." if labels else ""


def _claim(rows: Sequence[Row]) -> str:
    """What verdicts on searched models are about; empty as long as nothing is chosen."""
    if not any(one.choices for one in rows):
        return ""
    if any(one.search["repeats"] > 1 for one in rows):
        return (
            "Each seed has a search of its own, so intervals include the luck of the search (Bouthillier et al. 2021)."
        )
    return "Verdicts hold for the chosen recipes; another search might choose others."


def outcome(one: Searched) -> str:
    """What became of a search that has chosen nothing yet, or nothing at all; empty where there is a recipe."""
    if not one.lacking:
        return ""
    tried = len(one.tried)
    if one.ended:
        return f"found nothing: {_nothing(one)}"
    if not tried:
        return "has not begun"
    most = one.plan["budget"].get("trials")
    if most is None:
        return f"has chosen nothing yet: {plural(tried, 'trial')} tried, {seconds(one.seconds)} of training"
    return f"has chosen nothing yet: {tried} of {plural(most * one.plan['repeats'], 'trial')} tried"


def _nothing(one: Searched) -> str:
    """Why no trial of a search could be chosen."""
    tried, failed, pruned = len(one.tried), one.count("failed", "timeout"), one.count("pruned")
    if not tried:
        return "no trial was proposed"
    if failed == tried:
        start = "its only trial failed" if tried == 1 else f"all {tried} trials failed"
        return f"{start}: {_causes(one)}"
    parts = [f"{failed} failed ({_causes(one)})"] if failed else []
    parts += [f"{pruned} {'was' if pruned == 1 else 'were'} pruned"] if pruned else []
    rest = tried - failed - pruned
    parts += [f"{rest} ended without a value"] if rest else []
    return f"of {plural(tried, 'trial')} {series(parts)}"


def _causes(one: Searched) -> str:
    if len(one.causes) == 1:
        return one.causes[0][0]
    shown = [f"{cause} ({number})" for cause, number in one.causes[:MOST_CAUSES]]
    more = len(one.causes) - len(shown)
    return "; ".join([*shown, *([plural(more, "other cause")] if more else [])])


def sentences(lost: Mapping[str, str]) -> str:
    """A sentence for each model without a recipe, such as "The search of cnn has not begun."; others are counted."""
    said = [f"The search of {label} {why}." for label, why in list(lost.items())[:MOST_LOST]]
    if more := len(lost) - len(said):
        said.append(f"{plural(more, 'further search', 'further searches')} chose nothing until now.")
    return " ".join(said)


def all_lost(searches: Mapping[str, Search | None]) -> tuple[str, ...]:
    """A sentence for each search that has chosen nothing, over all datasets, by their labels."""
    return tuple(
        f"The search of {label}{f' on {dataset}' if len(searches) > 1 else ''} {why}."
        for dataset, found in searches.items()
        for label, why in (found.lost if found else {}).items()
    )


def _failures(one: Searched) -> str:
    failed = one.count("failed", "timeout")
    return f"{failed} of {plural(len(one.tried), 'trial')} of {one.label} failed: {_causes(one)}." if failed else ""


def _at_edges(one: Row) -> str:
    """Which chosen values lie at an end of what was searched."""
    ends = dict.fromkeys((at.text, at.edge) for choice in one.choices for at in choice.settings if at.edge)
    if not ends:
        return ""
    said = series((f"{text} (the {end})" for text, end in ends), limit=8)
    return f"Of {one.label}, chosen at an end of what was searched: {said}. A wider space may be better."


def _too_good(rows: Sequence[Row]) -> str:
    if all(one.gap is None for one in rows):
        return ""
    return (
        "The best of several trials is expected to look better on the images by which it was chosen than on others. "
        "The test images had no part in the choice."
    )


def _same_images(recipes: Sequence[RecipeEvidence]) -> str:
    """Whose training used the validation images, too."""
    trainings = [(recipe.label, recipe.entry.get("training") or {}) for recipe in recipes]
    best = [label for label, training in trainings if training.get("select") == "best"]
    early = [label for label, training in trainings if training.get("patience")]
    said = [f'the best epoch (select = "best") of {names(best)}'] if best else []
    said += [f"early stopping (patience) of {names(early)}"] if early else []
    if not said:
        return ""
    return (
        f"By the same validation images: {'; '.join(said)}. That alone makes figures of the validation images look "
        "better than others, in the search as well."
    )


def _in_order(rows: Sequence[Row]) -> str:
    """Which searchers do not draw points independently, as the expected best value needs it."""
    others = sorted({one.search["searcher"]["name"] for one in rows} - {"random"})
    if not others or not any(one.budgets for one in rows):
        return ""
    return (
        f"The searcher {series(others)} does not draw points independently, so what is expected of fewer trials speaks "
        "of any choice of those that were tried, not of a search that ends earlier."
    )
