"""Who is asked and told while a training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from mnistarena.engine.prediction import Scores
from mnistarena.plugin.messages import HistoryRow


def _ignore(*news: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Watch:
    """Who is asked and told while a training runs.

    `validate()` gives the scores on the validation split (empty where there is none); `on_row(row)` gets each row
    of the history, `on_step(step, total, mean loss)` news about once a second; `note(sentence)` what the model notes.
    `prunes(row)` says whether the training ends after a row because it is hopeless.
    """

    validate: Callable[[], Scores] = lambda: {}
    on_row: Callable[[HistoryRow], None] = _ignore
    _: KW_ONLY
    on_step: Callable[[int, int, float], None] = _ignore
    note: Callable[[str], None] = _ignore
    prunes: Callable[[HistoryRow], bool] = lambda row: False
