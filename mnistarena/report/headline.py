"""The verdict on a dataset in a sentence or two, for the top of the page: who is better than each other, if any is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mnistarena.evidence.figure import ACCURACY, Figure
from mnistarena.evidence.pairs import Pair, compared, not_comparable
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report import wording
from mnistarena.report.format import names, series
from mnistarena.report.sections import search
from mnistarena.report.sections.failures import status_counts
from mnistarena.stats.intervals import ALPHA

MOST_REASONS = 3
"""How many reasons for which recipes were not compared are named."""


def headline(
    ranked: Sequence[RecipeEvidence],
    pairs: Sequence[Pair],
    figure: Figure,
    *,
    margin: float,
    baseline: str | None,
    lost: Mapping[str, str] | None = None,
) -> str:
    """The verdict over all pairs; `ranked` by their mean, the best first. A failed baseline is called so.

    `lost` says what became of searches that chose no recipe, by the label of their model.
    """
    ready = [recipe for recipe in ranked if recipe.decided.known]
    together = compared(pairs)
    if not ready:
        return " ".join(filter(None, [_nothing(ranked, figure), search.sentences(lost or {})]))
    if together:
        said, told = _compared(ranked, pairs, figure, margin)
    elif len(ready) == 1:
        said, told = _alone(ready[0], figure), {ready[0].label}
    else:
        said, told = _models(ready, pairs, figure)
    left = [recipe for recipe in ranked if recipe.label not in told]
    # One that could be compared was not, because no other could be, or none on its test images.
    lonely = "other test images" if sum(recipe.comparable for recipe in ranked) > 1 else "no other could be"
    searches = {label: f"its search {why}" for label, why in (lost or {}).items()}
    whys = {
        recipe.label: searches.get(recipe.label) or _cause(recipe) or not_comparable(recipe) or lonely
        for recipe in left
    }
    if baseline in whys and baseline not in together:
        said += f" The baseline {baseline} is not compared: {whys.pop(baseline)}."
    return said + _absent(whys)


def _absent(whys: Mapping[str, str]) -> str:
    """A sentence, with a space before it, that names recipes that were not compared, and why."""
    if not whys:
        return ""
    reasons: dict[str, list[str]] = defaultdict(list)
    for label, why in whys.items():
        reasons[why].append(label)
    if len(reasons) > MOST_REASONS:
        return f" Not compared: {names(whys)} (the reasons stand below)."
    return f" Not compared: {series(f'{names(labels)} ({why})' for why, labels in reasons.items())}."


def _cause(recipe: RecipeEvidence) -> str:
    """What kept a recipe from any result; empty where it has some, or may still get one."""
    bad = [trial for trial in recipe.trials if trial.status in ("failed", "timeout")]
    if recipe.done or not bad:
        return ""
    kinds = dict.fromkeys(
        "out of time" if t.status == "timeout" else (t.error or {}).get("type", "failed") for t in bad
    )
    return f"no result: {series(kinds)}"


def _nothing(ranked: Sequence[RecipeEvidence], figure: Figure) -> str:
    """Nothing has a result: whether it may still come, or everything failed."""
    trials = [trial for recipe in ranked for trial in recipe.trials]
    states = {trial.status for trial in trials}
    if not states:
        return "No recipe has been trained yet, so there is nothing to compare."
    if "done" in states:
        return f"No finished trial has a {figure.name}, so there is nothing to compare."
    if states <= {"pending", "interrupted"}:
        return "No trial has finished yet, so there is nothing to compare."
    if states & {"pending", "interrupted"}:
        return f"No trial has a result ({status_counts(trials)}), so there is nothing to compare."
    one = "The only trial" if len(trials) == 1 else f"All {len(trials)} trials"
    return f"{one} failed, so there is nothing to compare."


def _alone(only: RecipeEvidence, figure: Figure) -> str:
    score = wording.value(only.decided.mean, figure)
    if figure == ACCURACY:
        return f"{only.label} classifies {score} of the test images correctly; there is nothing to compare it with."
    return f"{only.label} has a mean {figure.name} of {score}; there is nothing to compare it with."


def _first(ready: Sequence[RecipeEvidence]) -> list[str]:
    """The recipes whose mean is the best one; more than one where it is shared."""
    best = ready[0].decided.mean
    return [recipe.label for recipe in ready if abs(recipe.decided.mean - best) < 1e-12]


def _models(ready: Sequence[RecipeEvidence], pairs: Sequence[Pair], figure: Figure) -> tuple[str, set[str]]:
    """Where no two recipes can be compared: trained models of one seed each by McNemar's test, else only why."""
    first, best = _first(ready), ready[0].decided.mean
    single = all(len(r.trials) == 1 and not r.deterministic and r.index.size == ready[0].index.size for r in ready)
    tests = [pair.seen_from(first[0]) for pair in pairs if first[0] in (pair.a, pair.b)]
    if not single or (figure == ACCURACY and any(pair.mcnemar is None for pair in tests)):
        verb = "has" if len(first) == 1 else "have"
        return f"No two recipes can be compared. So far {names(first)} {verb} the {wording.leads(best, figure)}.", set()
    told = {recipe.label for recipe in ready}
    end = "one seed each says nothing about the recipes behind them."
    models = f"Of these {len(ready)} trained models,"
    if figure != ACCURACY:
        verb = "has" if len(first) == 1 else "have"
        return f"{models} {names(first)} {verb} the {wording.best(figure)} {figure.name}, " + (
            f"{wording.value(best, figure)}; {end}"
        ), told
    if len(first) > 1:
        most = ", and most often" if len(first) < len(ready) else ""
        return (
            f"{models} {names(first)} are right equally often{most} ({wording.value(best, figure)}); {end}",
            told,
        )
    close = [pair.b for pair in tests if pair.p_adjusted is None or pair.p_adjusted >= ALPHA]
    apart = f", though not by enough to tell it from {names(close)}" if close else ""
    return f"{models} {first[0]} is right most often ({wording.value(best, figure)}){apart}; {end}", told


