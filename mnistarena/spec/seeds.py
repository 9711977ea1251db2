"""The seeds of a spec: a list, or as many as decide."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from mnistarena.spec.table import Table
from mnistarena.stats.looks import LEAST_SEEDS, Looks, looks

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class SeedsUntil(Table):
    """`seeds = { until = "decided", most = 20 }`: seeds 0, 1, 2 … as long as they help to decide a comparison."""

    until: Literal["decided"] = Field(description="further seeds for recipes of a comparison that is undecided")
    most: int = Field(ge=2, le=1000, description="at most so many seeds of a recipe")
    least: int = Field(LEAST_SEEDS, ge=2, le=1000, description="the first look is after so many seeds, or after `most`")

    @model_validator(mode="after")
    def _fits_together(self) -> SeedsUntil:
        if self.least > self.most and "least" in self.model_fields_set:
            raise ValueError(f'"least" is {self.least}, and "most" is {self.most}; "most" must not be below "least"')
        return self

    @property
    def looks(self) -> Looks:
        """After how many seeds verdicts are asked for."""
        return looks(min(self.least, self.most), self.most)


def _kind_of_seeds(value: object) -> str:
    return "table[until]" if isinstance(value, (dict, SeedsUntil)) else "list[seed]"


Seeds = Annotated[
    Annotated[list[Seed], Field(min_length=1), Tag("list[seed]")] | Annotated[SeedsUntil, Tag("table[until]")],
    Discriminator(_kind_of_seeds),
]
