"""The accuracy of each recipe on the further views of the test images, beside that on the clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnistarena.evidence.figure import ACCURACY, Scored, margin_of, scored
from mnistarena.evidence.pairs import VERBS, Pair, compare
from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.plugin.messages import ViewDefinition, view_title
from mnistarena.report.format import names, percent, plain
from mnistarena.report.sections.pictures import BUDGET, Pictures, pictures
from mnistarena.stats.intervals import Interval
from mnistarena.store.records import PlanRecord
from mnistarena.store.results import StoredTrial
from mnistarena.text import plural


@dataclass(frozen=True)
class ViewPoint:
    """A recipe's accuracy on one view, over its seeds; `severity` is text, such as "45"."""

    label: str
    severity: str
    _: KW_ONLY
    accuracy: Interval


@dataclass(frozen=True)
class Corruption:
    """One `[[evaluation]]`: its views, mildest first; `parameter` is None where it has only one."""

    name: str
    parameter: str | None
    _: KW_ONLY
    severities: tuple[str, ...]
    points: tuple[ViewPoint, ...]


@dataclass(frozen=True)
class Robust:
    """A recipe: accuracy on the clean test images, mean over the corruptions, and the share `kept` that this is.

    Both, and that entry of `by`, are None where one of its views is missing. `by` is its mean accuracy over the
    severities of each corruption; `against` the verdict on `mean` against the reference, one of all pairs of recipes
    with these views, which are a Holm family of their own.
    """

    label: str
    clean: Interval
    _: KW_ONLY
    mean: float | None
    kept: float | None
    by: tuple[float | None, ...]
    against: Pair | None


@dataclass(frozen=True)
class Robustness:
    """All recipes with their views, best mean first; `pictures` is None of a run whose trials stored none."""

    corruptions: tuple[Corruption, ...]
    recipes: tuple[Robust, ...]
    _: KW_ONLY
    answer: str
    pictures: Pictures | None = None


Right = dict[int, NDArray[np.bool_]]
"""Where a recipe is right on each view that all of its seeds predicted, `(seeds, images)`, by the view's place."""


def over_views(ranked: Sequence[RecipeEvidence], plan: PlanRecord, against: str | None) -> Robustness:
    """The views of one dataset; empty where the plan has none, or no recipe predicted them.

    Each corruption counts the same, whatever number of severities it has.
    """
    views, margin = plan.get("views", []), margin_of(plan, ACCURACY)
    right = {recipe.label: found for recipe in ranked if (found := _right(recipe, views)) is not None}
    ready = [recipe for recipe in ranked if recipe.label in right]
    if not views or not ready:
        return Robustness((), (), answer="")
    rows: dict[str, list[int]] = {}
    for at, view in enumerate(views):
        rows.setdefault(view["name"], []).append(at)
    corruptions = [_corruption(name, [(at, views[at]) for at in rows[name]], ready, right) for name in rows]
    # A share of its views for each image, in place of right or wrong: the statistics are the same.
    shares = {
        label: np.mean([np.mean([seen[at] for at in places], axis=0) for places in rows.values()], axis=0)
        for label, seen in right.items()
        if len(seen) == len(views)
    }
    able = [
        replace(recipe, decided=Scored(ACCURACY, shares[recipe.label], groups=recipe.groups, layout=recipe.layout))
        for recipe in ready
        if recipe.seeded and recipe.label in shares
    ]
    reference = against if against in [recipe.label for recipe in able] else None
    pairs = compare(able, margin)
    with_it = [pair for pair in pairs if reference in (pair.a, pair.b)]
    verdicts = {pair.a: pair for one in with_it for pair in (one, one.seen_from(one.b)) if pair.b == reference}
    found_recipes = []
    for recipe in ready:
        mean = float(shares[recipe.label].mean()) if recipe.label in shares else None
        found_recipes.append(
            Robust(
                recipe.label,
                _interval(recipe, recipe.correct),
                mean=mean,
                kept=None if mean is None else mean / recipe.accuracy if recipe.accuracy else 0.0,
                by=tuple(_over(right[recipe.label], places) for places in rows.values()),
                against=verdicts.get(recipe.label),
            )
        )
    found_recipes.sort(key=lambda one: -one.mean if one.mean is not None else 1.0)
    keys = {view_title(view): (view["name"], plain(view.get("severity"))) for view in views}
    return Robustness(
        tuple(corruptions),
        tuple(found_recipes),
        answer=_answer(found_recipes, corruptions, pairs),
        pictures=pictures(
            (trial for recipe in ready for trial in recipe.counted), keys, BUDGET // len(plan["datasets"])
        ),
    )


