"""Which of these image classifiers is better on this data, by how much, at what cost?

The names below are the public interface. They load on first use, so that `import mnistarena` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnistarena.version import __version__

_HOME = {
    "ModelDef": "components",
    "DatasetDef": "components",
    "TransformDef": "components",
    "MetricDef": "components",
    "ExecutorDef": "components",
    "Params": "components",
    "Task": "components",
    "Dataset": "components",
    "Predictions": "components",
    "DataContext": "components",
    "PrepareContext": "components",
    "hookimpl": "hookspecs",
    "run": "notebook",
    "load_run": "notebook",
    "Run": "notebook",
    "Options": "execute",
    "ArenaError": "errors",
    "SpecError": "errors",
    "PluginError": "errors",
    "DataError": "errors",
    "MissingDataError": "errors",
    "StoreError": "errors",
    "TrialError": "errors",
}

__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from mnistarena.components import (
        DataContext as DataContext,
        Dataset as Dataset,
        DatasetDef as DatasetDef,
        ExecutorDef as ExecutorDef,
        MetricDef as MetricDef,
        ModelDef as ModelDef,
        Params as Params,
        Predictions as Predictions,
        PrepareContext as PrepareContext,
        Task as Task,
        TransformDef as TransformDef,
    )
    from mnistarena.errors import (
        ArenaError as ArenaError,
        DataError as DataError,
        MissingDataError as MissingDataError,
        PluginError as PluginError,
        SpecError as SpecError,
        StoreError as StoreError,
        TrialError as TrialError,
    )
    from mnistarena.execute import Options as Options
    from mnistarena.hookspecs import hookimpl as hookimpl
    from mnistarena.notebook import Run as Run, load_run as load_run, run as run


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mnistarena' has no attribute {name!r}")
    value = getattr(import_module(f"mnistarena.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
