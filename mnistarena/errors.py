"""What can go wrong, as exceptions that the command line prints without a traceback."""

from __future__ import annotations

from collections.abc import Iterable


class ArenaError(Exception):
    """Base of every error that is somebody's to mend: its text says what, where and what to do."""

    exit_status = 2


class SpecError(ArenaError):
    """One or more problems of a spec.

    `problems` holds one line each, `file:line: where: what; did you mean …?`.
    """

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class PluginError(ArenaError):
    """A plugin that cannot be loaded, or two plugins that claim one name."""


class DataError(ArenaError):
    """Data that is missing, truncated, altered or does not fit what was asked of it."""


class MissingDataError(DataError):
    """Data that is not on this machine and was not, or could not be, fetched."""


class StoreError(ArenaError):
    """A run folder that cannot be read, written or locked."""


class TrialError(ArenaError):
    """A trial that cannot go on; recorded with the trial, the others go on."""

    exit_status = 1
