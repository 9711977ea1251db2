"""A check of a component, and its outcome."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mnistarena.errors import ArenaError


class Nonconformity(AssertionError):
    """A promise that a component does not keep: what was found, with figures, and what to do."""


class NotApplicable(Exception):
    """A check that does not apply to this component, or that cannot be run because another one fails."""


class Outcome(NamedTuple):
    """The outcome of a check; `message` says why it failed or was skipped."""

    status: Literal["passed", "failed", "skipped"]
    message: str = ""


@dataclass(frozen=True)
class Check:
    """A check of one promise: its name, its meaning, and a function that raises where the promise is not kept."""

    name: str
    meaning: str
    _: KW_ONLY
    function: Callable[[], None]

    def run(self) -> None:
        """Raises `Nonconformity` where the promise is not kept, `NotApplicable` where the check cannot be run.

        An exception that comes out of the plugin's own code counts as a promise that is not kept.
        """
        try:
            self.function()
        except (Nonconformity, NotApplicable):
            raise
        except ArenaError as problem:
            raise Nonconformity(str(problem)) from problem
        except Exception as problem:
            raise Nonconformity(describe(problem)) from problem

    def outcome(self) -> Outcome:
        """Run the check; its outcome is returned, not raised."""
        try:
            self.run()
        except Nonconformity as problem:
            return Outcome("failed", str(problem))
        except NotApplicable as reason:
            return Outcome("skipped", str(reason))
        return Outcome("passed")


def describe(problem: BaseException) -> str:
    """An exception and where it was raised: `ValueError: … (network.py, line 12)`."""
    frames = traceback.extract_tb(problem.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(problem).__name__}: {problem}{where}"


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for people: `1 × 28 × 28`."""
    return " × ".join(map(str, shape))
