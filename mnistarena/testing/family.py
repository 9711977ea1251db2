"""What the two families of models, torch modules and scikit-learn classifiers, each provide for their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output

if TYPE_CHECKING:
    from mnistarena.testing.model_under_test import ModelUnderTest


@dataclass(frozen=True)
class Family:
    """A family of models: what one is called, and its own checks, by the name of the check.

    `train(model)` returns a built model after the short training. `answer_problem(built, task, output)` says what is
    wrong with the answers of a built model to images of a task, or None.
    """

    name: str
    checks: Mapping[str, Callable[[ModelUnderTest], None]]
    _: KW_ONLY
    train: Callable[[ModelUnderTest], Any]
    answer_problem: Callable[[Any, Task, Output], str | None]
