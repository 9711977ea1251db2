"""What a check is, and what becomes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mnistarena.errors import ArenaError


class Nonconformity(AssertionError):
    """A promise that a plugin does not keep: what was found, with figures, and what to do."""


class NotApplicable(Exception):
    """A check that says nothing of this component, or that an earlier failure makes impossible."""


class Outcome(NamedTuple):
    """What became of a check; `message` says why it failed or was skipped."""

    status: Literal["passed", "failed", "skipped"]
    message: str = ""


@dataclass(frozen=True)
class Check:
    """One promise: its name, what it means, and a function that raises where it is not kept."""

    name: str
    meaning: str
    function: Callable[[], None]

    def run(self) -> None:
        """Raises `Nonconformity` where the promise is not kept, `NotApplicable` where it cannot be tried.

        An exception out of the plugin's own code is a promise not kept, too.
        """
        try:
            self.function()
        except (Nonconformity, NotApplicable):
            raise
        except ArenaError as problem:
            raise Nonconformity(str(problem)) from problem
        except Exception as problem:
            raise Nonconformity(raised(problem)) from problem

    def outcome(self) -> Outcome:
        """The same as a value."""
        try:
            self.run()
        except Nonconformity as problem:
            return Outcome("failed", str(problem))
        except NotApplicable as reason:
            return Outcome("skipped", str(reason))
        return Outcome("passed")


def raised(problem: BaseException) -> str:
    """An exception with the place that it came from: `ValueError: … (network.py, line 12)`."""
    frames = traceback.extract_tb(problem.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(problem).__name__}: {problem}{where}"


def shape_of(shape: tuple[int, ...]) -> str:
    """`1 × 28 × 28`."""
    return " × ".join(map(str, shape))
