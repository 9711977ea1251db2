"""`vit`: a Vision Transformer (Dosovitskiy et al. 2020), trained from scratch.

The defaults give the tiny one of the notebook that mnistarena began as.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from mnistarena import Between, ModelDef, OneOf, Parameter, Params, Task, hookimpl

if TYPE_CHECKING:
    from mnistarena_vit.network import VisionTransformer


class VitParams(Params):
    """Parameters of `vit`; the defaults give the network of the notebook that mnistarena began as."""

    patches: int = Field(7, ge=1, le=64, description="patches along each side of the image")
    blocks: int = Field(2, ge=1, le=48, description="transformer blocks")
    width: int = Field(8, ge=1, le=4096, description="length of a token")
    heads: int = Field(2, ge=1, le=64, description="attention heads; they share the width")
    mlp_ratio: int = Field(4, ge=1, le=16, description="hidden units of a block's MLP, as a multiple of the width")
    stem: Literal["patches", "convolutional"] = Field(
        "patches",
        description="how pixels become tokens: each patch flattened and mapped, or 3 × 3 convolutions with stride 2 "
        "(Xiao et al. 2021), which learn from fewer images",
    )
    attention: Literal["per-head", "full"] = Field(
        "per-head",
        description="per-head: queries, keys and values of each head from its own slice of the token; "
        "full: from the whole token, with an output projection, as in the paper",
    )
    positions: Literal["sinusoidal", "learned"] = Field("sinusoidal", description="position embeddings")
    final_norm: bool = Field(False, description="a LayerNorm before the head, as in the paper")
    dropout: float = Field(0.0, ge=0, lt=1, description="in the attention's output and the MLP")
    softmax_output: bool = Field(
        False,
        description="a softmax before the loss, which takes one itself: a common mistake, here to show its effect",
    )

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> VitParams:
        if self.width % self.heads:
            raise ValueError(f'"width" = {self.width} cannot be shared by "heads" = {self.heads}')
        return self


def check(params: VitParams, task: Task) -> str | None:
    """A sentence where the image cannot be cut into so many equal patches."""
    _, height, width = task.image_shape
    if height % params.patches or width % params.patches:
        size = -(-max(height, width) // params.patches) * params.patches
        return (
            f"{height} × {width} images cannot be cut into {params.patches} × {params.patches} patches; "
            f'put {{ name = "pad", size = {size} }} or {{ name = "resize", size = {size} }} into its transforms, '
            'or change "patches"'
        )
    sides = height // params.patches, width // params.patches
    if params.stem == "convolutional" and (sides[0] != sides[1] or sides[0] < 2 or sides[0] & (sides[0] - 1)):
        return (
            f"a convolutional stem halves the image until a patch is one pixel, so a patch's sides must be 2, 4, 8 …; "
            f'they are {sides[0]} × {sides[1]}; resize the image or change "patches"'
        )
    return None


def build(params: VitParams, task: Task) -> VisionTransformer:
    """The network: images `(N, C, H, W)` to logits `(N, n_classes)`."""
    from mnistarena_vit.network import VisionTransformer

    return VisionTransformer(task.image_shape, task.n_classes, params)


@hookimpl
def arena_models() -> Iterable[ModelDef]:
    """`vit`."""
    return [
        ModelDef(
            "vit",
            "a Vision Transformer, trained from scratch; by default a tiny one of 1,642 parameters",
            params=VitParams,
            build=build,
            check=check,
            search=(
                Parameter("training.optimizer.lr", Between(5e-4, 2e-2, log=True)),
                Parameter("training.batch_size", OneOf((32, 64, 128))),
                Parameter("params.width", OneOf((8, 16, 32))),
                Parameter("params.blocks", Between(1, 4, integer=True)),
            ),
        )
    ]
