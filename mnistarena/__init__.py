"""Which of these image classifiers is better on this data, by how much, at what cost?

The names below are the public interface. They load on first use, so that `import mnistarena` is cheap. Public as
well: `mnistarena.executors`, `mnistarena.pretrained`, `mnistarena.testing` and `mnistarena.data.idx`.

How the package is read, from the question to the answer: spec (the question) → plugin, data (who answers, on what) →
plan → execution (many trials) → trial (one, in its process) → engine (torch: tensors in, trained model out) → store →
stats, evidence → report. Beside them: pretrained (before a training), inference (after it), builtin, testing, cli.
docs/architecture.md has the order of imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnistarena.version import __version__

_HOME = {
    "ModelDef": "plugin.components",
    "DatasetDef": "plugin.components",
    "TransformDef": "plugin.components",
    "MetricDef": "plugin.components",
    "OptimizerDef": "plugin.training",
    "LossDef": "plugin.training",
    "ScheduleDef": "plugin.training",
    "AugmentationDef": "plugin.training",
    "Length": "plugin.training",
    "steps_of": "plugin.training",
    "ExecutorDef": "plugin.executor",
    "ObserverDef": "plugin.observer",
    "RunEvent": "plugin.observer",
    "SearcherDef": "plugin.search",
    "SearchTask": "plugin.search",
    "Tried": "plugin.search",
    "Parameter": "plugin.space",
    "Between": "plugin.space",
    "OneOf": "plugin.space",
    "Params": "plugin.components",
    "Task": "plugin.components",
    "Dataset": "plugin.components",
    "Predictions": "plugin.predictions",
    "Outputs": "plugin.predictions",
    "LeftOut": "plugin.components",
    "DataContext": "plugin.components",
    "PrepareContext": "plugin.components",
    "FitContext": "plugin.fit",
    "TrainingContext": "plugin.fit",
    "hookimpl": "plugin.hooks",
    "register": "plugin.cells",
    "per_image": "engine.adapters",
    "drawing_from": "engine.adapters",
    "run": "api",
    "load_run": "api",
    "judge": "api",
    "Run": "api",
    "TrialResult": "api",
    "Options": "execution.options",
    "Observer": "execution.observer",
    "ArenaError": "errors",
    "SpecError": "errors",
    "PluginError": "errors",
    "DataError": "errors",
    "MissingDataError": "errors",
    "StoreError": "errors",
    "TrialError": "errors",
    "NoValue": "errors",
}

__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from mnistarena.api import (
        Run as Run,
        TrialResult as TrialResult,
        judge as judge,
        load_run as load_run,
        run as run,
    )
    from mnistarena.engine.adapters import drawing_from as drawing_from, per_image as per_image
    from mnistarena.errors import (
        ArenaError as ArenaError,
        DataError as DataError,
        MissingDataError as MissingDataError,
        NoValue as NoValue,
        PluginError as PluginError,
        SpecError as SpecError,
        StoreError as StoreError,
        TrialError as TrialError,
    )
    from mnistarena.execution.observer import Observer as Observer
    from mnistarena.execution.options import Options as Options
    from mnistarena.plugin.cells import register as register
    from mnistarena.plugin.components import (
        DataContext as DataContext,
        Dataset as Dataset,
        DatasetDef as DatasetDef,
        LeftOut as LeftOut,
        MetricDef as MetricDef,
        ModelDef as ModelDef,
        Params as Params,
        PrepareContext as PrepareContext,
        Task as Task,
        TransformDef as TransformDef,
    )
    from mnistarena.plugin.executor import ExecutorDef as ExecutorDef
    from mnistarena.plugin.fit import FitContext as FitContext, TrainingContext as TrainingContext
    from mnistarena.plugin.hooks import hookimpl as hookimpl
    from mnistarena.plugin.observer import ObserverDef as ObserverDef, RunEvent as RunEvent
    from mnistarena.plugin.predictions import Outputs as Outputs, Predictions as Predictions
    from mnistarena.plugin.search import SearcherDef as SearcherDef, SearchTask as SearchTask, Tried as Tried
    from mnistarena.plugin.space import Between as Between, OneOf as OneOf, Parameter as Parameter
    from mnistarena.plugin.training import (
        AugmentationDef as AugmentationDef,
        Length as Length,
        LossDef as LossDef,
        OptimizerDef as OptimizerDef,
        ScheduleDef as ScheduleDef,
        steps_of as steps_of,
    )


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mnistarena' has no attribute {name!r}")
    value = getattr(import_module(f"mnistarena.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
