"""`mlflow`: parameters, curves, figures and verdicts of a run in MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import Field

from mnistarena import ObserverDef, Params, RunEvent, hookimpl


class MlflowParams(Params):
    """Parameters of `mlflow`."""

    uri: str | None = Field(
        None,
        min_length=1,
        description="the tracking store: sqlite:///mlflow.db, http://HOST:PORT; by default what MLflow would use",
    )
    experiment: str | None = Field(
        None, min_length=1, description="the name of the experiment; by default that of the benchmark"
    )
    artifacts: bool = Field(True, description="upload trial.json and the log of each trial, and plan and spec")


def start(params: MlflowParams) -> Callable[[RunEvent], None]:
    """What takes the events."""
    from mnistarena_mlflow.tracking import Tracking

    return Tracking(params).tell


@hookimpl
def arena_observers() -> Iterable[ObserverDef]:
    """`mlflow`."""
    summary = "MLflow: a run for each trial, with parameters, curves, figures and artifacts"
    return [ObserverDef("mlflow", summary, params=MlflowParams, start=start)]
