"""The built-in searchers: what "random" draws, and in which order "grid" goes."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from mnistarena import ArenaError, Between, OneOf, Parameter, SearchTask
from mnistarena.builtin.searchers import arena_searchers

SEARCHERS = {definition.name: definition for definition in arena_searchers()}
NORM = Parameter("params.norm", OneOf((True, False)))
MOMENTUM = Parameter("params.momentum", OneOf((0.1, 0.5)), when={"params.norm": (True,)})
HIDDEN = Parameter("params.hidden", OneOf(([], [8])))


def start(name, *space, seed=0):
    definition = SEARCHERS[name]
    return definition.start(definition.params(), SearchTask(space, seed, higher_is_better=True))


def drawn(domain, count=6000):
    return [point["x"] for point in start("random", Parameter("x", domain)).ask(count)]


def near(counts, share):
    """Whether each of some counts is a share of 6000, within 5 standard deviations."""
    return all(abs(count - 6000 * share) < 5 * math.sqrt(6000 * share * (1 - share)) for count in counts)


def test_random_numbers_are_even_over_their_interval_or_over_its_logarithm():
    quarters = Counter(int((value - 2) / 2) for value in drawn(Between(2, 10)))
    assert quarters.keys() == {0, 1, 2, 3}
    assert near(quarters.values(), 1 / 4)
    decades = Counter(math.floor(math.log10(value)) for value in drawn(Between(1e-4, 1, log=True)))
    assert decades.keys() == {-4, -3, -2, -1}
    assert near(decades.values(), 1 / 4)


def test_whole_numbers_have_equal_room_those_at_the_ends_too():
    counts = Counter(drawn(Between(1, 4, integer=True)))
    assert counts.keys() == {1, 2, 3, 4}
    assert near(counts.values(), 1 / 4)
    assert all(type(value) is int for value in counts)
    on_a_logarithm = Counter(drawn(Between(1, 3, integer=True, log=True)))
    for value, count in on_a_logarithm.items():
        assert near([count], math.log((value + 0.5) / (value - 0.5)) / math.log(3.5 / 0.5))
    assert on_a_logarithm.keys() == {1, 2, 3}


def test_values_of_a_list_are_equally_likely_and_a_condition_holds():
    assert near(Counter(map(str, drawn(OneOf((True, [1, 2], "a"))))).values(), 1 / 3)
    points = start("random", NORM, MOMENTUM).ask(200)
    assert {point["params.norm"] for point in points} == {True, False}
    for point in points:
        assert ("params.momentum" in point) == point["params.norm"]


def test_a_point_depends_on_the_seed_and_not_on_how_many_are_asked_for_at_once():
    space = (Parameter("x", Between(0.0, 1.0)), NORM)
    together, one_by_one = start("random", *space, seed=3), start("random", *space, seed=3)
    points = together.ask(6)
    assert points == [one_by_one.ask(1)[0] for _ in range(6)]
    assert points != start("random", *space, seed=4).ask(6)


def test_grid_goes_in_the_order_that_is_written_and_ends():
    grid = start("grid", NORM, MOMENTUM, HIDDEN)
    points = [*grid.ask(4), *grid.ask(4)]
    on, off = {"params.norm": True}, {"params.norm": False}
    assert points == [
        {**on, "params.momentum": 0.1, "params.hidden": []},
        {**on, "params.momentum": 0.1, "params.hidden": [8]},
        {**on, "params.momentum": 0.5, "params.hidden": []},
        {**on, "params.momentum": 0.5, "params.hidden": [8]},
        {**off, "params.hidden": []},
        {**off, "params.hidden": [8]},
    ]
    assert grid.ask(4) == []


def test_grid_refuses_what_is_no_list():
    with pytest.raises(
        ArenaError, match=r'"params.rate" lies between 0 and 0.5; give a list of values, or use another'
    ):
        start("grid", NORM, Parameter("params.rate", Between(0.0, 0.5)))
