"""torchvision's classifiers as models: for plugins that fine-tune one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mnistarena.plugin.components import ModelDef, PrepareContext, Task
from mnistarena.pretrained.weights import IMAGENET, StartParams, imagenet, prepare, start

if TYPE_CHECKING:
    from torch import nn


class FineTunedParams(StartParams):
    """Parameters of a torchvision classifier that is fine-tuned."""

    weights: list[Annotated[str, Field(min_length=1)]] = Field(
        [IMAGENET],
        min_length=1,
        description='where to start, the first that can be had: "imagenet", "run:RUN/LABEL" (what another run '
        'trained), the path of a state dict, "none"',
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="in the classifier")


def fine_tuned(name: str, summary: str, *, enum: str, head: str, least_size: int) -> ModelDef:
    """`torchvision.models.<name>` as a model: RGB images, its last layer `head` replaced for the task.

    `enum` names torchvision's weights, such as "VGG16_Weights.IMAGENET1K_V1"; `least_size` is the smallest
    side, in pixels, that its poolings leave anything of.
    """

    def check(params: FineTunedParams, task: Task) -> str | None:
        channels, height, width = task.image_shape
        wanted = []
        if min(height, width) < least_size:
            wanted.append(f'{{ name = "resize", size = {least_size} }}')
        if channels != 3:
            wanted.append('"to-rgb"')
        if not wanted:
            return None
        return (
            f"it needs 3 channels of at least {least_size} × {least_size}, these images are "
            f"{channels} × {height} × {width}; put {' and '.join(wanted)} into its transforms"
        )

    def prepare_weights(params: FineTunedParams, context: PrepareContext) -> FineTunedParams:
        return prepare(name, params, context, imagenet(enum))

    def build(params: FineTunedParams, task: Task) -> nn.Module:
        import torchvision

        network: nn.Module = torchvision.models.get_model(
            name, weights=None, num_classes=task.n_classes, dropout=params.dropout
        )
        return start(name, network, params, head, imagenet(enum))

    return ModelDef(name, summary, params=FineTunedParams, build=build, check=check, prepare=prepare_weights)
