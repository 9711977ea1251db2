"""`faster-rcnn`: the network that the notebook calls so. It is a plain classifier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from mnistarena import ModelDef, Params, Task, hookimpl

if TYPE_CHECKING:
    from mnistarena_faster_rcnn.network import NotebookNetwork


class FasterRcnnParams(Params):
    """Parameters of `faster-rcnn`; the defaults are the notebook's."""

    width: int = Field(32, ge=1, le=2048, description="feature maps of the first convolution; the second has twice")
    hidden: int = Field(128, ge=1, le=65536, description="units of the hidden linear layer")


def check(params: FasterRcnnParams, task: Task) -> str | None:
    """Two poolings need 4 × 4 pixels."""
    _, height, width = task.image_shape
    if min(height, width) < 4:
        size = max(4, height, width)  # padding shrinks no side
        return (
            f"two poolings need images of at least 4 × 4, these are {height} × {width}; "
            f'put {{ name = "pad", size = {size} }} or {{ name = "resize", size = {size} }} into its transforms'
        )
    return None


def build(params: FasterRcnnParams, task: Task) -> NotebookNetwork:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_faster_rcnn.network import NotebookNetwork

    return NotebookNetwork(task.image_shape, params.width, params.hidden, task.n_classes)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`faster-rcnn`."""
    return [
        ModelDef(
            "faster-rcnn",
            'what the notebook calls "Faster R-CNN": a plain classifier, without a detection head',
            FasterRcnnParams,
            build,
            check,
        )
    ]
