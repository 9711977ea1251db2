"""Observers of plugins: what is told of a run while it goes on, such as a service that tracks experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from typing_extensions import Required, TypedDict

from mnistarena.environment import Conditions
from mnistarena.plugin.components import Params
from mnistarena.plugin.messages import HistoryRow, Measurements, StepsSaved


class SearchNumber(TypedDict):
    """Which trial of a search: its number in one of the search's repeats, both from 0."""

    repeat: int
    number: int


class TrialName(TypedDict, total=False):
    """Which trial; `split` where its dataset has several of them, `search` where it is a trial of one."""

    trial: Required[str]
    label: Required[str]
    dataset: Required[str]
    seed: Required[int]
    split: int
    search: SearchNumber


class EventError(TypedDict):
    """Why a trial has no results, None where that is not known; `stage` as for `ErrorDetails`."""

    type: str | None
    message: str | None
    stage: str | None


class RunEvent(TypedDict, total=False):
    """An event of a run, as observers are told it. docs/events.md says which keys each `event` has."""

    version: Required[int]
    event: Required[str]
    time: Required[str]
    trial: str
    label: str
    dataset: str
    seed: int
    split: int
    search: SearchNumber
    spec: str
    process: int
    mnistarena: str
    name: str
    folder: str
    trials: int | dict[str, int] | None
    waiting: list[TrialName]
    conditions: Conditions
    host: str | None
    stage: str
    step: int
    total: int
    loss: float | None
    row: HistoryRow
    seconds: float | None
    metrics: dict[str, float | None]
    measurements: Measurements
    error: EventError | str | None
    progress: StepsSaved | None
    seeds: int
    decided: int
    compared: int
    further: list[str]
    sentence: str
    outcome: str
    exit_status: int


Tell = Callable[[RunEvent], None]
"""Takes an event of a run, as docs/events.md has it. The event is the observer's own: nothing else uses it."""


@dataclass(frozen=True)
class ObserverDef:
    """Something that follows a run and that `arena run --observer` can name.

    `start(params)` returns a function that is given each event, from `planned` to `ended`, as docs/events.md has
    them. Both are called in a thread of their own. An exception costs the observer all further events, and the run
    nothing; an `ArenaError` is shown with its sentence alone.
    """

    name: str
    summary: str
    _: KW_ONLY
    params: type[Params]
    start: Callable[[Any], Tell]
