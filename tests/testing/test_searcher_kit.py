"""The kit names the defect of a broken searcher, and nothing in a sound one."""

from __future__ import annotations

import random

import pytest

from mnistarena import ArenaError, OneOf, Params, SearcherDef
from mnistarena.builtin.searchers import RandomSearcher, arena_searchers
from mnistarena.testing import checks


class NoParams(Params):
    """No parameters."""


def searcher(start):
    return SearcherDef("mine", "a searcher", params=NoParams, start=lambda params, task: start(task))


def outcome_of(definition, name, **options):
    (check,) = [check for check in checks(definition, **options) if check.name == name]
    return check.outcome()


@pytest.mark.parametrize("definition", list(arena_searchers()), ids=lambda d: d.name)
def test_what_is_built_in_passes(definition):
    found = {check.name: check.outcome() for check in checks(definition)}
    wanted = {"direction", "seed"} if definition.name == "grid" else set()
    assert {name for name, outcome in found.items() if outcome.status != "passed"} == wanted
    assert all(found[name].status == "skipped" for name in wanted)


class Unconditional(RandomSearcher):
    """Gives every parameter a value, whether it counts or not."""

    def point(self):
        return {one.name: self.value(one.domain) for one in self.space}


class Positions(RandomSearcher):
    """Gives a value of a list as its position."""

    def value(self, domain):
        value = super().value(domain)
        return domain.values.index(value) if isinstance(domain, OneOf) else value


class Rounded(RandomSearcher):
    """Rounds numbers beyond their bounds."""

    def value(self, domain):
        value = super().value(domain)
        return round(value, 1) if isinstance(value, float) else value


class Generous(RandomSearcher):
    """Gives points in fours."""

    def ask(self, count):
        return super().ask(-(-count // 4) * 4)


class Unseeded(RandomSearcher):
    """Draws from the system's generator."""

    def __init__(self, task):
        super().__init__(task)
        self.random = random.SystemRandom()


class Seedless(RandomSearcher):
    """Draws the same points for every seed."""

    def __init__(self, task):
        super().__init__(task)
        self.random = random.Random(7)


class Best(RandomSearcher):
    """Looks for the best value, and expects one of each trial."""

    def tell(self, tried):
        self.best = max(one.value for one in tried)


class Follows(RandomSearcher):
    """Draws near the best point so far."""

    def __init__(self, task):
        super().__init__(task)
        self.best, self.sign = None, 1 if task.higher_is_better else -1

    def point(self):
        found, name = super().point(), self.space[0].name
        if self.best is not None and self.random.random() < 0.8:
            found[name] = self.best.point[name]
        return found

    def tell(self, tried):
        known = [one for one in (self.best, *tried) if one is not None and one.value is not None]
        self.best = max(known, key=lambda one: self.sign * one.value, default=None)


class Maximises(Follows):
    """Takes the highest value for the best."""

    def __init__(self, task):
        super().__init__(task)
        self.sign = 1


def picky(task):
    return {parameter.domain.values: parameter for parameter in task.space}


def useless(task):
    raise ArenaError("nothing can be searched")


@pytest.mark.parametrize(
    ("start", "check", "words"),
    [
        (picky, "starts", "raise an ArenaError with a sentence"),
        (useless, "starts", "it takes no space, not even one of lists: nothing can be searched"),
        (lambda task: object(), "starts", "an object, which has no ask()"),
        (Unconditional, "points", "does not count there; ask parameter.counts(point)"),
        (Positions, "points", "and may be one of ['sgd', 'adam']"),
        (Rounded, "points", "and may be a number from 0.0001 to 1"),
        (Generous, "count", "asked for 1 points, it gave 4"),
        (Best, "outcomes", "TypeError"),
        (Maximises, "direction", "look at higher_is_better"),
        (Unseeded, "repeatable", "the same calls gave another point 1; seed all"),
        (Seedless, "seed", "two seeds gave the same points"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_searcher(start, check, words):
    outcome = outcome_of(searcher(start), check)
    assert outcome.status == "failed"
    assert words in outcome.message


def test_one_that_learns_passes():
    assert outcome_of(searcher(Follows), "direction").status == "passed"


HASHED = '''
from mnistarena import Params, SearcherDef, hookimpl
from mnistarena.builtin.searchers import RandomSearcher


class Hashed(RandomSearcher):
    """Draws in an order that each process has for itself."""

    def point(self):
        chosen = super().point()
        names = {f"training.{number}" for number in range(20)}
        self.random.seed(next(iter(names)) + str(self.random.random()))
        return chosen


@hookimpl
def arena_searchers():
    return [SearcherDef("hashed", "x", params=Params, start=lambda params, task: Hashed(task))]
'''


def test_points_that_depend_on_the_process(tmp_path, monkeypatch):
    (tmp_path / "hashed.py").write_text(HASHED)
    plugins = [tmp_path / "hashed.py"]
    assert outcome_of("hashed", "repeatable", plugins=plugins).status == "passed"
    # At least one of these processes has another order than this one, whichever order this one has.
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found.append(outcome_of("hashed", "elsewhere", plugins=plugins))
    assert any("another process gave other points; go through no set of texts" in one.message for one in found)
