"""The hooks that a plugin may implement, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mnistarena.plugin.components import DatasetDef, MetricDef, ModelDef, TransformDef
from mnistarena.plugin.executor import ExecutorDef
from mnistarena.plugin.observer import ObserverDef
from mnistarena.plugin.search import SearcherDef
from mnistarena.plugin.training import AugmentationDef, LossDef, OptimizerDef, ScheduleDef

PROJECT = "mnistarena"
"""Pluggy's project name, and the entry-point group that plugins register in."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def arena_models() -> Iterable[ModelDef]:  # type: ignore[empty-body]
    """Models: each has a `build` that returns a torch module or a scikit-learn classifier."""


@hookspec
def arena_datasets() -> Iterable[DatasetDef]:  # type: ignore[empty-body]
    """Datasets: images and labels, for training and for test."""


@hookspec
def arena_transforms() -> Iterable[TransformDef]:  # type: ignore[empty-body]
    """Transforms: functions of a batch of images on the device."""


@hookspec
def arena_metrics() -> Iterable[MetricDef]:  # type: ignore[empty-body]
    """Metrics: a figure from one trial's predictions."""


@hookspec
def arena_optimizers() -> Iterable[OptimizerDef]:  # type: ignore[empty-body]
    """Optimizers, beside those of torch.optim."""


@hookspec
def arena_losses() -> Iterable[LossDef]:  # type: ignore[empty-body]
    """Losses: what a training minimises, from logits and targets."""


@hookspec
def arena_schedules() -> Iterable[ScheduleDef]:  # type: ignore[empty-body]
    """Schedules: the learning rate as a factor of the optimizer's, step by step."""


@hookspec
def arena_augmentations() -> Iterable[AugmentationDef]:  # type: ignore[empty-body]
    """Augmentations: functions of a training batch and its labels, which may mix both."""


@hookspec
def arena_executors() -> Iterable[ExecutorDef]:  # type: ignore[empty-body]
    """Executors: where trials run, and how many at a time."""


@hookspec
def arena_observers() -> Iterable[ObserverDef]:  # type: ignore[empty-body]
    """Observers: what is told of a run while it goes on."""


@hookspec
def arena_searchers() -> Iterable[SearcherDef]:  # type: ignore[empty-body]
    """Searchers: what proposes the points that a search tries."""
