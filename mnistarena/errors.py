"""The exceptions of mnistarena; the command line prints them without a traceback."""

from __future__ import annotations

from collections.abc import Iterable


class ArenaError(Exception):
    """Base of every error that a user can fix: its text says what, where and what to do."""

    exit_status = 2


class SpecError(ArenaError):
    """One or more problems of a spec.

    `problems` holds one line each, `file:line: where: what; did you mean …?`.
    """

    def __init__(self, problems: Iterable[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class PluginError(ArenaError):
    """A plugin that cannot be loaded, or two plugins that provide components of one name."""


class DataError(ArenaError):
    """Data that is missing, truncated, altered or does not fit what was asked of it."""


class MissingDataError(DataError):
    """Data that is not on this machine and was not, or could not be, downloaded."""


class StoreError(ArenaError):
    """A run folder that cannot be read, written or locked."""


class TrialError(ArenaError):
    """A trial that cannot go on; recorded with the trial, the others go on."""

    exit_status = 1


class NoValue(ArenaError):
    """A figure that has no meaning for these predictions, with the reason; a metric may raise it."""


def first_line(problem: BaseException) -> str:
    """The first line of an exception's text, or its type where it has no text."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem).strip().partition("\n")[0] or type(problem).__name__


def cannot_write(path: object, problem: OSError) -> StoreError:
    """The `StoreError` for a file or folder that the system refuses to write."""
    return StoreError(f"cannot write {path}: {problem.strerror or problem}")
