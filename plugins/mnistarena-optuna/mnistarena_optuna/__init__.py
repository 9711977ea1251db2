"""`optuna`: searches by the samplers of Optuna."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mnistarena import Params, SearcherDef, SearchTask, hookimpl

if TYPE_CHECKING:
    from mnistarena_optuna.searcher import OptunaSearcher

FEW_TRIALS = 10
"""Below so many trials "auto" covers the space evenly: TPE would have learned from too few."""


class OptunaParams(Params):
    """Parameters of `optuna`."""

    sampler: Literal["auto", "tpe", "quasi-random", "grid", "random"] = Field(
        "auto",
        description="tpe: a tree-structured Parzen estimator, learns from the trials before; quasi-random: a scrambled "
        "Sobol sequence; grid: every point of a space of lists, in random order; random: independent points; auto: "
        f"quasi-random where fewer than {FEW_TRIALS} trials are asked for, else tpe",
    )
    startup: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="trials that must have a value before TPE uses them, 10 by default; points until then are random",
    )

    @model_validator(mode="after")
    def _startup_is_used(self) -> OptunaParams:
        if self.startup is not None and self.sampler not in ("auto", "tpe"):
            raise ValueError(f'"startup" is of the sampler "tpe", and the sampler is "{self.sampler}"; leave it out')
        return self

    def sampler_for(self, task: SearchTask) -> str:
        """The sampler's name, once "auto" is decided."""
        if self.sampler != "auto":
            return self.sampler
        return "quasi-random" if task.trials is not None and task.trials < FEW_TRIALS else "tpe"


def start(params: OptunaParams, task: SearchTask) -> OptunaSearcher:
    """The searcher. Raises `ArenaError` where the sampler cannot search that space."""
    from mnistarena_optuna.searcher import OptunaSearcher

    return OptunaSearcher(params, task)


@hookimpl
def arena_searchers() -> Iterable[SearcherDef]:
    """`optuna`."""
    return [SearcherDef("optuna", "the samplers of Optuna: TPE, quasi-random, …", params=OptunaParams, start=start)]
