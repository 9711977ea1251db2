"""What is left of each recipe's accuracy on the further views of the test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mnistarena import statistics
from mnistarena.report.evidence import Pair, Recipe, compare
from mnistarena.report.format import percent, plain, plural, points, series
from mnistarena.statistics import Correct, Interval


@dataclass(frozen=True)
class ViewPoint:
    """A recipe's accuracy on one view, over its seeds; `severity` is text, such as "45"."""

    label: str
    severity: str
    accuracy: Interval


@dataclass(frozen=True)
class Corruption:
    """One `[[evaluation]]`: its views, mildest first; `parameter` is None where there is but one."""

    name: str
    parameter: str | None
    severities: tuple[str, ...]
    points: tuple[ViewPoint, ...]


@dataclass(frozen=True)
class Robust:
    """A recipe: its accuracy on the clean test images, its mean over the corruptions, what share of the first that is.

    `by` is its mean accuracy over the severities of each corruption; `against` the verdict on `mean` against the
    reference, within the family of the reference's pairs.
    """

    label: str
    clean: Interval
    mean: float
    kept: float
    by: tuple[float, ...]
    against: Pair | None


@dataclass(frozen=True)
class Robustness:
    """All recipes with their views, best mean first."""

    corruptions: tuple[Corruption, ...]
    recipes: tuple[Robust, ...]
    answer: str


def robustness(ranked: Sequence[Recipe], views: list[dict[str, Any]], against: str | None, margin: float) -> Robustness:
    """The views of one dataset; empty where the plan has none, or nothing predicted them.

    A recipe's corruptions count alike, whatever number of severities they have.
    """
    right = {recipe.label: found for recipe in ranked if (found := _right(recipe, views)) is not None}
    ready = [recipe for recipe in ranked if recipe.label in right]
    if not views or not ready:
        return Robustness((), (), "")
    names = list(dict.fromkeys(view["name"] for view in views))
    rows = {name: [at for at, view in enumerate(views) if view["name"] == name] for name in names}
    corruptions = []
    for name in names:
        severities = tuple(plain(views[at].get("severity")) for at in rows[name])
        seen_at = [
            ViewPoint(recipe.label, severity, _interval(right[recipe.label][:, at], recipe.deterministic))
            for recipe in ready
            for severity, at in zip(severities, rows[name], strict=True)
        ]
        corruptions.append(Corruption(name, views[rows[name][0]].get("parameter"), severities, tuple(seen_at)))
    # A share of its views for each image, in place of right or wrong: the statistics are the same.
    shares = {
        label: np.mean([seen[:, rows[name]].mean(axis=1) for name in names], axis=0) for label, seen in right.items()
    }
    able = [replace(recipe, correct=cast(Correct, shares[recipe.label])) for recipe in ready if recipe.comparable]
    reference = against if against in [recipe.label for recipe in able] else None
    pairs = [pair.seen_from(pair.b) if pair.a == reference else pair for pair in compare(able, reference, margin)]
    told = {pair.a: pair for pair in pairs} if reference else {}
    found_recipes = []
    for recipe in ready:
        mean = float(shares[recipe.label].mean())
        by = tuple(float(right[recipe.label][:, rows[name]].mean()) for name in names)
        clean = _interval(recipe.correct, recipe.deterministic)
        kept = mean / recipe.accuracy if recipe.accuracy else 0.0
        found_recipes.append(Robust(recipe.label, clean, mean, kept, by, told.get(recipe.label)))
    found_recipes.sort(key=lambda one: -one.mean)
    return Robustness(tuple(corruptions), tuple(found_recipes), _answer(found_recipes, corruptions, reference))


def _right(recipe: Recipe, views: list[dict[str, Any]]) -> NDArray[np.bool_] | None:
    """Bool `(k, views, n)` over the rows of `recipe.correct`; None where one of them has not predicted these views."""
    seen = []
    if not views or not len(recipe.correct):
        return None
    for trial in recipe.counted:
        if [_key(view) for view in trial.views] != [_key(view) for view in views]:
            return None
        predicted = trial.views_predicted()
        if predicted.shape[1] != len(recipe.labels):
            return None
        seen.append(predicted == recipe.labels)
    return np.array(seen)


def _key(view: dict[str, Any]) -> tuple[Any, ...]:
    return view.get("name"), view.get("parameter"), view.get("severity")


def _interval(correct: NDArray[np.bool_], deterministic: bool) -> Interval:
    found = statistics.seed_mean(correct, deterministic=deterministic) if len(correct) > 1 else None
    return found or statistics.wilson(int(correct[0].sum()), correct.shape[1])


def _answer(found: Sequence[Robust], corruptions: Sequence[Corruption], reference: str | None) -> str:
    best = found[0]
    said = (
        f"Over {plural(len(corruptions), 'corruption')}, {best.label} is right most often: {percent(best.mean)} in the "
        f"mean, {percent(best.kept, 0)} of what it reaches on clean images ({percent(best.clean.estimate)})"
    )
    if best.against is not None and best.against.difference is not None:
        verdict = {"better": "better than", "equal": "practically equal to", "worse": "worse than"}
        said += f"; {verdict.get(best.against.verdict, 'not told apart from')} {reference}"
        said += f" by {points(best.against.difference.estimate)}" if best.against.verdict == "better" else ""
    elif best.label == reference and len(found) > 1:
        worse = [one.label for one in found[1:] if one.against is not None and one.against.verdict == "worse"]
        said += f"; better than {series(worse)}" if worse else "; no other is told apart from it"
    hardest = min(range(len(corruptions)), key=lambda at: best.by[at])
    if len(corruptions) > 1:
        said += f". Hardest for it is {corruptions[hardest].name}, at {percent(best.by[hardest])}"
    return said + "."
