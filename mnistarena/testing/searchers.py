"""The checks of a searcher."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

from mnistarena.errors import ArenaError
from mnistarena.plugin.search import Searcher, SearcherDef, SearchTask
from mnistarena.plugin.space import Space
from mnistarena.testing.check import Check, Nonconformity, NotApplicable, describe
from mnistarena.testing.component import ComponentUnderTest, run_probe
from mnistarena.testing.searches import MIXED, SPACES, ask, eventful, finished, mirrored, search, share
from mnistarena.text import a

FEW = 6
"""Trials of a search that has a small budget of trials; the others have none."""

LEARNING_ROUNDS = 15


class SearcherUnderTest(ComponentUnderTest):
    """A searcher, tried on spaces of three kinds; it is judged on those that it takes."""

    kind = "searcher"
    definition: SearcherDef

    def checks(self) -> list[Check]:
        """The checks of a searcher."""
        return [
            *super().checks(),
            Check("starts", "start returns a searcher, or raises an ArenaError", function=self.check_starts),
            Check("points", "every point lies in the space", function=self.check_points),
            Check("count", "it gives no more points than it is asked for", function=self.check_count),
            Check("outcomes", "it goes on after trials that failed or were pruned", function=self.check_outcomes),
            Check("direction", "what it learns from leads it to better values", function=self.check_direction),
            Check("repeatable", "the same calls give the same points", function=self.check_repeatable),
            Check("elsewhere", "another process gives the same points", function=self.check_elsewhere),
            Check("seed", "another seed gives other points", function=self.check_seed),
        ]

    def start(self, space: Space, seed: int = 0, *, higher: bool = True, trials: int | None = None) -> Searcher:
        """The searcher of a search."""
        task = SearchTask(space, seed, higher_is_better=higher, trials=trials)
        return self.definition.start(self.params, task)

    @cached_property
    def refused(self) -> dict[str, str]:
        """The spaces that it does not take, and its sentence for each. Raises `Nonconformity` for another error."""
        found = {}
        for name, space in SPACES.items():
            try:
                self.start(space)
            except ArenaError as problem:
                found[name] = str(problem)
            except Exception as problem:
                raise Nonconformity(
                    f"a space {name} made start raise {describe(problem)}; raise an ArenaError with a sentence where "
                    "it cannot search a space"
                ) from problem
        if len(found) == len(SPACES):
            raise Nonconformity("it takes no space, not even one of lists: " + found["of lists"])
        return found

    def starters(self) -> Iterator[tuple[Space, Callable[..., Searcher]]]:
        """Each space that it takes, and what starts the searcher there."""
        for name, space in SPACES.items():
            if name not in self.refused:
                yield space, partial(self.start, space)

    def check_starts(self) -> None:
        """What start returns has `ask` and `tell`; a space that it cannot search gets a sentence."""
        for _, start in self.starters():
            searcher = start()
            for name in ("ask", "tell"):
                if not callable(getattr(searcher, name, None)):
                    raise Nonconformity(f"start returned {a(type(searcher).__name__)}, which has no {name}()")
        silent = [name for name, sentence in self.refused.items() if not sentence.strip()]
        if silent:
            raise Nonconformity(f"a space {silent[0]} is refused without a word; say what it cannot search")

    def check_points(self) -> None:
        """Points have each parameter that counts, within its domain, whether higher or lower is better."""
        for space, start in self.starters():
            for higher, trials in ((True, None), (False, None), (True, FEW)):
                found = search(start(higher=higher, trials=trials), space, 5)
                if not found:
                    raise Nonconformity("the first ask gave no point")

    def check_count(self) -> None:
        """It gives no more points than it is asked for, be it one or more than there are; once all are given, none."""
        for space, start in self.starters():
            searcher = start()
            for count in (1, 3, 40, 4):  # the lists have 36 points
                points = ask(searcher, space, count)
                searcher.tell([finished(space, point, 0) for point in points])

    def check_outcomes(self) -> None:
        """Trials that failed, were pruned or finished are told, at first failures alone; it goes on."""
        for space, start in self.starters():
            search(start(), space, 6, outcome=eventful)

    def check_direction(self) -> None:
        """Where its points depend on what it is told, later ones are better, in the direction that is asked for."""
        if "of every kind of parameter" in self.refused:
            raise NotApplicable("it searches lists only")
        told = {
            "higher": search(self.start(MIXED), MIXED, LEARNING_ROUNDS),
            "lower": search(self.start(MIXED, higher=False), MIXED, LEARNING_ROUNDS),
            "mirrored": search(self.start(MIXED), MIXED, LEARNING_ROUNDS, outcome=mirrored),
        }
        if told["higher"] == told["mirrored"]:
            return  # it learns nothing
        higher, lower = (
            statistics.fmean(share(MIXED[0].domain, point[MIXED[0].name]) for point in points[len(points) // 2 :])
            for points in (told["higher"], told["lower"])
        )
        if higher <= lower:
            raise Nonconformity(
                f"told values from 0 to 1, its later points have {higher:.2f} on average where higher is better, and "
                f"{lower:.2f} where lower is; look at higher_is_better"
            )

    def check_repeatable(self) -> None:
        """Started and told alike, it proposes alike: a run that is continued makes the same calls again."""
        for space, start in self.starters():
            one, two = (search(start(), space, 6, outcome=eventful) for _ in range(2))
            if one != two:
                number = next(index for index, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1])
                raise Nonconformity(
                    f"the same calls gave another point {number + 1}; seed all that it draws from with task.seed, or "
                    "a run that is continued tries other points"
                )

    def check_elsewhere(self) -> None:
        """A process of its own, in which texts have other hashes, proposes the same points."""
        name = next(name for name in SPACES if name not in self.refused)
        here = search(self.start(SPACES[name]), SPACES[name], 6, outcome=eventful)
        probe = run_probe("search_probe", self.module, self.definition.name, self.params.model_dump_json(), name)
        if "error" in probe:
            raise NotApplicable(f"{self.module} cannot be tried in a process of its own: {probe['error']}")
        if probe["points"] != plain(here):
            raise Nonconformity(
                "another process gave other points; go through no set of texts, whose order is another in each process"
            )

    def check_seed(self) -> None:
        """Two seeds give different points; a searcher of lists alone may go through them in order."""
        if "of every kind of parameter" in self.refused:
            raise NotApplicable("it searches lists only, which it may go through in order")
        one, two = (search(self.start(MIXED, seed), MIXED, 3) for seed in (0, 1))
        if one == two:
            raise Nonconformity("two seeds gave the same points; draw from a generator that task.seed seeds")


def plain(points: Any) -> Any:
    """Points as JSON gives them back."""
    return json.loads(json.dumps(points))
