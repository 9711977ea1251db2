"""How a run is carried out, as far as its user says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from mnistarena.errors import ArenaError


@dataclass(frozen=True)
class Options:
    """How to run; None means: as the first start of this run chose, else a sensible default.

    `memory_limit` is in bytes, for each trial; `checkpoint_every` in seconds. `executor` names what runs the
    trials, `executor_params` its parameters. `observers` are told what happens: the parameters of each, by its name.
    """

    device: str | None = None
    jobs: int | None = None
    _: KW_ONLY
    threads: int | None = None
    force: bool = False
    retry_failed: bool = False
    memory_limit: int | None = None
    checkpoint_every: float = 30.0
    executor: str = "local"
    executor_params: Mapping[str, Any] = field(default_factory=dict)
    observers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises `ArenaError` for a value that no run can have, before anything is run or stored."""
        for name, least in (("jobs", 1), ("threads", 1), ("memory_limit", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ArenaError(f"Options({name}={value!r}): give a whole number of at least {least}, or None")
        seconds = self.checkpoint_every
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
            raise ArenaError(f"Options(checkpoint_every={seconds!r}): give a number of seconds")
        named = self.observers.values() if isinstance(self.observers, Mapping) else [None]
        if not all(isinstance(params, Mapping) for params in named):
            raise ArenaError(
                f"Options(observers={self.observers!r}): give a mapping of names, each with its parameters as a mapping"
            )
