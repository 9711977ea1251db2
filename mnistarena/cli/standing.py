"""The recipes of a run that goes on, by what decides between them: a few lines, without a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.text import Text

from mnistarena.cli.lines import Row, columns
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial

LINES = 5
"""How many recipes, or datasets, are shown."""

BEST = 3
"""How many recipes of a dataset are shown where there are several datasets."""


class Standing:
    """The mean figure of each recipe over its trials that are done."""

    def __init__(self, plan: Plan) -> None:
        metrics = {metric.label: metric for metric in plan.metrics}
        self.metric = metrics.get(plan.benchmark.decide, plan.metrics[0])
        self.figures: dict[tuple[str, str], dict[str, float]] = {}
        # Labels of one identity are trained once.
        self.recipes: dict[str, list[tuple[str, str]]] = {}
        self.searched: dict[tuple[str, str], dict[float, str]] = {}
        """Of each search the best figure, as it is compared, and what is shown of it."""
        self.expect(plan.trials())
        self.at_most = plan.looks is not None

    def expect(self, trials: Iterable[Trial]) -> None:
        """Trials that will run; those of searches are known when they end."""
        for trial in trials:
            recipe = (trial.recipe.data.label, trial.recipe.label)
            known = self.recipes.setdefault(trial.id, [])
            if trial.search is None and recipe not in known:
                known.append(recipe)
        self.planned = Counter(recipe for recipes in self.recipes.values() for recipe in recipes)

    def tried(self, trial: Trial, value: float | None) -> None:
        """A trial of a search is done, with this figure."""
        place = trial.search
        if place is None or value is None:
            return
        key, sign = (trial.recipe.data.label, trial.recipe.label), -1 if place.higher_is_better else 1
        best = self.searched.get(key)
        if best is None or sign * value < min(best):
            self.searched[key] = {sign * value: f"{place.by} {value:.4f}, trial {place.number + 1}"}

    def add(self, trial: str, metrics: Mapping[str, float | None]) -> None:
        """The figures of a trial that is done, by its id."""
        value = metrics.get(self.metric.label)
        for recipe in self.recipes.get(trial, ()) if value is not None else ():
            assert value is not None
            # Only whole tables are put in: another thread shows them meanwhile.
            self.figures[recipe] = {**self.figures.get(recipe, {}), trial: value}

    def ranked(self) -> dict[str, list[tuple[str, float, str]]]:
        """By dataset, each recipe with a figure, the best first: label, mean, how many trials it is of."""
        found: dict[str, list[tuple[str, float, str]]] = {}
        for (dataset, label), figures in list(self.figures.items()):
            values, all_of = figures.values(), self.planned[dataset, label]
            share = f"{len(values)} trials" if self.at_most else f"{len(values)}/{all_of} trials"
            found.setdefault(dataset, []).append((label, sum(values) / len(values), share))
        sign = -1 if self.metric.component.definition.higher_is_better else 1
        return {dataset: sorted(rows, key=lambda row: (sign * row[1], row[0])) for dataset, rows in found.items()}

    def shown(self, value: float) -> str:
        """The figure as text."""
        return f"{value:.2%}" if self.metric.component.definition.share else f"{value:.4f}"

    def lines(self, width: int, most: int = LINES) -> list[Text]:
        """The ranking, with a line that says what it is; nothing before the first trial is done."""
        ranked = self.ranked()
        if not ranked and self.searched and most > 0:
            best = [(label, shown) for (_, label), found in list(self.searched.items()) for shown in found.values()]
            lines = columns([Row(label, [shown]) for label, shown in best[:most]], width)
            return columns([Row("best of each search so far, on validation images", [])], width) + lines
        if not ranked or most < 1:
            return []
        if len(ranked) == 1:
            ((_, rows),) = ranked.items()
            lines = columns([Row(label, [self.shown(mean), share]) for label, mean, share in rows[:most]], width)
        else:
            rows = []
            lines = [self.best(dataset, width) for dataset in list(ranked)[:most]]
        several = max(len(rows), len(ranked))
        shown = f"; {most} of {several}" if several > most else ""
        return columns([Row(f"{self.metric.label} so far, no verdict{shown}", [])], width) + lines

    def best(self, dataset: str, width: int) -> Text:
        """A dataset's best recipes in one line: as many as there is room for."""
        rows = self.ranked()[dataset]
        for shown in range(min(BEST, len(rows)), 0, -1):
            parts = [f"{label} {self.shown(mean)}" for label, mean, _ in rows[:shown]]
            more = len(rows) - shown
            line = Text(f"{dataset}: {', '.join(parts)}" + (f" and {more} more" if more else ""))
            if line.cell_len <= width:
                return line
        label, mean, _ = rows[0]
        return columns([Row(f"{dataset}: {label}", [self.shown(mean)])], width)[0]