def _compared(
    ranked: Sequence[RecipeEvidence], pairs: Sequence[Pair], figure: Figure, margin: float
) -> tuple[str, set[str]]:
    """The leader of those that were compared, or the group that cannot be told apart from it; and whom it is about."""
    together = compared(pairs)
    able = [recipe for recipe in ranked if recipe.label in together]
    best = able[0]
    kinds: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        if pair.difference is not None and best.label in (pair.a, pair.b):
            seen = pair.seen_from(best.label)
            kinds[seen.verdict].append(seen.b)
    place = {recipe.label: at for at, recipe in enumerate(ranked)}
    better, undecided, equal = (sorted(kinds[kind], key=place.__getitem__) for kind in ("better", "undecided", "equal"))
    told = {best.label, *better, *undecided, *equal}
    all_others = len(told) == len(ranked)
    score = best.decided.mean
    among = "" if all_others else f"the {len(told)} recipes that could be compared"
    if not undecided and not equal:
        rest = f"each of the {len(better)} others" if len(better) > 1 else better[0]
        start = f"Of {among}, " if among else ""
        return f"{start}{best.label} {wording.wins(score, figure)}: better than {rest}.", told
    first = [label for label in _first(able) if label in told]
    verb, it = ("has", "it") if len(first) == 1 else ("share", best.label)
    parts = []
    if undecided:
        parts.append(f"{names(undecided)} cannot be told apart from {it} on this evidence")
    if equal:
        verbs = "is" if len(equal) == 1 else "are"
        parts.append(f"{names(equal)} {verbs} practically equal to {it} (within ±{wording.margin(margin, figure)})")
    start = f"No single winner of {among}" if among else "No single winner"
    return f"{start}: {names(first)} {verb} the {wording.leads(score, figure)}, but {'; '.join(parts)}.", told
