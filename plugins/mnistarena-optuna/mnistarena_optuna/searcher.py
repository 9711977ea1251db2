"""A study of Optuna, asked and told."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GridSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from mnistarena import ArenaError, Between, OneOf, Parameter, SearchTask, Tried
from mnistarena_optuna import OptunaParams

STARTUP = 10
"""Trials that TPE waits for by default, as Optuna has it."""

LARGEST_GRID = 100_000
"""Points of a grid at most: Optuna holds all of them in memory."""


class OptunaSearcher:
    """Points of an Optuna study in memory. A value of a list stands in the study as its position in the list."""

    def __init__(self, params: OptunaParams, task: SearchTask) -> None:
        self.space = task.space
        self.sampler = params.sampler_for(task)
        self.distributions = {one.name: distribution(one.domain, self.sampler) for one in task.space}
        self.left = grid_size(task.space) if self.sampler == "grid" else math.inf
        self.asked: list[Trial] = []
        with quiet():
            self.study = optuna.create_study(
                sampler=make_sampler(self.sampler, params, task),
                direction="maximize" if task.higher_is_better else "minimize",
            )
            if self.sampler == "quasi-random":
                # Sobol's sequence is of the parameters that the first trial had: give it all of them before it begins.
                first = self.study.ask(self.distributions)
                self.study.tell(first, state=TrialState.PRUNED)

    def ask(self, count: int) -> list[dict[str, Any]]:
        """`count` points; of a grid no more than are left."""
        number = int(min(count, self.left))
        self.left -= number
        with quiet():
            self.asked = [self.study.ask() for _ in range(number)]
            return [self.point(trial) for trial in self.asked]

    def point(self, trial: Trial) -> dict[str, Any]:
        """The point of a trial; only parameters that count there are suggested."""
        found: dict[str, Any] = {}
        for parameter in self.space:
            if parameter.counts(found):
                domain = parameter.domain
                value = suggest(trial, parameter.name, self.distributions[parameter.name])
                found[parameter.name] = domain.values[value] if isinstance(domain, OneOf) else value
        return found

    def tell(self, tried: Sequence[Tried]) -> None:
        """The values of the points asked for last; TPE alone learns from them."""
        if self.sampler != "tpe":
            return
        with quiet():
            for trial, one in zip(self.asked, tried, strict=True):
                self.tell_one(trial, one)

    def tell_one(self, trial: Trial, tried: Tried) -> None:
        """What became of a trial."""
        if tried.pruned:
            for epoch, value in tried.course:
                trial.report(value, epoch)
            self.study.tell(trial, state=TrialState.PRUNED)
        elif tried.value is None or not math.isfinite(tried.value):
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, tried.value)


def make_sampler(name: str, params: OptunaParams, task: SearchTask) -> BaseSampler:
    """One of Optuna's samplers, seeded."""
    seed = task.seed % 2**32
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "quasi-random":
        return QMCSampler(scramble=True, seed=seed)
    if name == "grid":
        positions = {
            one.name: list(range(len(one.domain.values))) for one in task.space if isinstance(one.domain, OneOf)
        }
        return GridSampler(positions, seed=seed)
    startup = STARTUP if params.startup is None else params.startup
    # "group" models jointly what counts in the same points, so that conditions do not exclude parameters from it.
    return TPESampler(n_startup_trials=startup, seed=seed, multivariate=True, group=True, constant_liar=True)


def grid_size(space: Sequence[Parameter]) -> int:
    """How many points a grid has. Raises `ArenaError` where the space is no grid, or too large a one."""
    size = 1
    for parameter in space:
        domain = parameter.domain
        if isinstance(domain, Between):
            raise ArenaError(
                f'the sampler "grid" tries every value, and "{parameter.name}" lies between {domain.low:g} and '
                f"{domain.high:g}; give a list of values, or use another sampler"
            )
        if parameter.when:
            raise ArenaError(
                f'Optuna\'s sampler "grid" has no conditions, and "{parameter.name}" has one; '
                'use the searcher "grid", or another sampler'
            )
        size *= len(domain.values)
    if size > LARGEST_GRID:
        raise ArenaError(
            f'the grid has {size:,} points, and Optuna\'s sampler "grid" holds {LARGEST_GRID:,} at most; '
            'use the searcher "grid", or another sampler'
        )
    return size


def distribution(domain: Between | OneOf, sampler: str) -> BaseDistribution:
    """What Optuna calls a parameter's domain."""
    if isinstance(domain, OneOf):
        positions = range(len(domain.values))
        # Optuna 4 leaves categories out of its quasi-random sequences.
        if sampler == "quasi-random" or increasing(domain.values):
            return IntDistribution(0, positions[-1])
        return CategoricalDistribution(positions)
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def increasing(values: Sequence[Any]) -> bool:
    """Whether all are numbers, each greater than the one before."""
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return numbers and all(one < other for one, other in pairwise(values))


def suggest(trial: Trial, name: str, of: BaseDistribution) -> Any:
    """A value of a distribution."""
    if isinstance(of, CategoricalDistribution):
        return trial.suggest_categorical(name, of.choices)
    if isinstance(of, IntDistribution):
        return trial.suggest_int(name, of.low, of.high, log=of.log)
    assert isinstance(of, FloatDistribution)
    return trial.suggest_float(name, of.low, of.high, log=of.log)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing meanwhile: that an option is experimental, that a study begins, how a point was drawn."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
