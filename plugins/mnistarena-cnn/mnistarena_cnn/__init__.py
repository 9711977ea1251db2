"""`cnn`: a small convolutional network, that of the notebook that mnistarena began as."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mnistarena import Between, ModelDef, OneOf, Parameter, PrepareContext, Task, hookimpl
from mnistarena.pretrained import StartParams, prepare, start

if TYPE_CHECKING:
    from torch import nn

Width = Annotated[int, Field(ge=1, le=4096)]
Kernel = Annotated[int, Field(ge=1, le=15)]


class CnnParams(StartParams):
    """Parameters of `cnn`; the defaults give the network of the notebook that mnistarena began as."""

    channels: list[Width] = Field(
        [16, 32], min_length=1, max_length=6, description="feature maps of each convolution; each is pooled by 2"
    )
    kernel_size: Kernel | list[Kernel] = Field(
        5, description="side of the convolutions' kernels; a list gives each its own"
    )
    padding: Literal["same", "valid"] = Field(
        "same", description="same: zeros around the image keep its size, for odd kernels; valid: none, fewer operations"
    )
    batch_norm: bool = Field(
        False, description="normalise each convolution's pooled maps over the batch, before its ReLU"
    )
    hidden: list[Width] = Field([120, 84], max_length=6, description="units of each hidden linear layer")

    @model_validator(mode="after")
    def _kernels_fit(self) -> CnnParams:
        if len(self.kernels) != len(self.channels):
            raise ValueError(
                f'"kernel_size" has {len(self.kernels)} entries for {len(self.channels)} convolutions; '
                "give one number, or one each"
            )
        even = [kernel for kernel in self.kernels if kernel % 2 == 0]
        if self.padding == "same" and even:
            raise ValueError(
                f'"kernel_size" must be odd with padding "same", which keeps the image\'s size; it is {even[0]}'
            )
        return self

    @property
    def kernels(self) -> list[int]:
        """A kernel's side for each convolution."""
        one = self.kernel_size
        return one if isinstance(one, list) else [one] * len(self.channels)


def pooled(sides: Sequence[int], kernels: Sequence[int], padded: bool) -> list[int]:
    """An image's sides after the convolutions, each pooled by 2; 0 where nothing is left."""
    left = list(sides)
    for kernel in kernels:
        left = [max(0, side if padded else side - kernel + 1) // 2 for side in left]
    return left


def check(params: CnnParams, task: Task) -> str | None:
    """A sentence where the image is too small for the convolutions and poolings."""
    kernels, padded = params.kernels, params.padding == "same"
    _, height, width = task.image_shape
    if min(pooled((height, width), kernels, padded)) < 1:
        least = next(side for side in range(1, 5000) if min(pooled((side,), kernels, padded)) > 0)
        size = max(least, height, width)  # "pad" cannot make a side smaller
        return (
            f"{len(kernels)} convolutions and poolings need images of at least {least} × {least}, these are "
            f'{height} × {width}; put {{ name = "pad", size = {size} }} or {{ name = "resize", size = {size} }} '
            "into its transforms"
        )
    return None


def prepare_cnn(params: CnnParams, context: PrepareContext) -> CnnParams:
    """The params with the weights that are used; the usual random start needs no note."""
    return params if params.weights == ["none"] and params.freeze == "none" else prepare("cnn", params, context)


def build(params: CnnParams, task: Task) -> nn.Module:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_cnn.network import Cnn

    network = Cnn(task.image_shape, params, task.n_classes)
    return start("cnn", network, params, head=f"linears.{len(params.hidden)}")


SPACE = (
    Parameter("training.optimizer.lr", Between(1e-4, 1e-2, log=True)),
    Parameter("training.batch_size", OneOf((32, 64, 128))),
    Parameter("training.label_smoothing", Between(0.0, 0.1)),
    Parameter("params.batch_norm", OneOf((False, True))),
)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`cnn`."""
    return [
        ModelDef(
            "cnn",
            "two 5 × 5 convolutions, each pooled, three linear layers",
            params=CnnParams,
            build=build,
            check=check,
            prepare=prepare_cnn,
            search=SPACE,
        )
    ]
