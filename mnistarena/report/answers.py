"""The sentence that each section of a report opens with, computed from what it shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from mnistarena.report.evidence import CurvePoint, Recipe
from mnistarena.report.format import percent, plural, points, scaled, seconds, series
from mnistarena.report.images import LabelErrors, Tile
from mnistarena.report.parts import Reliability
from mnistarena.results import TrialResult

SURE = 0.005
"""Confidence and accuracy that differ by more in the mean are said to."""


def gallery(tiles: Sequence[Tile], models: int) -> str:
    """How many errors are everybody's."""
    if not tiles:
        return "No test image is got wrong by most seeds of any model."
    known = sum(tile.known_error for tile in tiles)
    all_wrong = sum(tile.right == 0 for tile in tiles)
    if models == 1:
        said = f"{plural(len(tiles), 'image')} that most seeds get wrong"
    elif all_wrong:
        said = f"{plural(all_wrong, 'image')} of those below {'is' if all_wrong == 1 else 'are'} wrong for every model"
    else:
        said = "No image is wrong for every model; these are wrong for most"
    if known:
        said += f"; {known} of those shown {'is' if known == 1 else 'are'} known to be labelled wrongly"
    return said + "."


def label_errors(found: Sequence[LabelErrors]) -> str:
    """What the known label errors cost the best model."""
    if not found:
        return ""
    best = found[0]
    return (
        f"{best.errors} test images are known to be labelled wrongly. Without them {best.label} has "
        f"{percent(best.without)} instead of {percent(best.accuracy)}."
    )


def calibration(found: Sequence[Reliability]) -> str:
    """Whose probabilities are nearest to the truth, and who is too sure."""
    if not found:
        return "No trial has finished."
    best = min(found, key=lambda one: one.log_loss)
    what = "the lowest log loss," if len(found) > 1 else "a log loss of"
    said = f"{best.label} has {what} {best.log_loss:.4f}"
    over = [one.label for one in found if one.gap > SURE]
    under = [one.label for one in found if one.gap < -SURE]
    parts = [f"surer than {'they are' if len(over) > 1 else 'it is'} right: {series(over)}"] if over else []
    parts += [f"less sure than {'they could' if len(under) > 1 else 'it could'} be: {series(under)}"] if under else []
    return "; ".join([said, *parts]) + "."


def ranking(ranked: list[Recipe]) -> str:
    """What the leaderboard shows."""
    ready = [recipe for recipe in ranked if recipe.interval]
    if not ready:
        return "No trial has finished."
    best, last = ready[0], ready[-1]
    text = f"{best.label} has the highest accuracy, {percent(best.accuracy)}"
    if best.interval:
        what = {"seeds": "seeds and images", "images": "images"}.get(best.interval_of, "images, for this one model")
        text += f" (95 % interval {percent(best.interval.low)} to {percent(best.interval.high)}, over {what})"
    return text + (f"; {last.label} the lowest, {percent(last.accuracy)}." if best is not last else ".")


def learning(curves: Mapping[str, Sequence[CurvePoint]]) -> str:
    """Who ends highest on validation, and who was still learning."""
    points_ = curves["validation_accuracy"]
    if not points_:
        if curves["train_loss"]:
            return "There was no validation split; the training loss alone shows how each model learned."
        return "No epochs were recorded: these models learn in one step."
    lines: dict[str, list[float]] = defaultdict(list)
    for point in points_:
        lines[point.label].append(point.mean)
    best = max(lines, key=lambda label: lines[label][-1])
    text = f"{best} ends highest on the validation images, at {percent(lines[best][-1])}"
    gains = {label: line[-1] - line[-2] for label, line in lines.items() if len(line) > 1}
    late = [f"{label} ({points(gain)})" for label, gain in gains.items() if gain > 0.002]
    return text + (
        f"; still gaining in the last epoch: {series(late)}." if late else "; no model gained much in its last epoch."
    )


def time(front: list[tuple[str, float]], everyone: int, mixed: tuple[str, ...]) -> str:
    """Which models no other beats in both time and accuracy."""
    if not front:
        return "No training time was recorded."
    if mixed:
        return "The trials ran under unlike conditions, so their times are shown but not ranked."
    names = series([f"{label} ({seconds(took)})" for label, took in sorted(front, key=lambda item: item[1])])
    if len(front) == 1 and everyone > 1:
        return f"{names} is both the fastest to train and the most accurate."
    if len(front) == everyone:
        return f"No model is beaten in both: {names}."
    return f"Worth their time: {names}. Every other model is beaten in accuracy by one that trains as fast."


def confusion(recipes: list[Recipe], class_names: list[str]) -> str:
    """The most frequent confusion over all models."""
    ready = [recipe for recipe in recipes if len(recipe.correct)]
    if not ready:
        return "No trial has finished."
    total = np.mean([recipe.confusion / len(recipe.correct) for recipe in ready], axis=0)
    wrong = [(total[t, p], t, p) for t in range(len(total)) for p in range(len(total)) if t != p]
    most, true, predicted = max(wrong, default=(0.0, 0, 0))
    if not most:
        return "No test image was taken for another class."
    of = int(ready[0].confusion[true].sum() / len(ready[0].correct))
    return (
        f"Most often, {class_names[true]} is taken for {class_names[predicted]}: "
        f"{most:.1f} of {of:,} times, in the mean over models."
    )


def cost(costs: list[tuple[str, float | None, float | None]], mixed: tuple[str, ...]) -> str:
    """The smallest model and the quickest answer."""
    sizes = [(size, label) for label, size, _ in costs if size]
    quick = [(ms, label) for label, _, ms in costs if ms]
    parts = []
    if sizes:
        (small, least), (large, most) = min(sizes), max(sizes)
        parts.append(f"{least} is the smallest ({scaled(small)} parameters)")
        if most != least:
            parts[-1] += f", {most} the largest ({scaled(large)})"
    if quick and not mixed:
        parts.append(f"{min(quick)[1]} answers a single image soonest ({seconds(min(quick)[0] / 1000)})")
    return "; ".join(parts) + "." if parts else "No cost was recorded."


def failures(trials: Sequence[TrialResult]) -> str:
    """How many trials have no result."""
    counts: dict[str, int] = defaultdict(int)
    for trial in trials:
        counts[trial.status] += 1
    bad = {status: number for status, number in counts.items() if status != "done"}
    if not bad:
        return f"Nothing: all {plural(len(trials), 'trial')} finished." if trials else "No trial was planned."
    what = {
        "failed": "failed",
        "timeout": "ran out of time",
        "interrupted": "interrupted",
        "pending": "not run yet",
    }
    said = series(f"{number} {what.get(status, status)}" for status, number in sorted(bad.items()))
    return f"{sum(bad.values())} of {plural(len(trials), 'trial')} have no result: {said}."
