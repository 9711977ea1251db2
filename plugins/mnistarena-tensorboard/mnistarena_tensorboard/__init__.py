"""`tensorboard`: curves, figures and parameters of each trial as event files of TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import Field

from mnistarena import ObserverDef, Params, RunEvent, hookimpl


class TensorBoardParams(Params):
    """Parameters of `tensorboard`."""

    folder: str | None = Field(
        None, min_length=1, description="where the event files go; tensorboard/ in the run folder by default"
    )


def start(params: TensorBoardParams) -> Callable[[RunEvent], None]:
    """What takes the events."""
    from mnistarena_tensorboard.writing import EventFiles

    return EventFiles(params.folder).tell


@hookimpl
def arena_observers() -> Iterable[ObserverDef]:
    """`tensorboard`."""
    summary = "event files of TensorBoard: curves, figures and parameters of each trial"
    return [ObserverDef("tensorboard", summary, params=TensorBoardParams, start=start)]
