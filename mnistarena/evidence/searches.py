"""What a run's searches tried and chose, and what of a space the chosen points use."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Literal

from mnistarena.evidence.figure import Figure, figure_of
from mnistarena.stats.budgets import BestOf, best_of
from mnistarena.store.records import DatasetRecord, PlanRecord
from mnistarena.store.results import StoredRun
from mnistarena.store.search_records import ParameterRecord, RepeatRecord, SearchPlan, TriedRecord

EDGE = 0.01
"""A number is at an end of its range where it lies within this share of the range, by logarithms of a log one."""

Edge = Literal["", "lower", "upper"]


@dataclass(frozen=True)
class Chosen:
    """What one search chose; `repeat` and `number` count from 1, of a search and of the trial in it."""

    repeat: int
    number: int
    _: KW_ONLY
    trial: TriedRecord


@dataclass(frozen=True)
class Searched:
    """A recipe that is searched for: how, by which `figure` of the validation images, and what each search tried.

    `repeats` may be fewer than are planned, as long as the search goes on. `lacking` says that the plan has no recipe
    of it yet, since nothing is chosen.
    """

    label: str
    plan: SearchPlan
    _: KW_ONLY
    figure: Figure
    repeats: tuple[RepeatRecord, ...]
    lacking: bool

    @cached_property
    def tried(self) -> tuple[TriedRecord, ...]:
        """The trials of all its searches."""
        return tuple(trial for one in self.repeats for trial in one["trials"])

    @cached_property
    def chosen(self) -> tuple[Chosen, ...]:
        """What its searches chose."""
        return tuple(
            Chosen(at, one["chosen"] + 1, trial=one["trials"][one["chosen"]])
            for at, one in enumerate(self.repeats, 1)
            if one["chosen"] is not None
        )

    @property
    def ended(self) -> bool:
        """Whether every planned search has ended."""
        return len(self.repeats) >= self.plan["repeats"] and all(one["ended"] for one in self.repeats)

    @property
    def seconds(self) -> float:
        """How long its searches trained, in seconds."""
        return float(sum(trial.get("seconds", 0.0) for trial in self.tried))

    def count(self, *statuses: str) -> int:
        """How many trials ended so."""
        return sum(trial["status"] in statuses for trial in self.tried)

    @cached_property
    def causes(self) -> tuple[tuple[str, int], ...]:
        """The first line of each error of trials that failed, and of how many, the most frequent first."""
        found = Counter(_cause(trial) for trial in self.tried if trial["status"] in ("failed", "timeout"))
        return tuple(found.most_common())

    @cached_property
    def budgets(self) -> tuple[BestOf, ...]:
        """The best value that a smaller budget would have found, up to the trials of one search; of all its trials."""
        values = [trial["value"] if trial["status"] == "done" else None for trial in self.tried]
        most = max((len(one["trials"]) for one in self.repeats), default=0)
        return best_of(values, higher_is_better=self.plan["higher_is_better"])[:most]

    def seen(self, trial: TriedRecord) -> float | None:
        """The last known value of a trial, also of one that was pruned."""
        if trial["value"] is not None:
            return trial["value"]
        by = self.plan["by"]
        known = trial.get("validation_loss") if by == "validation_loss" else None
        return trial.get("validation_accuracy") if by == "validation_accuracy" else known


def searched(run: StoredRun, dataset: DatasetRecord) -> tuple[Searched, ...]:
    """The searches of one dataset, in the order of the plan."""
    found = {(one["label"], one["dataset"]): one["repeats"] for one in run.searches["searches"]}
    lacking = {(one["label"], one["dataset"]) for one in run.plan["entries"] if one.get("chosen") == []}
    return tuple(
        Searched(
            one["label"],
            one,
            figure=_figure(one, run.plan),
            repeats=tuple(found.get((one["label"], one["dataset"]), ())),
            lacking=(one["label"], one["dataset"]) in lacking,
        )
        for one in run.plan.get("searches", ())
        if one["dataset"] == dataset["label"]
    )


def _figure(search: SearchPlan, plan: PlanRecord) -> Figure:
    by, higher = search["by"], search["higher_is_better"]
    metric = next((metric for metric in plan.get("metrics", ()) if metric["label"] == by), None)
    if by.startswith("validation_") or metric is None:
        return Figure(by, higher_is_better=higher, share=by == "validation_accuracy")
    return Figure(by, higher_is_better=higher, share=figure_of(metric).share)


def _cause(trial: TriedRecord) -> str:
    said = trial.get("error", "").strip().partition("\n")[0].rstrip(".")
    unknown = "out of time" if trial["status"] == "timeout" else "no reason is known"
    return (said if len(said) <= 100 else said[:99] + "…") or unknown


def short_names(space: Sequence[ParameterRecord]) -> dict[str, str]:
    """The names of a space's parameters, each with as many of its dotted parts as tell it from the others.

    What is called "name" is the choice of a component: "training.optimizer.name" is "optimizer".
    """
    full = {parameter["name"]: parameter["name"].removesuffix(".name") for parameter in space}

    def endings(path: str) -> Iterator[str]:
        parts = path.split(".")
        yield from (".".join(parts[at:]) for at in range(len(parts) - 1, -1, -1))

    def alone(end: str) -> bool:
        return sum(path == end or path.endswith(f".{end}") for path in full.values()) == 1

    return {name: next(filter(alone, endings(path)), name) for name, path in full.items()}


def edge(parameter: ParameterRecord, value: Any) -> Edge:
    """At which end of what was searched a value lies; empty where at none, or where the values have no order."""
    if not _is_number(value):
        return ""
    if values := parameter.get("values"):
        numbers = [one for one in values if _is_number(one)]
        if len(set(numbers)) < 3 or len(numbers) < len(values):
            return ""  # of two values each is an end
        return "lower" if value <= min(numbers) else "upper" if value >= max(numbers) else ""
    if (low := parameter.get("low")) is None or (high := parameter.get("high")) is None or low >= high:
        return ""
    if parameter.get("integer") and high - low < 2:
        return ""
    if parameter.get("log"):
        low, high, value = (math.log(one) for one in (low, high, max(value, low)))
    share = (value - low) / (high - low)
    return "lower" if share <= EDGE else "upper" if share >= 1 - EDGE else ""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
