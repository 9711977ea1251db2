"""How soon, and with how many of its seeds, each recipe reaches the validation accuracy that the spec asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from mnistarena.evidence.recipe import RecipeEvidence
from mnistarena.report.format import NONE, names, percent, seconds
from mnistarena.text import plural


@dataclass(frozen=True)
class Reached:
    """A recipe's times to the target: `reached` of its `of` finished seeds reach it.

    `median` is over all finished seeds, those that missed it counted as later than any other; None where the median
    is one of those. `fastest` and `slowest` (s) are of the seeds that reached it.
    """

    label: str
    of: int
    _: KW_ONLY
    reached: int
    median: float | None
    fastest: float | None
    slowest: float | None

    @property
    def text(self) -> str:
        """Text such as "3.1 s" or, with the share, "3.1 s (9 of 10)" where a seed missed it."""
        if not self.of:
            return NONE
        share = "" if self.reached == self.of else f" ({self.reached} of {self.of})"
        return (NONE if self.median is None else seconds(self.median)) + share


def spelt(target: float) -> str:
    """0.99 as 99 %, 0.9925 as 99.25 %."""
    return percent(target, 2 if round(target * 100, 2) % 1 else 0)


def reached(recipe: RecipeEvidence, target: float) -> Reached:
    """The times of a recipe's finished trials to the target; nothing is known of a training elsewhere."""
    times = [trial.time_to(target) for trial in recipe.done if "brought" not in recipe.entry]
    got = sorted(time for time in times if time is not None)
    late = got + [math.inf] * (len(times) - len(got))
    middle = (late[(len(late) - 1) // 2] + late[len(late) // 2]) / 2 if late else math.inf
    return Reached(
        recipe.label,
        len(times),
        reached=len(got),
        median=middle if math.isfinite(middle) else None,
        fastest=got[0] if got else None,
        slowest=got[-1] if got else None,
    )


def answer(found: Sequence[Reached], target: float, mixed: Sequence[str]) -> str:
    """Which recipe reaches the target first."""
    able = sorted((one for one in found if one.median is not None), key=lambda one: one.median or 0.0)
    missed = [one.label for one in found if one.of and not one.reached]
    goal = f"{spelt(target)} on the validation images"
    if not able:
        said = f"No model reaches {goal} with most of its seeds"
    elif mixed:
        said = f"The trials ran under different conditions, so who reaches {goal} first is not ranked"
    else:
        first = able[0]
        said = (
            f"In this run {first.label} reaches {goal} first, after {seconds(first.median)} of training in the median "
            f"({first.reached} of {plural(first.of, 'seed')} {'does' if first.reached == 1 else 'do'})"
        )
        if len(able) > 1:
            said += f"; next is {able[1].label} after {seconds(able[1].median)} ({able[1].reached} of {able[1].of})"
    return said + (f". Never: {names(missed)}." if missed and able else ".")
