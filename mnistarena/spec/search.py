"""The tables of a search: its budget, what it looks at, what ends hopeless trials, and the domain of a parameter."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, model_validator

from mnistarena.spec.problems import TomlTable
from mnistarena.spec.seeds import Seed
from mnistarena.spec.table import ComponentEntry, Table
from mnistarena.spec.units import duration

LOSS, ACCURACY = "validation_loss", "validation_accuracy"
"""What every trial with validation images has, beside metrics."""


class MedianPruner(Table):
    """`{ name = "median" }`: a trial ends after an epoch in which it is worse than the median of the trials before."""

    name: Literal["median"]
    after: int = Field(1, ge=1, description="epochs that every trial has")
    least: int = Field(5, ge=1, description="so many trials before it must have that epoch")


class HalvingPruner(Table):
    """`{ name = "asha" }`: at epochs 1, 3, 9 … a trial goes on where it is among the best third of the trials before.

    Successive halving (Li et al. 2020, MLSys): `reduction` is that 3, `first` that 1.
    """

    name: Literal["asha"]
    first: int = Field(1, ge=1, description="the first epoch at which trials are compared")
    reduction: int = Field(3, ge=2, description="one in so many goes on; and the factor between two such epochs")


class SearchTable(Table):
    """`[search]`: parameters chosen by validation images, with the same budget for every model."""

    trials: int | None = Field(None, ge=1, le=100_000, description="how many points are tried, of each model")
    time: Annotated[str, AfterValidator(duration)] | None = Field(
        None, description='instead of trials: seconds of training of each model, such as "10m"'
    )
    steps: int | None = Field(None, ge=1, description="instead of trials: steps of training of each model")
    by: str | ComponentEntry = Field(
        LOSS, description='what is looked at, on validation images: "validation_loss", "validation_accuracy", a metric'
    )
    searcher: str | ComponentEntry = Field("optuna", description="what proposes points: `arena list searchers`")
    at_once: int = Field(4, ge=1, le=1000, description="so many points are proposed together, whatever --jobs says")
    pruner: Annotated[MedianPruner | HalvingPruner, Discriminator("name")] | None = Field(
        None, description='ends hopeless trials early: { name = "median" } or { name = "asha" }'
    )
    seed: Seed = Field(0, description="of the proposals, and of the trials of the search")
    seeds: list[Seed] | None = Field(
        None, min_length=1, description="of the chosen recipes, in place of the benchmark's"
    )
    repeats: int = Field(
        1, ge=1, le=1000, description="how often the whole search is done: each of as many seeds has one of its own"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> SearchTable:
        given = [key for key in ("trials", "time", "steps") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"a search has one budget: give {' or '.join(given)}")
        if self.pruner is not None and self.by_entry.name not in (LOSS, ACCURACY):
            raise ValueError(
                f'a pruner looks at what is known after each epoch: by = "{LOSS}" or "{ACCURACY}", not '
                f'"{self.by_entry.name}"'
            )
        return self

    @property
    def by_entry(self) -> ComponentEntry:
        """What is looked at, as a table."""
        return ComponentEntry(name=self.by) if isinstance(self.by, str) else self.by

    @property
    def searcher_entry(self) -> ComponentEntry:
        """The searcher, as a table."""
        return ComponentEntry(name=self.searcher) if isinstance(self.searcher, str) else self.searcher


class DomainTable(Table):
    """What a parameter of a search may be: `{ low = 1e-4, high = 0.1, log = true }`, or `{ values = [16, 32] }`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    low: int | float | None = Field(None, description="the lowest number")
    high: int | float | None = Field(None, description="the highest number")
    log: bool = Field(False, description="evenly over the logarithm")
    values: list[Any] | None = Field(None, min_length=1, description="what it may be, in place of bounds")
    when: TomlTable = Field({}, description="counts only where other parameters of the search have these values")

    @model_validator(mode="after")
    def _fits_together(self) -> DomainTable:
        if self.values is not None:
            if self.low is not None or self.high is not None or self.log:
                raise ValueError('give "values" alone, or "low" and "high"')
            return self
        if self.low is None or self.high is None:
            missing = "low" if self.low is None else "high"
            raise ValueError(f'"{missing}" is missing: a range has "low" and "high", a list has "values"')
        if not self.low < self.high:
            raise ValueError(f'"low" is {self.low:g}, and "high" is {self.high:g}; "low" must be below "high"')
        if self.log and self.low <= 0:
            raise ValueError(f'"low" is {self.low:g}, which has no logarithm; give one above 0, or leave "log" out')
        return self
