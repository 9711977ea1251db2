"""Seeds until decided: what each look at a dataset found, from the stored predictions alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.figure import deciding, margin_of
from mnistarena.evidence.pairs import Pair, compare
from mnistarena.evidence.recipe import RecipeEvidence, gather
from mnistarena.stats.course import Course
from mnistarena.stats.looks import Looks
from mnistarena.stats.verdicts import Judged
from mnistarena.store.records import DatasetLooks, DatasetRecord, LookedAt, LooksRecord
from mnistarena.store.results import StoredRun
from mnistarena.text import plural, series


@dataclass(frozen=True)
class Followed:
    """The way of a family of pairs through the looks that are complete.

    `pairs` have the verdict that stands and the figures of the look that gave it; of an undecided pair those of the
    last look that tested it. `hopeless` of them are undecided, and all seeds that there may be would hardly decide
    them. `asked` is the look up to which each recipe is asked for its seeds.
    """

    pairs: tuple[Pair, ...]
    asked: Mapping[str, int]
    _: KW_ONLY
    looks: tuple[LookedAt, ...]
    ended: bool
    hopeless: int

    def record(self) -> DatasetLooks:
        """What the run folder keeps of it."""
        return {"asked": dict(self.asked), "looks": list(self.looks)}


def follow(run: StoredRun, dataset: DatasetRecord) -> Followed | None:
    """Judge all pairs at each look that is complete: all of its trials ended. None: the number of seeds is fixed."""
    plan = run.plan.get("looks")
    if plan is None:
        return None
    reader = _Reader(run, dataset)
    labels, figure = reader.labels, deciding(run.plan)
    margin = margin_of(run.plan, figure)
    course = Course(
        Looks(tuple(plan["seeds"])),
        [reader.last(label) for label in labels],
        margin=margin,
        higher_is_better=figure.higher_is_better,
    )
    shown: dict[tuple[int, int], Pair] = {}
    told: list[LookedAt] = []
    while not course.ended:
        asked = dict(zip(labels, course.asked, strict=True))
        if not all(reader.is_complete(label, asked[label]) for label in labels):
            break
        recipes = [reader.recipe(label, asked[label]) for label in labels]
        _look(course, recipes, labels, shown)
        compared = [pair for pair in shown.values() if pair.difference is not None]
        told.append(
            {
                "seeds": plan["seeds"][course.number - 1],
                "decided": sum(pair.verdict != "undecided" for pair in compared),
                "compared": len(compared),
                "further": [label for label, look in zip(labels, course.asked, strict=True) if look > course.number],
            }
        )
    pairs = list(shown.values())
    if not told:
        pairs = compare([reader.recipe(label, 1) for label in labels], margin, judging=_not_yet)
    return Followed(
        tuple(pairs),
        dict(zip(labels, course.asked, strict=True)),
        looks=tuple(told),
        ended=course.ended,
        hopeless=sum(key in course.hopeless and key not in course.called for key in shown),
    )


def _not_yet(pairs: Sequence[Pair]) -> list[Judged]:
    return [Judged("undecided" if pair.difference else "not compared") for pair in pairs]


def _look(
    course: Course,
    recipes: Sequence[RecipeEvidence],
    labels: Sequence[str],
    shown: dict[tuple[int, int], Pair],
) -> None:
    """The next look; `shown` are the pairs to show, by the places of their recipes."""
    place = {label: number for number, label in enumerate(labels)}

    def judging(pairs: Sequence[Pair]) -> list[Judged]:
        return course.look([(place[pair.a], place[pair.b]) for pair in pairs], [pair.difference for pair in pairs])

    before = dict(course.called)
    pairs = compare(recipes, course.margin, judging=judging)
    found = {(place[pair.a], place[pair.b]): pair for pair in pairs}
    for key, pair in found.items():
        called = course.called.get(key)
        # What was called and is not any more, or anew, is shown as it is now.
        anew = before.get(key) != called or (not called and course.share(key) > 0)
        if key not in shown or pair.difference is None or anew:
            shown[key] = pair
    for key in shown.keys() - found.keys():
        del shown[key]


class _Reader:
    """The recipes of one dataset with the seeds of some looks only."""

    def __init__(self, run: StoredRun, dataset: DatasetRecord) -> None:
        self.run, self.dataset = run, dataset
        self.entries = {e["label"]: e for e in run.plan["entries"] if e["dataset"] == dataset["label"]}
        self.known: dict[tuple[str, int], RecipeEvidence] = {}

    @property
    def labels(self) -> list[str]:
        return list(self.entries)

    def last(self, label: str) -> int:
        """The last look that brings a recipe new seeds."""
        mine = (t for t in self.run.plan["trials"] if (t["label"], t["dataset"]) == (label, self.dataset["label"]))
        return max((trial.get("look", 1) for trial in mine), default=1)

    def is_complete(self, label: str, asked: int) -> bool:
        trials = self.run.of(label, self.dataset["label"])
        return not any(trial.status in ("pending", "interrupted") for trial in trials if trial.look <= asked)

    def recipe(self, label: str, asked: int) -> RecipeEvidence:
        if (label, asked) not in self.known:
            trials = tuple(t for t in self.run.of(label, self.dataset["label"]) if t.look <= asked)
            part = StoredRun(
                self.run.path,
                {**self.run.plan, "entries": [self.entries[label]]},
                environment={},
                spec="",
                trials=trials,
            )
            self.known[label, asked] = gather(part, self.dataset)[0]
        return self.known[label, asked]


def look_at(run: StoredRun) -> LooksRecord:
    """What the looks of a run decide, from its predictions; its trials as they are stored."""
    datasets = {}
    for dataset in run.plan["datasets"]:
        found = follow(run, dataset)
        if found is not None:
            datasets[dataset["label"]] = found.record()
    return {"datasets": datasets}


def sentence(look: LookedAt) -> str:
    """A look in words."""
    said = (
        f"after {plural(look['seeds'], 'seed')}, {look['decided']} of {plural(look['compared'], 'comparison')} decided"
    )
    return said + (f"; further seeds for {series(look['further'])}" if look["further"] else "; no further seeds")
