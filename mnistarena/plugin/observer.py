"""Observers of plugins: what is told of a run while it goes on, such as a service that tracks experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from mnistarena.plugin.components import Params

Tell = Callable[[dict[str, Any]], None]
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
