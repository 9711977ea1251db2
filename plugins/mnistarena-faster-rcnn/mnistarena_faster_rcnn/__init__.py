"""`faster-rcnn-detector`, a real Faster R-CNN, and `faster-rcnn`, a plain classifier that only has the name.

The notebook that mnistarena began as calls that classifier "Faster R-CNN"; the name is kept for comparison with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena import Between, MetricDef, ModelDef, OneOf, Parameter, Params, Predictions, Task, hookimpl
from mnistarena_faster_rcnn.boxes import intersection_over_union

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnistarena_faster_rcnn.detector import Detector
    from mnistarena_faster_rcnn.network import SmallNetwork


class FasterRcnnParams(Params):
    """Parameters of `faster-rcnn`; the defaults give the network of the notebook that mnistarena began as."""

    width: int = Field(32, ge=1, le=2048, description="feature maps of the first convolution; the second has twice")
    hidden: int = Field(128, ge=1, le=65536, description="units of the hidden linear layer")


def check(params: FasterRcnnParams, task: Task) -> str | None:
    """A sentence where the image is too small for two poolings."""
    _, height, width = task.image_shape
    if min(height, width) < 4:
        size = max(4, height, width)  # "pad" cannot make a side smaller
        return (
            f"two poolings need images of at least 4 × 4, these are {height} × {width}; "
            f'put {{ name = "pad", size = {size} }} or {{ name = "resize", size = {size} }} into its transforms'
        )
    return None


def build(params: FasterRcnnParams, task: Task) -> SmallNetwork:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_faster_rcnn.network import SmallNetwork

    return SmallNetwork(task.image_shape, params.width, params.hidden, task.n_classes)


LEAST_SIDE = 32
"""Pixels a side at least: in smaller images, an anchor is not larger than a cell of the features."""


class DetectorParams(Params):
    """Parameters of `faster-rcnn-detector`."""

    width: int = Field(
        16, ge=1, le=512, description="feature maps of the first convolution; the next have twice and four times that"
    )
    hidden: int = Field(128, ge=1, le=8192, description="units of the linear layer that looks at a region")
    proposals: int = Field(8, ge=1, le=1000, description="regions that are looked at in each image")


def check_detector(params: DetectorParams, task: Task) -> str | None:
    """A sentence where the image is too small to look for regions in it."""
    _, height, width = task.image_shape
    if min(height, width) >= LEAST_SIDE:
        return None
    return (
        f"it looks for regions in images of at least {LEAST_SIDE} × {LEAST_SIDE}, these are {height} × {width}; "
        'put { name = "resize", size = 64 } into its transforms'
    )


def build_detector(params: DetectorParams, task: Task) -> Detector:
    """The detector: images `(N, C, H, W)` to logits `(N, n_classes)`, and a box each."""
    from mnistarena_faster_rcnn.detector import Detector

    return Detector(task.image_shape, params.width, params.hidden, params.proposals, task.n_classes)


class NoParams(Params):
    """No parameters."""


def mean_iou(predictions: Predictions, params: NoParams) -> float | None:
    """Mean intersection over union of the detected box and the ink's; None for a model that gives no boxes."""
    if "boxes" not in predictions.extras or "ink_boxes" not in predictions.extras:
        return None
    return float(ious(predictions, params).mean())


def ious(predictions: Predictions, params: NoParams) -> NDArray[np.float64]:
    """The intersection over union of each image, `(n,)`."""
    return intersection_over_union(predictions.extras["boxes"], predictions.extras["ink_boxes"])


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`faster-rcnn` and `faster-rcnn-detector`."""
    return [
        ModelDef(
            "faster-rcnn",
            "two convolutions and two linear layers, without a detection head",
            params=FasterRcnnParams,
            build=build,
            check=check,
            caveat="in spite of its name a plain classifier, which the notebook called so; it detects nothing",
            search=(
                Parameter("training.optimizer.lr", Between(1e-4, 1e-2, log=True)),
                Parameter("training.batch_size", OneOf((32, 64, 128))),
                Parameter("training.label_smoothing", Between(0.0, 0.1)),
            ),
        ),
        ModelDef(
            "faster-rcnn-detector",
            "Faster R-CNN (Ren et al. 2015): proposals and RoI heads on a small backbone; also finds the ink's box",
            params=DetectorParams,
            build=build_detector,
            check=check_detector,
        ),
    ]


@hookimpl
def arena_metrics() -> Iterable[MetricDef]:
    """`mean_iou`."""
    return [
        MetricDef(
            "mean_iou",
            "mean intersection over union of the detected box and the extent of the ink; for detectors only",
            params=NoParams,
            compute=mean_iou,
            higher_is_better=True,
            share=True,
            per_image=ious,
        )
    ]