def _over(right: Right, places: Sequence[int]) -> float | None:
    """The mean accuracy over some views; None where one of them is missing."""
    return float(np.mean([right[at] for at in places])) if right.keys() >= set(places) else None


def _corruption(
    name: str,
    views: Sequence[tuple[int, ViewDefinition]],
    recipes: Sequence[RecipeEvidence],
    right: dict[str, Right],
) -> Corruption:
    """One corruption; `views` are its views with their places in `right`."""
    severities = [(at, plain(view.get("severity"))) for at, view in views]
    seen = [
        ViewPoint(
            recipe.label,
            severity,
            accuracy=_interval(recipe, right[recipe.label][at]),
        )
        for recipe in recipes
        for at, severity in severities
        if at in right[recipe.label]
    ]
    parameter = views[0][1].get("parameter")
    return Corruption(name, parameter, severities=tuple(severity for _, severity in severities), points=tuple(seen))


def _right(recipe: RecipeEvidence, views: Sequence[ViewDefinition]) -> Right | None:
    """Where a recipe is right, seeds as in `recipe.correct`, on the views that they all predicted; None without any."""
    if not views or not len(recipe.correct):
        return None
    seen: list[dict[str, NDArray[np.bool_]]] = []
    each = len(recipe.counted) // len(recipe.correct)
    for start in range(0, len(recipe.counted), each):
        one = _seen(recipe.counted[start : start + each], recipe.labels)
        if one is None:
            return None
        seen.append(one)
    titles = [view_title(view) for view in views]
    every = [at for at, title in enumerate(titles) if all(title in one for one in seen)]
    return {at: np.array([one[titles[at]] for one in seen]) for at in every} or None


def _seen(trials: Sequence[StoredTrial], labels: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]] | None:
    """Where one seed is right on each view that it predicted in all splits, one split after the other."""
    if not all(trial.views for trial in trials):
        return None
    predicted = [
        {view_title(view): row for view, row in zip(trial.views, trial.views_predicted(), strict=True)}
        for trial in trials
    ]
    shared = [title for title in predicted[0] if all(title in one for one in predicted)]
    joined = {title: np.concatenate([one[title] for one in predicted]) for title in shared}
    if any(len(row) != len(labels) for row in joined.values()):
        return None
    return {title: row == labels for title, row in joined.items()}


def _interval(recipe: RecipeEvidence, correct: NDArray[np.bool_]) -> Interval:
    """The interval of a recipe's accuracy where it is right as `correct` says."""
    found = scored(ACCURACY, correct, recipe.groups, layout=recipe.layout, deterministic=recipe.deterministic).interval
    assert found is not None  # views are looked at where at least one seed predicted them
    return found


def _answer(found: Sequence[Robust], corruptions: Sequence[Corruption], pairs: Sequence[Pair]) -> str:
    """The highest mean over all corruptions, the verdicts on it, and the corruption that costs it most."""
    best = found[0]
    if best.mean is None:
        return "No model predicted all of these views."
    first = [one for one in found if one.mean is not None and abs(one.mean - best.mean) < 1e-12]
    means = f"Over {plural(len(corruptions), 'corruption')}"
    whole = [one for one in found if one.mean is not None]
    if len(first) > 1:
        return f"{means}, {names(one.label for one in first)} have the same mean accuracy, {percent(best.mean)}" + (
            ", the highest." if len(first) < len(whole) else "."
        )
    said = f"{means}, {best.label} has {'the highest' if len(whole) > 1 else 'a'} mean accuracy"
    said += f"{', ' if len(whole) > 1 else ' of '}{percent(best.mean)}: {percent(best.kept, 0)} of what it reaches on "
    said += f"clean images ({percent(best.clean.estimate)})"
    said += _verdicts(best.label, [one.label for one in whole[1:]], pairs)
    least, hardest = min((share, at) for at, share in enumerate(best.by) if share is not None)
    if len(corruptions) > 1:
        said += f". Its lowest mean is on {corruptions[hardest].name}, {percent(least)}"
    return said + "."


def _verdicts(best: str, others: Sequence[str], pairs: Sequence[Pair]) -> str:
    """What is known of the recipe of the highest mean against each other one."""
    seen = {pair.seen_from(best).b: pair.seen_from(best) for pair in pairs if best in (pair.a, pair.b)}
    kinds = {label: seen[label].verdict if label in seen else "not compared" for label in others}
    if len(others) > 1 and set(kinds.values()) == {"better"}:
        return "; better than each other"
    said = ""
    for kind in dict.fromkeys(kinds.values()):
        said += f"; {VERBS[kind]} {names(label for label, found in kinds.items() if found == kind)}"
    return said
