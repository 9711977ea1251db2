"""`cnn`: the notebook's convolutional network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mnistarena import ModelDef, Params, Task, hookimpl

if TYPE_CHECKING:
    from mnistarena_cnn.network import Cnn

Width = Annotated[int, Field(ge=1, le=4096)]


class CnnParams(Params):
    """Parameters of `cnn`; the defaults are the notebook's."""

    channels: list[Width] = Field(
        [16, 32], min_length=1, max_length=6, description="feature maps of each convolution; each is pooled by 2"
    )
    kernel_size: int = Field(5, ge=1, le=15, description="side of the convolutions' kernels, odd")
    hidden: list[Width] = Field([120, 84], max_length=6, description="units of each hidden linear layer")


def check(params: CnnParams, task: Task) -> str | None:
    """Each convolution halves the image, so there must be something left of it."""
    least = 2 ** len(params.channels)
    _, height, width = task.image_shape
    if min(height, width) < least:
        size = max(least, height, width)  # padding shrinks no side
        return (
            f"{len(params.channels)} poolings need images of at least {least} × {least}, these are {height} × {width}; "
            f'put {{ name = "pad", size = {size} }} or {{ name = "resize", size = {size} }} into its transforms'
        )
    if params.kernel_size % 2 == 0:
        return f"kernel_size must be odd, so that the padding keeps the image's size; it is {params.kernel_size}"
    return None


def build(params: CnnParams, task: Task) -> Cnn:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_cnn.network import Cnn

    return Cnn(task.image_shape, params.channels, params.kernel_size, params.hidden, task.n_classes)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`cnn`."""
    return [
        ModelDef(
            "cnn",
            "the notebook's CNN: two 5 × 5 convolutions, each pooled, three linear layers",
            CnnParams,
            build,
            check,
        )
    ]
