"""What a plugin may provide: the hooks and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from mnistarena.components import DatasetDef, ExecutorDef, MetricDef, ModelDef, TransformDef

PROJECT = "mnistarena"
"""Pluggy's project name, and the entry-point group that plugins register in."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def arena_models() -> Iterable[ModelDef]:  # type: ignore[empty-body]
    """Models: something with a `build` that gives a torch module or a scikit-learn classifier."""


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
def arena_executors() -> Iterable[ExecutorDef]:  # type: ignore[empty-body]
    """Executors: where trials run, and how many at a time."""
