"""The searches of a run, round by round: points are proposed, tried, told, until each budget is spent.

What is proposed depends on the plan and on the stored results alone, since all trials of a round end before the next is
asked for. So the same points are tried whatever runs side by side, where it runs, and how often it is interrupted.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from mnistarena.errors import ArenaError
from mnistarena.execution.resume import Resume
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plan.search import Search
from mnistarena.plugin.messages import HistoryRow
from mnistarena.plugin.search import Tried
from mnistarena.plugin.space import Point, has_point
from mnistarena.spec.search import HalvingPruner, MedianPruner
from mnistarena.store.records import PlanRecord, TrialRecord
from mnistarena.store.run_folder import RunFolder
from mnistarena.store.search_records import ChosenRecord, RepeatRecord, SearchesRecord, SearchRecord, TriedRecord

IN_A_ROW = 10
"""A search whose trials fail so often, one after the other, is given up."""


class Searches:
    """The searches of a plan."""

    def __init__(self, plan: Plan, resume: Resume) -> None:
        self.resume = resume
        self.repeats = {
            search.key: [_Repeat(search, number) for number in range(search.table.repeats)] for search in plan.searches
        }

    def next(self) -> list[Trial]:
        """The trials of the next round that must run, once those of the last one have ended; none at the end."""
        while True:
            everyone = [one for repeats in self.repeats.values() for one in repeats]
            for one in everyone:
                one.tell(self.resume)
            asked = [trial for one in everyone for trial in one.ask()]
            if waiting := self.resume.waiting(asked):
                return waiting
            if all(one.ended for one in everyone):
                return []

    @property
    def record(self) -> SearchesRecord:
        """searches.json: what was tried and chosen until now."""
        found: list[SearchRecord] = [
            {"label": label, "dataset": dataset, "repeats": [one.record for one in repeats]}
            for (label, dataset), repeats in self.repeats.items()
        ]
        return {"searches": found}

    def write(self, folder: RunFolder, described: PlanRecord) -> None:
        """Write searches.json; searches of models that --only leaves out, and the plan still has, stay in it."""
        planned = {(one["label"], one["dataset"]) for one in described.get("searches", ())}
        others = planned - self.repeats.keys()
        kept = [one for one in folder.searches()["searches"] if (one["label"], one["dataset"]) in others]
        if planned:
            folder.write_searches({"searches": [*self.record["searches"], *kept]})

    def chosen(self) -> Mapping[tuple[str, str], Sequence[ChosenRecord]]:
        """What was chosen for each recipe; nothing where one of its repeats has found nothing."""
        found: dict[tuple[str, str], list[ChosenRecord]] = {}
        for key, repeats in self.repeats.items():
            places = [one.chosen for one in repeats]
            found[key] = [
                {"repeat": repeat, "number": place, "point": one.tried[place]["point"]}
                for repeat, (one, place) in enumerate(zip(repeats, places, strict=True))
                if place is not None and None not in places
            ]
        return found


class _Repeat:
    """One search, from its first point to its choice."""

    def __init__(self, search: Search, repeat: int) -> None:
        self.search, self.repeat = search, repeat
        self.searcher = search.start(repeat)
        self.asked: list[tuple[Point, Trial | str]] = []
        self.tried: list[TriedRecord] = []
        self.courses: list[dict[int, float]] = []
        self.ended = False

    def ask(self) -> list[Trial]:
        """The trials of the next points; none once the search has ended."""
        if self.ended:
            return []
        search, count = self.search, self.search.table.at_once
        if search.trials is not None:
            count = min(count, search.trials - len(self.tried))
        points = list(self.searcher.ask(count))[:count]
        self.ended = not points
        stops = list(self.stops())
        for number, point in enumerate(points, len(self.tried)):
            if not has_point(search.space, point):
                raise ArenaError(
                    f'the searcher "{search.searcher.name}" ({search.searcher.origin}) proposed {point} for '
                    f"{search.key[0]}, which is no point of its space"
                )
            try:
                self.asked.append((point, search.trial(search.at(point), self.repeat, number, stops)))
            except ArenaError as problem:
                self.asked.append((point, str(problem)))
        return [trial for _, trial in self.asked if isinstance(trial, Trial)]

    def tell(self, resume: Resume) -> None:
        """Tell the searcher what became of the points that it proposed last."""
        if not self.asked:
            return
        told = []
        for point, trial in self.asked:
            if isinstance(trial, str):
                found: TriedRecord = {"id": None, "point": point, "status": "failed", "value": None, "error": trial}
                course: dict[int, float] = {}
            else:
                record, rows = resume.result(trial)
                found, course = self.result(point, trial, record), self.course(rows)
            self.tried.append(found)
            self.courses.append(course)
            told.append(
                Tried(point, found["value"], pruned=found["status"] == "pruned", course=tuple(sorted(course.items())))
            )
        self.asked = []
        self.searcher.tell(told)
        seconds = sum(one.get("seconds", 0.0) for one in self.tried)
        steps = sum(one.get("steps", 0) for one in self.tried)
        lost = [one["status"] in ("failed", "timeout") for one in self.tried[-max(IN_A_ROW, len(told)) :]]
        given_up = len(lost) >= IN_A_ROW and all(lost)
        self.ended = given_up or self.search.spent(len(self.tried), seconds=seconds, steps=steps)

    def result(self, point: Point, trial: Trial, record: TrialRecord | None) -> TriedRecord:
        """What became of a trial."""
        if record is None:
            return {"id": trial.id, "point": point, "status": "failed", "value": None, "error": "it left no result"}
        measured = record.get("measurements", {})
        by = self.search.by
        value = measured.get(by) if self.search.metric is None else record.get("metrics", {}).get(by)
        done = record["status"] == "done"
        found: TriedRecord = {
            "id": trial.id,
            "point": point,
            "status": "done" if done else "timeout" if record["status"] == "timeout" else "failed",
            "value": float(value) if done and isinstance(value, (int, float)) and math.isfinite(value) else None,
            "validation_loss": measured.get("validation_loss"),
            "validation_accuracy": measured.get("validation_accuracy"),
            "steps": int(measured.get("steps") or 0),
            "seconds": float(measured.get("train_seconds") or 0.0),
        }
        if done and measured.get("pruned"):
            found |= {"status": "pruned", "value": None, "epoch": int(measured.get("epochs") or 0)}
        if not done:
            found["error"] = record.get("error", {}).get("message", record["status"])
        elif found["value"] is None and found["status"] == "done":
            reason = {**record.get("no_values", {}), **record.get("metric_problems", {})}.get(by, "it is not finite")
            found |= {"status": "failed", "error": f"there is no {by}: {reason}"}
        return found

    def course(self, rows: Sequence[HistoryRow]) -> dict[int, float]:
        """The figure that is looked at after each whole epoch, where the history has it."""
        found = {}
        for row in rows:
            value, epoch = row.get(self.search.by), row.get("epoch")
            if isinstance(value, (int, float)) and epoch is not None and epoch == int(epoch):
                found[int(epoch)] = float(value)
        return found

    def stops(self) -> Iterator[tuple[int, float]]:
        """After which epochs the trials of the next round end, and if their figure is worse than what.

        It is fixed when a round begins, from the rounds before, so that no trial depends on how fast another is.
        """
        pruner, best_first = self.search.table.pruner, self.search.higher_is_better
        epochs = sorted({epoch for course in self.courses for epoch in course}) if pruner is not None else []
        for epoch in epochs:
            values = sorted((course[epoch] for course in self.courses if epoch in course), reverse=best_first)
            if isinstance(pruner, MedianPruner) and epoch >= pruner.after and len(values) >= pruner.least:
                yield epoch, statistics.median(values)
            elif isinstance(pruner, HalvingPruner) and len(values) >= pruner.reduction and _is_rung(epoch, pruner):
                yield epoch, values[len(values) // pruner.reduction - 1]

    @property
    def chosen(self) -> int | None:
        """The place of the best trial, the first of equals; None as long as the search goes on."""
        sign = 1 if self.search.higher_is_better else -1
        found = [(sign * one["value"], -place) for place, one in enumerate(self.tried) if one["value"] is not None]
        return -max(found)[1] if found and self.ended else None

    @property
    def record(self) -> RepeatRecord:
        """What searches.json says of it."""
        return {"trials": list(self.tried), "chosen": self.chosen, "ended": self.ended}


def _is_rung(epoch: int, pruner: HalvingPruner) -> bool:
    """Whether trials are compared at an epoch: `first` times a power of `reduction`."""
    rung = pruner.first
    while rung < epoch:
        rung *= pruner.reduction
    return rung == epoch
