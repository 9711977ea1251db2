"""Trained weights for model plugins: where they come from, that they fit, and a frozen backbone.

A model's parameters derive from `StartParams`; its `prepare` calls `prepare` here before the plan is fixed, its
`build` ends with `start`, in the worker. `fine_tuned` makes a whole model of a torchvision classifier. The
parameters of a model that learns from a trained one derive from `TeacherParams`; its `prepare` is `prepare_teacher`.
Importing this imports no torch. docs/plugins.md has examples.
"""

from mnistarena.pretrained.teacher import TeacherParams, prepare_teacher
from mnistarena.pretrained.torchvision import FineTunedParams, fine_tuned
from mnistarena.pretrained.weights import (
    IMAGENET,
    NONE,
    Published,
    StartParams,
    Unavailable,
    file_of,
    frozen,
    imagenet,
    prepare,
    start,
)

__all__ = [
    "IMAGENET",
    "NONE",
    "FineTunedParams",
    "Published",
    "StartParams",
    "TeacherParams",
    "Unavailable",
    "file_of",
    "fine_tuned",
    "frozen",
    "imagenet",
    "prepare",
    "prepare_teacher",
    "start",
]
